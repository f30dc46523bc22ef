"""What the KubeVirt stand-in refuses, drops, and answers: admission, evictions, subresources, the subresources'
rights.
"""

from typing import Any

import pytest

from e2e.controlplane import ApiError
from e2e.tests.kubevirt_cluster import (
    MIGRATIONS,
    NODES,
    PODS,
    SUBRESOURCES,
    VMIS,
    VMS,
    Cluster,
    Object,
    vm,
)

pytest_plugins = ("e2e.tests.kubevirt_fixtures",)
pytestmark = pytest.mark.timeout(120)

_VIRTIO = {"disk": {"bus": "virtio"}}
_TEMPLATE_REFUSALS: dict[str, tuple[dict[str, Any], str]] = {
    "disk without a volume": (
        {"devices": {"disks": [{"name": "nope", **_VIRTIO}]}},
        r"disks\[0\].Name 'nope' not found",
    ),
    "unknown bus": (
        {"devices": {"disks": [{"name": "a", "disk": {"bus": "ide"}}]}, "volumes": [{"name": "a", "emptyDisk": {}}]},
        r"must be one of: \[virtio scsi sata usb\]",
    ),
    "interface without a network": ({"networks": []}, "'default' not found"),
    "two bindings": (
        {"devices": {"interfaces": [{"name": "default", "masquerade": {}, "bridge": {}}]}},
        "logical default interface must have exactly one binding method",
    ),
    "unknown eviction strategy": ({"evictionStrategy": "Bogus"}, "is set with an unrecognized option: Bogus"),
    "two probe types": (
        {"livenessProbe": {"guestAgentPing": {}, "exec": {"command": ["true"]}}},
        "must have exactly one probe type set",
    ),
    "probe without a handler": (
        {"readinessProbe": {"periodSeconds": 5}},
        "must be set if a readinessProbe is specified",
    ),
    "host devices without their gate": ({"devices": {"hostDevices": [{"name": "gpu"}]}}, "feature gate is not enabled"),
    "unknown affinity operator": (
        {
            "affinity": {
                "nodeAffinity": {
                    "requiredDuringSchedulingIgnoredDuringExecution": {
                        "nodeSelectorTerms": [{"matchExpressions": [{"key": "a", "operator": "Is", "values": ["b"]}]}]
                    }
                }
            }
        },
        "unsupported operator",
    ),
}


@pytest.mark.parametrize("case", _TEMPLATE_REFUSALS)
async def test_wrong_templates_are_refused(cluster: Cluster, case: str) -> None:
    template, message = _TEMPLATE_REFUSALS[case]
    with pytest.raises(ApiError, match=message) as refused:
        await cluster.create_vm("web", **template)
    assert refused.value.status == 422


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"running": True}, "Running and RunStrategy are mutually exclusive"),
        ({"runStrategy": None}, "RunStrategy must be specified"),
        ({"runStrategy": "Sometimes"}, r"Invalid RunStrategy \(Sometimes\)"),
        ({"template": None}, "missing virtual machine template"),
    ],
)
async def test_wrong_vms_are_refused(cluster: Cluster, change: dict[str, Any], message: str) -> None:
    wrong = vm("web")
    wrong["spec"].update(change)
    wrong["spec"] = {field: value for field, value in wrong["spec"].items() if value is not None}
    with pytest.raises(ApiError, match=message) as refused:
        await cluster.api.post(VMS, wrong)
    assert refused.value.status == 422


async def test_reserved_labels_and_too_much_memory_are_refused(cluster: Cluster) -> None:
    labelled = vm("web")
    labelled["spec"]["template"]["metadata"]["labels"] = {"kubevirt.io/mine": "yes"}
    with pytest.raises(ApiError, match=r"reserved kubevirt\.io/ labels"):
        await cluster.api.post(VMS, labelled)
    greedy = vm("web")
    resources = {"requests": {"memory": "2Gi"}, "limits": {"memory": "1Gi"}}
    greedy["spec"]["template"]["spec"]["domain"]["resources"] = resources
    with pytest.raises(ApiError, match=r"requests.memory '2Gi' is greater"):
        await cluster.api.post(VMS, greedy)


async def test_what_goes_wrong_later_is_accepted_now(cluster: Cluster) -> None:
    watchdog = {"watchdog": {"name": "dog", "i6300esb": {"action": "bark"}}}
    await cluster.create_vm("dog", devices=watchdog)
    await cluster.create_vm("nowhere", nodeSelector={"a": "b"})
    await cluster.create_vm("important", priorityClassName="nope")
    await cluster.create_vm("claim", volumes=[{"name": "a", "persistentVolumeClaim": {"claimName": "nope"}}])


async def test_a_vmi_belongs_to_kubevirt(cluster: Cluster) -> None:
    await cluster.running_vm("web")
    path = f"{VMIS}/web"
    with pytest.raises(ApiError, match="update of VMI object is restricted") as refused:
        await cluster.api.patch(path, {"spec": {"evictionStrategy": "LiveMigrate"}})
    assert refused.value.status == 422
    with pytest.raises(ApiError, match="reserved"):
        await cluster.api.patch(path, {"metadata": {"labels": {"kubevirt.io/nodeName": "elsewhere"}}})
    assert (await cluster.api.patch(path, {"status": {"phase": "Failed"}}))["status"]["phase"] == "Running"
    changed = await cluster.api.patch(path, {"metadata": {"labels": {"mine": "yes"}, "annotations": {"a": "b"}}})
    assert changed["metadata"]["labels"]["mine"] == "yes"


async def test_wrong_migrations_are_refused(cluster: Cluster) -> None:
    with pytest.raises(ApiError, match="does not exist") as refused:
        await cluster.migrate("nobody", "move")
    assert refused.value.status == 400
    await cluster.running_vm("web")
    with pytest.raises(ApiError, match="priority") as refused:
        await cluster.migrate("web", "move", spec={"priority": "system-critical"})
    assert refused.value.status == 422
    with pytest.raises(ApiError, match="vmiName is missing"):
        await cluster.migrate("", "move")
    await cluster.running_vm("bridged", devices={"interfaces": [{"name": "default", "bridge": {}}]})
    with pytest.raises(ApiError, match="Cannot migrate VMI, Reason: InterfaceNotLiveMigratable") as refused:
        await cluster.migrate("bridged", "move")
    assert refused.value.status == 400
    assert await cluster.subresource("bridged", "migrate") == 500
    await cluster.running_vm("dead", "Manual")
    cluster.kubevirt.faults.crash_guest("default", "dead")
    await cluster.until(lambda: cluster.phase("dead"), "Failed")
    with pytest.raises(ApiError, match="finalized state"):
        await cluster.migrate("dead", "move")


_BRIDGE = {"devices": {"interfaces": [{"name": "default", "bridge": {}}]}}


@pytest.mark.parametrize(
    ("strategy", "template", "status", "outcome"),
    [
        ("None", {}, 201, "restarts"),
        ("LiveMigrate", {}, 429, "migrates"),
        ("LiveMigrate", _BRIDGE, 429, "stays"),
        ("LiveMigrateIfPossible", {}, 429, "migrates"),
        ("LiveMigrateIfPossible", _BRIDGE, 201, "restarts"),
        ("External", {}, 429, "waits"),
    ],
)
async def test_evictions(cluster: Cluster, strategy: str, template: dict[str, Any], status: int, outcome: str) -> None:
    node = await cluster.running_vm("web", evictionStrategy=strategy, **template)
    before = await cluster.uid("web")
    assert await _evict(cluster, dry_run=True) == status
    assert "evacuationNodeName" not in (await cluster.vmi("web"))["status"]
    assert await _evict(cluster) == status
    if outcome == "restarts":
        await cluster.until(lambda: _restarted(cluster, before), True)
        return
    if outcome == "migrates":
        await cluster.until(lambda: _node(cluster), cluster.hardware.peer(node))
        await cluster.until(lambda: _evacuation(cluster), "")
        found = (await cluster.api.get(MIGRATIONS))["items"]
        assert [one["spec"].get("priority") for one in found] == ["system-critical"]
    else:
        await cluster.holds(lambda: _node(cluster), node, 1.5)
        assert (await cluster.api.get(MIGRATIONS))["items"] == []
    if outcome == "waits":
        await cluster.until(lambda: cluster.condition("web", "EvictionRequested"), "True")
        assert await cluster.subresource("web", "evacuate/cancel", kind="virtualmachineinstances") == 200
        await cluster.until(lambda: _evacuation(cluster), "")
    assert await cluster.uid("web") == before


async def test_a_cancelled_evacuation_stays_marked_and_is_not_tried_again_soon(cluster: Cluster) -> None:
    node = await cluster.running_vm("web", evictionStrategy="LiveMigrate")
    cluster.kubevirt.faults.set_migrations("stall")
    assert await _evict(cluster) == 429
    await cluster.until(lambda: cluster.vm_word("web"), "Migrating")
    (migration,) = (await cluster.api.get(MIGRATIONS))["items"]
    await cluster.api.delete(f"{MIGRATIONS}/{migration['metadata']['name']}")
    await cluster.until(lambda: cluster.migration_phase(migration["metadata"]["name"]), "gone")
    await cluster.holds(lambda: _evacuation(cluster), node, 3)
    assert (await cluster.api.get(MIGRATIONS))["items"] == []


async def test_failed_evacuations_back_off(cluster: Cluster) -> None:
    node = await cluster.running_vm("web", evictionStrategy="LiveMigrate")
    cluster.kubevirt.faults.set_migrations("fail")
    assert await _evict(cluster) == 429
    await cluster.until(lambda: _evacuation_phases(cluster), ["Failed", "Pending"])
    cluster.kubevirt.faults.set_migrations("normal")
    await cluster.holds(lambda: _evacuation_phases(cluster), ["Failed", "Pending"], 3)
    assert await _node(cluster) == node


async def test_the_drain_taint_evacuates(cluster: Cluster) -> None:
    node = await cluster.running_vm("web", evictionStrategy="LiveMigrate")
    taint = {"key": "kubevirt.io/drain", "effect": "NoSchedule"}
    await cluster.api.patch(f"{NODES}/{node}", {"spec": {"taints": [taint]}})
    await cluster.until(lambda: _node(cluster), cluster.hardware.peer(node))


async def test_the_codes_of_vm_subresources(cluster: Cluster) -> None:
    for name, strategy in (("always", "Always"), ("manual", "Manual"), ("rerun", "RerunOnFailure"), ("once", "Once")):
        await cluster.running_vm(name, strategy)
    await cluster.create_vm("halted", "Halted")
    await cluster.until(lambda: cluster.vm_word("halted"), "Stopped")
    expected = {
        ("always", "start", "VM is already running"): 409,
        ("once", "restart", "Once does not support manual restart requests"): 409,
        ("halted", "restart", "Halted does not support manual restart requests"): 409,
        ("halted", "stop", "VM is not running"): 409,
        ("nobody", "start", "not found"): 404,
        ("always", "explode", ""): 404,
    }
    for (name, verb, message), status in expected.items():
        seen, text = await cluster.put(name, verb)
        assert (seen, message in text) == (status, True), (name, verb, text)
    assert await cluster.put("manual", "stop") == (202, "")
    await cluster.until(lambda: cluster.phase("manual"), "")
    assert await cluster.subresource("manual", "stop") == 409
    assert "VM is not running: Halted" in (await cluster.put("manual", "restart"))[1]
    assert await cluster.subresource("manual", "start") == 202
    await cluster.until(lambda: cluster.vm_word("manual"), "Running")
    assert await cluster.subresource("rerun", "restart", {"gracePeriodSeconds": 7}) == 400


async def test_stop_and_start_rewrite_the_strategy_of_always_and_halted(cluster: Cluster) -> None:
    await cluster.running_vm("web")
    assert await cluster.subresource("web", "stop") == 202
    await cluster.until(lambda: cluster.phase("web"), "")
    assert (await cluster.vm("web"))["spec"]["runStrategy"] == "Halted"
    assert await cluster.subresource("web", "start") == 202
    assert (await cluster.vm("web"))["spec"]["runStrategy"] == "Always"
    await cluster.until(lambda: cluster.vm_word("web"), "Running")
    assert await cluster.subresource("web", "restart") == 202
    assert await cluster.subresource("web", "restart") == 500
    assert (await cluster.vm("web"))["spec"]["runStrategy"] == "Always"


async def test_dry_run_counts_in_the_body_only(cluster: Cluster) -> None:
    await cluster.running_vm("web")
    before = await cluster.uid("web")
    assert await cluster.subresource("web", "restart", {"dryRun": ["All"]}) == 202
    await cluster.holds(lambda: cluster.uid("web"), before, 1)
    assert await cluster.subresource("web", "restart?dryRun=All") == 202
    await cluster.until(lambda: _restarted(cluster, before), True)


async def test_accept_method_and_rights(cluster: Cluster) -> None:
    await cluster.running_vm("web")
    path = f"{SUBRESOURCES}/virtualmachines/web/restart"
    assert (await cluster.call("PUT", path, accept="application/json"))[0] == 406
    assert (await cluster.call("POST", path))[0] == 405
    async with await cluster.control_plane.client_for("nobody") as nobody:
        assert (await cluster.call("PUT", path, api=nobody))[0] == 403
    rule = {"apiGroups": ["subresources.kubevirt.io"], "resources": ["virtualmachines/restart"], "verbs": ["update"]}
    await _grant(cluster, "restarter", rule)
    async with await cluster.control_plane.client_for("restarter") as restarter:
        stop = f"{SUBRESOURCES}/virtualmachines/web/stop"
        assert (await cluster.call("PUT", stop, api=restarter))[0] == 403
        assert (await cluster.call("PUT", path, api=restarter))[0] == 202


async def test_the_codes_of_vmi_subresources(cluster: Cluster) -> None:
    node = await cluster.running_vm("web")
    kind = "virtualmachineinstances"
    assert await cluster.subresource("web", "unpause", kind=kind) == 409
    assert await cluster.subresource("web", "pause", kind=kind) == 200
    await cluster.until(lambda: cluster.vm_word("web"), "Paused")
    assert await cluster.subresource("web", "pause", kind=kind) == 409
    assert await cluster.subresource("web", "unpause", kind=kind) == 200
    await cluster.until(lambda: cluster.condition("web", "AgentConnected"), "True")
    status, body = await cluster.call("GET", f"{SUBRESOURCES}/{kind}/web/guestosinfo")
    assert (status, '"hostname": "web"' in body) == (200, True)
    assert await cluster.subresource("web", "softreboot", kind=kind) == 200
    await cluster.until(lambda: cluster.condition("web", "AgentConnected"), "")
    await cluster.until(lambda: cluster.condition("web", "AgentConnected"), "True")
    assert await cluster.subresource("nobody", "pause", kind=kind) == 404
    await cluster.hardware.power_cut(node)
    assert await cluster.subresource("web", "pause", kind=kind) == 500


async def test_printer_columns_and_the_missing_status_subresource(cluster: Cluster) -> None:
    await cluster.running_vm("web")
    shown = await cluster.control_plane.kubectl("get", "vm,vmi")
    assert "Running" in shown
    assert "NODENAME" in shown
    assert (await cluster.call("PATCH", f"{VMIS}/web/status"))[0] == 404


async def _evict(cluster: Cluster, dry_run: bool = False) -> int:
    (pod,) = [one for one in await cluster.pods("web") if one["status"]["phase"] == "Running"]
    name = pod["metadata"]["name"]
    options = {"deleteOptions": {"dryRun": ["All"]}} if dry_run else {}
    body: Object = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}, **options}
    return (await cluster.call("POST", f"{PODS}/{name}/eviction", body))[0]


async def _evacuation_phases(cluster: Cluster) -> list[str]:
    return sorted((one.get("status") or {}).get("phase", "") for one in (await cluster.api.get(MIGRATIONS))["items"])


async def _grant(cluster: Cluster, user: str, rule: Object) -> None:
    group = "rbac.authorization.k8s.io"
    role = {"apiVersion": f"{group}/v1", "kind": "ClusterRole", "metadata": {"name": user}, "rules": [rule]}
    await cluster.api.post(f"/apis/{group}/v1/clusterroles", role)
    reference = {"apiGroup": group, "kind": "ClusterRole", "name": user}
    subject = {"apiGroup": group, "kind": "User", "name": user}
    binding = {"apiVersion": f"{group}/v1", "kind": "ClusterRoleBinding", "metadata": {"name": user}}
    await cluster.api.post(
        f"/apis/{group}/v1/clusterrolebindings", {**binding, "roleRef": reference, "subjects": [subject]}
    )


async def _node(cluster: Cluster) -> str:
    return str((await cluster.vmi("web"))["status"]["nodeName"])


async def _evacuation(cluster: Cluster) -> str:
    return str((await cluster.vmi("web"))["status"].get("evacuationNodeName", ""))


async def _restarted(cluster: Cluster, before: str) -> bool:
    return await cluster.uid("web") not in ("", before) and await cluster.phase("web") == "Running"
