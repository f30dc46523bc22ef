"""What each way to recover from a lost node does with the KubeVirt stand-in, and which of them make a second instance."""

import asyncio

import pytest

from e2e.controlplane import ApiError
from e2e.controlplane.client import JSON_PATCH
from e2e.tests.kubevirt_lab import NODES, OUT_OF_SERVICE, VMIS, VMS, Lab, cluster, lab  # noqa: F401

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(240)]


async def test_i_nothing_by_itself(lab: Lab) -> None:
    node = await lab.running_vm("web")
    before = await lab.uid("web")
    await lab.hardware.power_cut(node)
    assert lab.kubevirt.ledger.running() == []
    await lab.holds(lambda: _seen(lab), ("Running", "Running", before), 5)


async def test_ii_force_delete_restarts_at_once_and_splits_a_merely_partitioned_vm(lab: Lab) -> None:
    node = await lab.running_vm("web")
    before = await lab.uid("web")
    await lab.hardware.partition(node)
    await lab.api.patch(f"{NODES}/{node}", {"spec": {"unschedulable": True}})
    await lab.force_delete_pods_on(node)
    assert await lab.until(lambda: _recovered(lab, before), True) < 3
    lab.expected_violations = 1
    violation = lab.kubevirt.ledger.violation_list()[-1]
    assert violation["nodes"] == (node, lab.hardware.peer(node))
    assert "could not reach the API server" in violation["cause"]
    assert len(lab.kubevirt.ledger.running()) == 2
    await lab.hardware.heal(node)
    await lab.until(lambda: _executing(lab), 1, 5)
    assert lab.kubevirt.ledger.violation_list()[-1]["until"] != ""


async def test_ii_with_a_dead_node_there_is_one_instance(lab: Lab) -> None:
    node = await lab.running_vm("web")
    before = await lab.uid("web")
    await lab.hardware.power_cut(node)
    await lab.api.patch(f"{NODES}/{node}", {"spec": {"unschedulable": True}})
    await lab.force_delete_pods_on(node)
    assert await lab.until(lambda: _recovered(lab, before), True) < 3
    assert (await lab.vmi("web"))["status"]["nodeName"] != node


async def test_force_delete_without_closing_the_node_may_bring_the_vm_back_onto_it(lab: Lab) -> None:
    affinity = _only("node-a")
    await lab.running_vm("web", affinity=affinity)
    await lab.hardware.power_cut("node-a")
    await lab.force_delete_pods_on("node-a")
    await lab.until(lambda: _bound_node(lab), "node-a")
    await lab.holds(lambda: lab.phase("web"), "Scheduling", 2)
    assert "nodeName" not in (await lab.vmi("web"))["status"]


async def test_iii_the_out_of_service_taint_acts_only_once_the_node_is_not_ready(lab: Lab) -> None:
    node = await lab.running_vm("web")
    before = await lab.uid("web")
    await lab.hardware.power_cut(node)
    await _taint(lab, node)
    await lab.until(lambda: _terminating(lab), True)
    await lab.until(lambda: lab.condition("web", "Ready"), "False", 10)
    took = await lab.until(lambda: _recovered(lab, before), True, 120)
    assert took > 20
    await lab.hardware.power_on(node)
    await lab.until(lambda: _ready(lab, node), True, 60)
    await lab.holds(lambda: _handler_pods(lab, node), 0, 3)


async def test_v_deleting_stopping_or_restarting_never_completes(lab: Lab) -> None:
    for name in ("deleted", "restarted", "halted"):
        await lab.running_vm(name, affinity=_only("node-a"))
    await lab.hardware.power_cut("node-a")
    await lab.api.delete(f"{VMIS}/deleted")
    assert await lab.subresource("restarted", "restart") == 202
    assert await lab.subresource("halted", "stop") == 202
    for name in ("deleted", "restarted", "halted"):
        await lab.until(lambda name=name: lab.vm_word(name), "Stopping")  # type: ignore[misc]
    await asyncio.sleep(5)
    for name in ("deleted", "restarted", "halted"):
        assert await lab.phase(name) == "Running"
        assert (await lab.pods(name))[0]["metadata"].get("deletionTimestamp")
    assert await lab.subresource("restarted", "restart") == 500
    for name in ("deleted", "restarted"):
        patch = {"spec": {"template": {"spec": {"affinity": _only("node-b")}}}}
        await lab.api.patch(f"{VMS}/{name}", patch)
    await lab.force_delete_pods_on("node-a")
    await lab.until(lambda: _words(lab, "deleted", "restarted", "halted"), ["Running", "Running", "Stopped"])


async def test_vi_stripping_finalizers_splits(lab: Lab) -> None:
    node = await lab.running_vm("web")
    before = await lab.uid("web")
    await lab.hardware.partition(node)
    await lab.api.patch(f"{NODES}/{node}", {"spec": {"unschedulable": True}})
    await lab.api.delete(f"{VMIS}/web")
    await lab.api.patch(f"{VMIS}/web", [{"op": "remove", "path": "/metadata/finalizers"}], JSON_PATCH)
    await lab.until(lambda: _recovered(lab, before), True)
    lab.expected_violations = 1
    assert any(pod["metadata"].get("deletionTimestamp") for pod in await lab.pods("web"))


async def test_vii_a_users_status_write_is_dropped_without_a_word(lab: Lab) -> None:
    node = await lab.running_vm("web")
    await lab.hardware.power_cut(node)
    answer = await lab.api.patch(f"{VMIS}/web", {"status": {"phase": "Failed"}})
    assert answer["status"]["phase"] == "Running"
    with pytest.raises(ApiError):
        await lab.api.patch(f"{VMIS}/web/status", {"status": {"phase": "Failed"}})
    await lab.holds(lambda: lab.phase("web"), "Running", 1)


async def test_viii_cordon_taint_and_force_delete_recover_every_strategy_that_restarts(lab: Lab) -> None:
    strategies = {"always": "Always", "rerun": "RerunOnFailure", "manual": "Manual"}
    for name, strategy in strategies.items():
        await lab.running_vm(name, strategy, affinity=_only("node-a"))
        patch = {"spec": {"template": {"spec": {"affinity": None}}}}
        await lab.api.patch(f"{VMS}/{name}", patch)
    await lab.hardware.power_cut("node-a")
    await lab.close("node-a")
    await lab.force_delete_pods_on("node-a")
    took = await lab.until(lambda: _words(lab, "always", "rerun", "manual"), ["Running", "Running", "Stopped"])
    assert took < 4
    assert await lab.phase("manual") == "Failed"
    assert await lab.subresource("manual", "restart") == 202
    await lab.until(lambda: lab.vm_word("manual"), "Running")
    assert {run["node"] for run in lab.kubevirt.ledger.running()} == {"node-b"}


async def test_a_vm_that_tolerates_everything_ignores_cordon_but_not_the_label(lab: Lab) -> None:
    await lab.running_vm("web", tolerations=[{"operator": "Exists"}], affinity=_only("node-a"))
    before = await lab.uid("web")
    await lab.api.patch(f"{VMS}/web", {"spec": {"template": {"spec": {"affinity": None}}}})
    await lab.hardware.power_cut("node-a")
    await lab.api.patch(f"{NODES}/node-a", {"metadata": {"labels": {"kubevirt.io/schedulable": "false"}}})
    await lab.close("node-a")
    await lab.force_delete_pods_on("node-a")
    await lab.until(lambda: _recovered(lab, before), True)
    await lab.hardware.power_on("node-a")
    await lab.until(lambda: _ready(lab, "node-a"), True, 60)
    await lab.holds(lambda: _schedulable(lab, "node-a"), "false", 2)
    taints = (await lab.api.get(f"{NODES}/node-a"))["spec"]["taints"]
    kept = [taint for taint in taints if taint["key"] != OUT_OF_SERVICE["key"]]
    await lab.api.patch(f"{NODES}/node-a", {"spec": {"taints": kept}})
    assert await lab.until(lambda: _schedulable(lab, "node-a"), "true") < 10


@pytest.mark.parametrize("strategy", ["Always", "Manual"])
async def test_a_node_that_comes_back_before_anybody_acted(lab: Lab, strategy: str) -> None:
    node = await lab.running_vm("web", strategy)
    before = await lab.uid("web")
    await lab.hardware.power_cut(node)
    await lab.hardware.power_on(node)
    if strategy == "Always":
        await lab.until(lambda: _recovered(lab, before), True)
    else:
        await lab.until(lambda: lab.phase("web"), "Failed")
        (pod,) = await lab.pods("web")
        assert pod["status"]["phase"] == "Failed"
        await lab.holds(lambda: lab.uid("web"), before, 1)


async def test_a_short_partition_changes_nothing(lab: Lab) -> None:
    node = await lab.running_vm("web")
    before = await lab.uid("web")
    await lab.hardware.partition(node)
    await asyncio.sleep(1)
    await lab.hardware.heal(node)
    await lab.holds(lambda: _seen(lab), ("Running", "Running", before), 4)
    assert [run["vmi_uid"] for run in lab.kubevirt.ledger.running()] == [before]


async def test_without_virt_api_failover_stops_and_goes_on_when_it_is_back(lab: Lab) -> None:
    node = await lab.running_vm("web")
    before = await lab.uid("web")
    await lab.hardware.power_cut(node)
    lab.kubevirt.faults.webhooks_down(True)
    await lab.close(node)
    with pytest.raises(ApiError, match="failed calling webhook") as refused:
        await lab.api.patch(f"{VMS}/web", {"metadata": {"labels": {"a": "b"}}})
    assert refused.value.status == 500
    assert await lab.subresource("web", "restart") == 503
    await lab.force_delete_pods_on(node)
    await lab.holds(lambda: _seen(lab), ("Running", "Running", before), 2)
    lab.kubevirt.faults.webhooks_down(False)
    assert await lab.until(lambda: _recovered(lab, before), True) < 4


def _only(node: str) -> dict[str, object]:
    term = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}}


async def _seen(lab: Lab) -> tuple[str, str, str]:
    return await lab.vm_word("web"), await lab.phase("web"), await lab.uid("web")


async def _words(lab: Lab, *names: str) -> list[str]:
    return [await lab.vm_word(name) for name in names]


async def _recovered(lab: Lab, before: str) -> bool:
    return await lab.uid("web") not in ("", before) and await lab.phase("web") == "Running"


async def _executing(lab: Lab) -> int:
    return len(lab.kubevirt.ledger.running())


async def _bound_node(lab: Lab) -> str:
    return next((str(pod["spec"].get("nodeName", "")) for pod in await lab.pods("web")), "")


async def _terminating(lab: Lab) -> bool:
    return all(pod["metadata"].get("deletionTimestamp") for pod in await lab.pods("web"))


async def _taint(lab: Lab, node: str) -> None:
    taints = (await lab.api.get(f"{NODES}/{node}"))["spec"].get("taints") or []
    await lab.api.patch(f"{NODES}/{node}", {"spec": {"taints": [*taints, OUT_OF_SERVICE]}})


async def _ready(lab: Lab, node: str) -> bool:
    conditions = (await lab.api.get(f"{NODES}/{node}"))["status"]["conditions"]
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


async def _schedulable(lab: Lab, node: str) -> str:
    return str((await lab.api.get(f"{NODES}/{node}"))["metadata"]["labels"]["kubevirt.io/schedulable"])


async def _handler_pods(lab: Lab, node: str) -> int:
    pods = (await lab.api.get("/api/v1/namespaces/kubevirt/pods"))["items"]
    return sum(pod["spec"].get("nodeName") == node for pod in pods)
