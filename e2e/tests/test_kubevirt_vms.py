"""Run strategies, guest failures and start backoff of the KubeVirt stand-in are those of the real one."""

import asyncio

import pytest

from e2e.tests.kubevirt_cluster import NODES, PODS, VMIS, VMS, Cluster

pytest_plugins = ("e2e.tests.kubevirt_fixtures",)
pytestmark = pytest.mark.timeout(120)


async def test_defaults_are_set_once_and_kept(cluster: Cluster) -> None:
    await cluster.running_vm("web")
    spec = (await cluster.vm("web"))["spec"]["template"]["spec"]
    assert spec["architecture"] == "amd64"
    assert spec["domain"]["machine"]["type"] == "q35"
    vmi = await cluster.vmi("web")
    assert vmi["spec"]["domain"]["firmware"] == spec["domain"]["firmware"]
    assert vmi["spec"]["domain"]["memory"]["maxGuest"] == "4096Mi"
    assert vmi["spec"]["evictionStrategy"] == "None"
    assert set(vmi["metadata"]["finalizers"]) == {
        "kubevirt.io/foregroundDeleteVirtualMachine",
        "kubevirt.io/virtualMachineControllerFinalize",
    }


async def test_the_launcher_pod_asks_for_the_guest_and_its_overhead(cluster: Cluster) -> None:
    node = await cluster.running_vm("web")
    (pod,) = await cluster.pods("web")
    assert pod["spec"]["containers"][0]["resources"]["requests"]["memory"] == "1312Mi"
    assert pod["spec"]["nodeSelector"]["kubevirt.io/schedulable"] == "true"
    assert pod["spec"]["terminationGracePeriodSeconds"] == 60
    assert pod["metadata"]["labels"]["kubevirt.io/created-by"] == await cluster.uid("web")
    assert (await cluster.vmi("web"))["metadata"]["labels"]["kubevirt.io/nodeName"] == node


@pytest.mark.parametrize(
    ("strategy", "restarts"), [("Always", True), ("RerunOnFailure", False), ("Manual", False), ("Once", False)]
)
async def test_a_guest_that_shuts_itself_down(cluster: Cluster, strategy: str, restarts: bool) -> None:
    await cluster.running_vm("web", strategy)
    before = await cluster.uid("web")
    cluster.kubevirt.faults.shutdown_guest("default", "web")
    if restarts:
        await cluster.until(lambda: _restarted(cluster, "web", before), True)
    else:
        await cluster.until(lambda: cluster.vm_word("web"), "Stopped")
        await cluster.holds(lambda: cluster.vm_word("web"), "Stopped", 1)


@pytest.mark.parametrize(
    ("strategy", "restarts"), [("Always", True), ("RerunOnFailure", True), ("Manual", False), ("Once", False)]
)
async def test_a_guest_that_crashes(cluster: Cluster, strategy: str, restarts: bool) -> None:
    await cluster.running_vm("web", strategy)
    before = await cluster.uid("web")
    cluster.kubevirt.faults.crash_guest("default", "web")
    if restarts:
        await cluster.until(lambda: _restarted(cluster, "web", before), True)
    else:
        await cluster.until(lambda: cluster.phase("web"), "Failed")
        await cluster.holds(lambda: cluster.uid("web"), before, 1)
        assert await cluster.vm_word("web") == "Stopped"
        (pod,) = await cluster.pods("web")
        await cluster.until(lambda: _pod_phase(cluster, pod["metadata"]["name"]), "Succeeded")


async def test_a_crash_loop_after_having_run_is_restarted_at_once_for_ever(cluster: Cluster) -> None:
    await cluster.running_vm("web")
    for _ in range(3):
        before = await cluster.uid("web")
        cluster.kubevirt.faults.crash_guest("default", "web")
        assert await cluster.until(lambda before=before: _restarted(cluster, "web", before), True) < 3  # type: ignore[misc]
    assert "startFailure" not in (await cluster.vm("web"))["status"]


async def test_a_halted_vm_does_not_start_and_once_runs_once(cluster: Cluster) -> None:
    await cluster.create_vm("web", "Halted")
    await cluster.until(lambda: cluster.vm_word("web"), "Stopped")
    await cluster.holds(lambda: cluster.phase("web"), "", 0.5)
    assert "runStrategy" not in (await cluster.vm("web"))["status"]
    await cluster.api.patch(f"{VMS}/web", {"spec": {"runStrategy": "Once"}})
    await cluster.until(lambda: cluster.vm_word("web"), "Running")
    assert (await cluster.vm("web"))["status"]["runStrategy"] == "Once"


async def test_a_failed_manual_vm_waits_for_restart(cluster: Cluster) -> None:
    await cluster.running_vm("web", "Manual")
    cluster.kubevirt.faults.crash_guest("default", "web")
    await cluster.until(lambda: cluster.phase("web"), "Failed")
    assert await cluster.put("web", "stop") == (409, await _message(cluster, "web", "stop"))
    assert await cluster.subresource("web", "restart") == 202
    await cluster.until(lambda: cluster.vm_word("web"), "Running")


async def test_failing_before_running_backs_off_and_clearing_the_status_ends_it(cluster: Cluster) -> None:
    cluster.kubevirt.faults.set_boot("fail", vm=("default", "web"))
    await cluster.create_vm("web")
    await cluster.until(lambda: cluster.vm_word("web"), "CrashLoopBackOff")
    failure = (await cluster.vm("web"))["status"]["startFailure"]
    assert failure["consecutiveFailCount"] == 1
    await cluster.until(lambda: cluster.phase("web"), "")
    assert await cluster.subresource("web", "restart") == 409
    assert await cluster.subresource("web", "start") == 409
    await cluster.holds(lambda: cluster.vm_word("web"), "CrashLoopBackOff", 2)
    cluster.kubevirt.faults.set_boot("normal", vm=("default", "web"))
    await cluster.api.patch(f"{VMS}/web/status", {"status": {"startFailure": None}})
    assert await cluster.until(lambda: cluster.vm_word("web"), "Running") < 3


async def test_a_hung_guest_hangs_for_ever_unless_somebody_watches(cluster: Cluster) -> None:
    await cluster.running_vm("web")
    probe = {"guestAgentPing": {}, "periodSeconds": 1, "failureThreshold": 2}
    await cluster.running_vm("probed", livenessProbe=probe, terminationGracePeriodSeconds=1)
    before = await cluster.uid("probed")
    cluster.kubevirt.faults.hang_guest("default", "web")
    cluster.kubevirt.faults.hang_guest("default", "probed")
    await cluster.until(lambda: cluster.condition("web", "AgentConnected"), "")
    await cluster.until(lambda: _restarted(cluster, "probed", before), True, 30)
    assert await cluster.vm_word("web") == "Running"
    assert await cluster.condition("web", "Ready") == "True"


async def test_a_panic_shows_as_failure_only_with_a_panic_device(cluster: Cluster) -> None:
    await cluster.running_vm("plain")
    await cluster.running_vm("seen", devices={"panicDevices": [{"model": "pvpanic"}]})
    before = await cluster.uid("seen")
    cluster.kubevirt.faults.panic_guest("default", "plain")
    cluster.kubevirt.faults.panic_guest("default", "seen")
    await cluster.until(lambda: _restarted(cluster, "seen", before), True)
    assert await cluster.vm_word("plain") == "Running"


async def test_an_io_error_pauses_the_guest_and_takes_readiness(cluster: Cluster) -> None:
    await cluster.running_vm("web")
    cluster.kubevirt.faults.io_error("default", "web")
    await cluster.until(lambda: cluster.vm_word("web"), "Paused")
    await cluster.until(lambda: cluster.condition("web", "Ready"), "False")
    assert await cluster.phase("web") == "Running"
    cluster.kubevirt.faults.heal_io("default", "web")
    await cluster.until(lambda: cluster.condition("web", "Ready"), "True")


async def test_a_guest_that_ignores_acpi_is_destroyed_after_its_grace(cluster: Cluster) -> None:
    await cluster.running_vm("web", terminationGracePeriodSeconds=3)
    cluster.kubevirt.faults.ignore_acpi("default", "web")
    before = await cluster.uid("web")
    assert await cluster.subresource("web", "restart") == 202
    await cluster.until(lambda: cluster.vm_word("web"), "Stopping")
    took = await cluster.until(lambda: _restarted(cluster, "web", before), True)
    assert 3 < took < 6
    before = await cluster.uid("web")
    assert await cluster.subresource("web", "restart", {"gracePeriodSeconds": 0}) == 202
    assert await cluster.until(lambda: _restarted(cluster, "web", before), True) < 2.5
    assert await cluster.subresource("web", "stop", {"gracePeriod": 0}) == 202
    assert await cluster.until(lambda: cluster.phase("web"), "") < 1.5
    cluster.kubevirt.faults.ignore_acpi("default", "web", ignores=False)


async def test_a_plain_pod_delete_is_a_graceful_shutdown(cluster: Cluster) -> None:
    await cluster.running_vm("web", "RerunOnFailure")
    (pod,) = await cluster.pods("web")
    await cluster.api.delete(f"{PODS}/{pod['metadata']['name']}")
    await cluster.until(lambda: cluster.vm_word("web"), "Stopped")
    await cluster.until(lambda: cluster.phase("web"), "")
    assert cluster.kubevirt.ledger.history()[-1]["ended_by"] == "shut down by the guest"
    await cluster.holds(lambda: cluster.vm_word("web"), "Stopped", 1)


async def test_live_updates_reach_the_vmi_and_other_edits_ask_for_a_restart(cluster: Cluster) -> None:
    node = await cluster.running_vm("web")
    selector = {"kubernetes.io/hostname": "nowhere"}
    await cluster.api.patch(f"{VMS}/web", {"spec": {"template": {"spec": {"nodeSelector": selector}}}})
    await cluster.until(lambda: _spec(cluster, "web", "nodeSelector"), selector)
    assert await _restart_required(cluster, "web") == ""
    assert (await cluster.vmi("web"))["status"]["nodeName"] == node
    await cluster.api.patch(f"{VMS}/web", {"spec": {"template": {"spec": {"evictionStrategy": "LiveMigrate"}}}})
    await cluster.until(lambda: _restart_required(cluster, "web"), "True")
    assert await _spec(cluster, "web", "evictionStrategy") == "None"
    await cluster.api.patch(f"{VMS}/web", {"spec": {"template": {"spec": {"evictionStrategy": None}}}})
    await cluster.until(lambda: _restart_required(cluster, "web"), "")


async def test_a_missing_claim_and_an_unknown_priority_class_show_late(cluster: Cluster) -> None:
    volumes = [{"name": "root", "persistentVolumeClaim": {"claimName": "nope"}}]
    await cluster.create_vm("web", devices={"disks": [{"name": "root", "disk": {"bus": "virtio"}}]}, volumes=volumes)
    await cluster.until(lambda: cluster.vm_word("web"), "ErrorPvcNotFound")
    await cluster.create_vm("important", priorityClassName="nope")
    await cluster.until(lambda: cluster.condition("important", "Synchronized"), "False")
    assert await cluster.vm_word("important") == "Starting"
    assert await cluster.phase("important") == "Pending"


async def test_a_vm_that_fits_nowhere_is_unschedulable(cluster: Cluster) -> None:
    await cluster.create_vm("web", nodeSelector={"nowhere": "true"})
    await cluster.until(lambda: cluster.vm_word("web"), "ErrorUnschedulable")


async def test_an_operators_label_closes_a_node_to_vms_only(cluster: Cluster) -> None:
    for node in ("node-a", "node-b"):
        await cluster.api.patch(f"{NODES}/{node}", {"metadata": {"labels": {"kubevirt.io/schedulable": "false"}}})
    try:
        await cluster.create_vm("web")
        await cluster.until(lambda: cluster.vm_word("web"), "ErrorUnschedulable")
    finally:
        for node in ("node-a", "node-b"):
            await cluster.api.patch(f"{NODES}/{node}", {"metadata": {"labels": {"kubevirt.io/schedulable": "true"}}})
    await cluster.until(lambda: cluster.vm_word("web"), "Running")


async def test_without_virt_controller_nothing_moves(cluster: Cluster) -> None:
    await cluster.running_vm("web")
    before = await cluster.uid("web")
    cluster.kubevirt.faults.controller_down(True)
    cluster.kubevirt.faults.crash_guest("default", "web")
    await cluster.until(lambda: cluster.phase("web"), "Failed")
    await asyncio.sleep(0.5)
    assert await cluster.uid("web") == before
    cluster.kubevirt.faults.controller_down(False)
    await cluster.until(lambda: _restarted(cluster, "web", before), True)


async def test_a_default_network_stands_in_the_way_of_live_migration(cluster: Cluster) -> None:
    await cluster.api.post(VMS, {
        "apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "metadata": {"name": "web"},
        "spec": {"runStrategy": "Always", "template": {"spec": {"domain": {"memory": {"guest": "512Mi"}}}}},
    })  # fmt: skip
    await cluster.until(lambda: cluster.vm_word("web"), "Running")
    conditions = (await cluster.api.get(f"{VMIS}/web"))["status"]["conditions"]
    (found,) = [one for one in conditions if one["type"] == "LiveMigratable"]
    assert (found["status"], found["reason"]) == ("False", "InterfaceNotLiveMigratable")


async def _restarted(cluster: Cluster, name: str, before: str) -> bool:
    return await cluster.uid(name) not in ("", before) and await cluster.vm_word(name) == "Running"


async def _pod_phase(cluster: Cluster, name: str) -> str:
    return str((await cluster.api.get(f"{PODS}/{name}"))["status"]["phase"])


async def _message(cluster: Cluster, name: str, verb: str) -> str:
    answer = (await cluster.put(name, verb))[1]
    assert "VM is not running" in answer
    return answer


async def _spec(cluster: Cluster, name: str, field: str) -> object:
    return (await cluster.vmi(name))["spec"].get(field)


async def _restart_required(cluster: Cluster, name: str) -> str:
    conditions = (await cluster.vm(name))["status"].get("conditions") or []
    return next((str(one["status"]) for one in conditions if one["type"] == "RestartRequired"), "")
