"""What each way to recover from a lost node does with the KubeVirt stand-in, and which of them make a second
instance."""

import asyncio

import pytest

from e2e.controlplane import ApiError
from e2e.controlplane.client import JSON_PATCH
from e2e.tests.kubevirt_cluster import NODES, OUT_OF_SERVICE, VMIS, VMS, Cluster

pytest_plugins = ("e2e.tests.kubevirt_fixtures",)
pytestmark = pytest.mark.timeout(240)


async def test_i_nothing_by_itself(cluster: Cluster) -> None:
    node = await cluster.running_vm("web")
    before = await cluster.uid("web")
    await cluster.hardware.power_cut(node)
    assert cluster.kubevirt.ledger.running() == []
    await cluster.holds(lambda: _seen(cluster), ("Running", "Running", before), 5)


async def test_ii_force_delete_restarts_at_once_and_splits_a_merely_partitioned_vm(cluster: Cluster) -> None:
    node = await cluster.running_vm("web")
    before = await cluster.uid("web")
    await cluster.hardware.partition(node)
    await cluster.api.patch(f"{NODES}/{node}", {"spec": {"unschedulable": True}})
    await cluster.force_delete_pods_on(node)
    assert await cluster.until(lambda: _recovered(cluster, before), True) < 3
    cluster.expected_violations = 1
    violation = cluster.kubevirt.ledger.violation_list()[-1]
    assert violation["nodes"] == (node, cluster.hardware.peer(node))
    assert "could not reach the API server" in violation["cause"]
    assert len(cluster.kubevirt.ledger.running()) == 2
    await cluster.hardware.heal(node)
    await cluster.until(lambda: _executing(cluster), 1, 5)
    assert cluster.kubevirt.ledger.violation_list()[-1]["until"] != ""


async def test_ii_with_a_dead_node_there_is_one_instance(cluster: Cluster) -> None:
    node = await cluster.running_vm("web")
    before = await cluster.uid("web")
    await cluster.hardware.power_cut(node)
    await cluster.api.patch(f"{NODES}/{node}", {"spec": {"unschedulable": True}})
    await cluster.force_delete_pods_on(node)
    assert await cluster.until(lambda: _recovered(cluster, before), True) < 3
    assert (await cluster.vmi("web"))["status"]["nodeName"] != node


async def test_force_delete_without_closing_the_node_may_bring_the_vm_back_onto_it(cluster: Cluster) -> None:
    affinity = _only("node-a")
    await cluster.running_vm("web", affinity=affinity)
    await cluster.hardware.power_cut("node-a")
    await cluster.force_delete_pods_on("node-a")
    await cluster.until(lambda: _bound_node(cluster), "node-a")
    await cluster.holds(lambda: cluster.phase("web"), "Scheduling", 2)
    assert "nodeName" not in (await cluster.vmi("web"))["status"]
    await cluster.hardware.power_on("node-a")  # its kubelet is back before virt-handler offers /dev/kvm again
    await cluster.until(lambda: cluster.vm_word("web"), "CrashLoopBackOff")


async def test_iii_the_out_of_service_taint_acts_only_once_the_node_is_not_ready(cluster: Cluster) -> None:
    node = await cluster.running_vm("web")
    before = await cluster.uid("web")
    await cluster.hardware.power_cut(node)
    await _taint(cluster, node)
    await cluster.until(lambda: _terminating(cluster), True)
    await cluster.until(lambda: cluster.condition("web", "Ready"), "False", 10)
    took = await cluster.until(lambda: _recovered(cluster, before), True, 120)
    assert took > 20
    await cluster.hardware.power_on(node)
    await cluster.until(lambda: _ready(cluster, node), True, 60)
    await cluster.holds(lambda: _handler_pods(cluster, node), 0, 3)


async def test_v_deleting_stopping_or_restarting_never_completes(cluster: Cluster) -> None:
    for name in ("deleted", "restarted", "halted"):
        await cluster.running_vm(name, affinity=_only("node-a"))
    await cluster.hardware.power_cut("node-a")
    await cluster.api.delete(f"{VMIS}/deleted")
    assert await cluster.subresource("restarted", "restart") == 202
    assert await cluster.subresource("halted", "stop") == 202
    for name in ("deleted", "restarted", "halted"):
        await cluster.until(lambda name=name: cluster.vm_word(name), "Stopping")  # type: ignore[misc]
    await asyncio.sleep(5)
    for name in ("deleted", "restarted", "halted"):
        assert await cluster.phase(name) == "Running"
        assert (await cluster.pods(name))[0]["metadata"].get("deletionTimestamp")
    assert await cluster.subresource("restarted", "restart") == 500
    for name in ("deleted", "restarted"):
        patch = {"spec": {"template": {"spec": {"affinity": _only("node-b")}}}}
        await cluster.api.patch(f"{VMS}/{name}", patch)
    await cluster.force_delete_pods_on("node-a")
    await cluster.until(lambda: _words(cluster, "deleted", "restarted", "halted"), ["Running", "Running", "Stopped"])


async def test_vi_stripping_finalizers_splits(cluster: Cluster) -> None:
    node = await cluster.running_vm("web")
    before = await cluster.uid("web")
    await cluster.hardware.partition(node)
    await cluster.api.patch(f"{NODES}/{node}", {"spec": {"unschedulable": True}})
    await cluster.api.delete(f"{VMIS}/web")
    await cluster.api.patch(f"{VMIS}/web", [{"op": "remove", "path": "/metadata/finalizers"}], JSON_PATCH)
    await cluster.until(lambda: _recovered(cluster, before), True)
    cluster.expected_violations = 1
    assert any(pod["metadata"].get("deletionTimestamp") for pod in await cluster.pods("web"))


async def test_vii_a_users_status_write_is_dropped_without_a_word(cluster: Cluster) -> None:
    node = await cluster.running_vm("web")
    await cluster.hardware.power_cut(node)
    answer = await cluster.api.patch(f"{VMIS}/web", {"status": {"phase": "Failed"}})
    assert answer["status"]["phase"] == "Running"
    with pytest.raises(ApiError):
        await cluster.api.patch(f"{VMIS}/web/status", {"status": {"phase": "Failed"}})
    await cluster.holds(lambda: cluster.phase("web"), "Running", 1)


async def test_viii_cordon_taint_and_force_delete_recover_every_strategy_that_restarts(cluster: Cluster) -> None:
    strategies = {"always": "Always", "rerun": "RerunOnFailure", "manual": "Manual"}
    for name, strategy in strategies.items():
        await cluster.running_vm(name, strategy, affinity=_only("node-a"))
        patch = {"spec": {"template": {"spec": {"affinity": None}}}}
        await cluster.api.patch(f"{VMS}/{name}", patch)
    await cluster.hardware.power_cut("node-a")
    await cluster.close("node-a")
    await cluster.force_delete_pods_on("node-a")
    took = await cluster.until(lambda: _words(cluster, "always", "rerun", "manual"), ["Running", "Running", "Stopped"])
    assert took < 4
    assert await cluster.phase("manual") == "Failed"
    assert await cluster.subresource("manual", "restart") == 202
    await cluster.until(lambda: cluster.vm_word("manual"), "Running")
    assert {run["node"] for run in cluster.kubevirt.ledger.running()} == {"node-b"}


async def test_a_vm_that_tolerates_everything_ignores_cordon_but_not_the_label(cluster: Cluster) -> None:
    await cluster.running_vm("web", tolerations=[{"operator": "Exists"}], affinity=_only("node-a"))
    before = await cluster.uid("web")
    await cluster.api.patch(f"{VMS}/web", {"spec": {"template": {"spec": {"affinity": None}}}})
    await cluster.hardware.power_cut("node-a")
    await cluster.api.patch(f"{NODES}/node-a", {"metadata": {"labels": {"kubevirt.io/schedulable": "false"}}})
    await cluster.close("node-a")
    await cluster.force_delete_pods_on("node-a")
    await cluster.until(lambda: _recovered(cluster, before), True)
    await cluster.hardware.power_on("node-a")
    await cluster.until(lambda: _ready(cluster, "node-a"), True, 60)
    await cluster.holds(lambda: _schedulable(cluster, "node-a"), "false", 2)
    taints = (await cluster.api.get(f"{NODES}/node-a"))["spec"]["taints"]
    kept = [taint for taint in taints if taint["key"] != OUT_OF_SERVICE["key"]]
    await cluster.api.patch(f"{NODES}/node-a", {"spec": {"taints": kept}})
    assert await cluster.until(lambda: _schedulable(cluster, "node-a"), "true") < 10


@pytest.mark.parametrize("strategy", ["Always", "Manual"])
async def test_a_node_that_comes_back_before_anybody_acted(cluster: Cluster, strategy: str) -> None:
    node = await cluster.running_vm("web", strategy)
    before = await cluster.uid("web")
    await cluster.hardware.power_cut(node)
    await cluster.hardware.power_on(node)
    if strategy == "Always":
        await cluster.until(lambda: _recovered(cluster, before), True)
    else:
        await cluster.until(lambda: cluster.phase("web"), "Failed")
        (pod,) = await cluster.pods("web")
        assert pod["status"]["phase"] == "Failed"
        await cluster.holds(lambda: cluster.uid("web"), before, 1)


async def test_a_short_partition_changes_nothing(cluster: Cluster) -> None:
    node = await cluster.running_vm("web")
    before = await cluster.uid("web")
    await cluster.hardware.partition(node)
    await asyncio.sleep(1)
    await cluster.hardware.heal(node)
    await cluster.holds(lambda: _seen(cluster), ("Running", "Running", before), 4)
    assert [run["vmi_uid"] for run in cluster.kubevirt.ledger.running()] == [before]


async def test_a_dead_virt_handler_touches_no_running_vm_and_takes_no_new_one(cluster: Cluster) -> None:
    node = await cluster.running_vm("web", affinity=_only("node-a"))
    before = await cluster.uid("web")
    cluster.kubevirt.faults.handler_down(node, True)
    await cluster.create_vm("late", affinity=_only("node-a"))
    await cluster.until(lambda: cluster.phase("late"), "Scheduled")
    await cluster.holds(lambda: cluster.phase("late"), "Scheduled", 2)
    assert await _seen(cluster) == ("Running", "Running", before)
    assert await cluster.subresource("web", "pause", kind="virtualmachineinstances") == 500
    cluster.kubevirt.faults.handler_down(node, False)
    await cluster.until(lambda: cluster.phase("late"), "Running")


async def test_without_virt_api_failover_stops_and_goes_on_when_it_is_back(cluster: Cluster) -> None:
    node = await cluster.running_vm("web")
    before = await cluster.uid("web")
    await cluster.hardware.power_cut(node)
    cluster.kubevirt.faults.webhooks_down(True)
    await cluster.close(node)
    with pytest.raises(ApiError, match="failed calling webhook") as refused:
        await cluster.api.patch(f"{VMS}/web", {"metadata": {"labels": {"a": "b"}}})
    assert refused.value.status == 500
    assert await cluster.subresource("web", "restart") == 503
    await cluster.force_delete_pods_on(node)
    await cluster.holds(lambda: _seen(cluster), ("Running", "Running", before), 2)
    cluster.kubevirt.faults.webhooks_down(False)
    assert await cluster.until(lambda: _recovered(cluster, before), True) < 4


def _only(node: str) -> dict[str, object]:
    term = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}}


async def _seen(cluster: Cluster) -> tuple[str, str, str]:
    return await cluster.vm_word("web"), await cluster.phase("web"), await cluster.uid("web")


async def _words(cluster: Cluster, *names: str) -> list[str]:
    return [await cluster.vm_word(name) for name in names]


async def _recovered(cluster: Cluster, before: str) -> bool:
    return await cluster.uid("web") not in ("", before) and await cluster.phase("web") == "Running"


async def _executing(cluster: Cluster) -> int:
    return len(cluster.kubevirt.ledger.running())


async def _bound_node(cluster: Cluster) -> str:
    return next((str(pod["spec"].get("nodeName", "")) for pod in await cluster.pods("web")), "")


async def _terminating(cluster: Cluster) -> bool:
    return all(pod["metadata"].get("deletionTimestamp") for pod in await cluster.pods("web"))


async def _taint(cluster: Cluster, node: str) -> None:
    taints = (await cluster.api.get(f"{NODES}/{node}"))["spec"].get("taints") or []
    await cluster.api.patch(f"{NODES}/{node}", {"spec": {"taints": [*taints, OUT_OF_SERVICE]}})


async def _ready(cluster: Cluster, node: str) -> bool:
    conditions = (await cluster.api.get(f"{NODES}/{node}"))["status"]["conditions"]
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


async def _schedulable(cluster: Cluster, node: str) -> str:
    return str((await cluster.api.get(f"{NODES}/{node}"))["metadata"]["labels"]["kubevirt.io/schedulable"])


async def _handler_pods(cluster: Cluster, node: str) -> int:
    pods = (await cluster.api.get("/api/v1/namespaces/kubevirt/pods"))["items"]
    return sum(pod["spec"].get("nodeName") == node for pod in pods)
