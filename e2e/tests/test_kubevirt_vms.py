"""Run strategies, guest failures and start backoff of the KubeVirt stand-in are those of the real one."""

import asyncio

import pytest

from e2e.tests.kubevirt_lab import NODES, PODS, VMIS, VMS, Lab, cluster, lab  # noqa: F401

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(120)]


async def test_defaults_are_set_once_and_kept(lab: Lab) -> None:
    await lab.running_vm("web")
    spec = (await lab.vm("web"))["spec"]["template"]["spec"]
    assert spec["architecture"] == "amd64"
    assert spec["domain"]["machine"]["type"] == "q35"
    vmi = await lab.vmi("web")
    assert vmi["spec"]["domain"]["firmware"] == spec["domain"]["firmware"]
    assert vmi["spec"]["domain"]["memory"]["maxGuest"] == "4096Mi"
    assert vmi["spec"]["evictionStrategy"] == "None"
    assert set(vmi["metadata"]["finalizers"]) == {
        "kubevirt.io/foregroundDeleteVirtualMachine",
        "kubevirt.io/virtualMachineControllerFinalize",
    }


async def test_the_launcher_pod_asks_for_the_guest_and_its_overhead(lab: Lab) -> None:
    node = await lab.running_vm("web")
    (pod,) = await lab.pods("web")
    assert pod["spec"]["containers"][0]["resources"]["requests"]["memory"] == "1312Mi"
    assert pod["spec"]["nodeSelector"]["kubevirt.io/schedulable"] == "true"
    assert pod["spec"]["terminationGracePeriodSeconds"] == 60
    assert pod["metadata"]["labels"]["kubevirt.io/created-by"] == await lab.uid("web")
    assert (await lab.vmi("web"))["metadata"]["labels"]["kubevirt.io/nodeName"] == node


@pytest.mark.parametrize(
    ("strategy", "restarts"), [("Always", True), ("RerunOnFailure", False), ("Manual", False), ("Once", False)]
)
async def test_a_guest_that_shuts_itself_down(lab: Lab, strategy: str, restarts: bool) -> None:
    await lab.running_vm("web", strategy)
    before = await lab.uid("web")
    lab.kubevirt.faults.shutdown_guest("default", "web")
    if restarts:
        await lab.until(lambda: _restarted(lab, "web", before), True)
    else:
        await lab.until(lambda: lab.vm_word("web"), "Stopped")
        await lab.holds(lambda: lab.vm_word("web"), "Stopped", 1)


@pytest.mark.parametrize(
    ("strategy", "restarts"), [("Always", True), ("RerunOnFailure", True), ("Manual", False), ("Once", False)]
)
async def test_a_guest_that_crashes(lab: Lab, strategy: str, restarts: bool) -> None:
    await lab.running_vm("web", strategy)
    before = await lab.uid("web")
    lab.kubevirt.faults.crash_guest("default", "web")
    if restarts:
        await lab.until(lambda: _restarted(lab, "web", before), True)
    else:
        await lab.until(lambda: lab.phase("web"), "Failed")
        await lab.holds(lambda: lab.uid("web"), before, 1)
        assert await lab.vm_word("web") == "Stopped"
        (pod,) = await lab.pods("web")
        await lab.until(lambda: _pod_phase(lab, pod["metadata"]["name"]), "Succeeded")


async def test_a_crash_loop_after_having_run_is_restarted_at_once_for_ever(lab: Lab) -> None:
    await lab.running_vm("web")
    for _ in range(3):
        before = await lab.uid("web")
        lab.kubevirt.faults.crash_guest("default", "web")
        assert await lab.until(lambda before=before: _restarted(lab, "web", before), True) < 3  # type: ignore[misc]
    assert "startFailure" not in (await lab.vm("web"))["status"]


async def test_a_halted_vm_does_not_start_and_once_runs_once(lab: Lab) -> None:
    await lab.create_vm("web", "Halted")
    await lab.until(lambda: lab.vm_word("web"), "Stopped")
    await lab.holds(lambda: lab.phase("web"), "", 0.5)
    assert "runStrategy" not in (await lab.vm("web"))["status"]
    await lab.api.patch(f"{VMS}/web", {"spec": {"runStrategy": "Once"}})
    await lab.until(lambda: lab.vm_word("web"), "Running")
    assert (await lab.vm("web"))["status"]["runStrategy"] == "Once"


async def test_a_failed_manual_vm_waits_for_restart(lab: Lab) -> None:
    await lab.running_vm("web", "Manual")
    lab.kubevirt.faults.crash_guest("default", "web")
    await lab.until(lambda: lab.phase("web"), "Failed")
    assert await lab.put("web", "stop") == (409, await _message(lab, "web", "stop"))
    assert await lab.subresource("web", "restart") == 202
    await lab.until(lambda: lab.vm_word("web"), "Running")


async def test_failing_before_running_backs_off_and_clearing_the_status_ends_it(lab: Lab) -> None:
    lab.kubevirt.faults.set_boot("fail", vm=("default", "web"))
    await lab.create_vm("web")
    await lab.until(lambda: lab.vm_word("web"), "CrashLoopBackOff")
    failure = (await lab.vm("web"))["status"]["startFailure"]
    assert failure["consecutiveFailCount"] == 1
    await lab.until(lambda: lab.phase("web"), "")
    assert await lab.subresource("web", "restart") == 409
    assert await lab.subresource("web", "start") == 409
    await lab.holds(lambda: lab.vm_word("web"), "CrashLoopBackOff", 2)
    lab.kubevirt.faults.set_boot("normal", vm=("default", "web"))
    await lab.api.patch(f"{VMS}/web/status", {"status": {"startFailure": None}})
    assert await lab.until(lambda: lab.vm_word("web"), "Running") < 3


async def test_a_hung_guest_hangs_for_ever_unless_somebody_watches(lab: Lab) -> None:
    await lab.running_vm("web")
    probe = {"guestAgentPing": {}, "periodSeconds": 1, "failureThreshold": 2}
    await lab.running_vm("probed", livenessProbe=probe, terminationGracePeriodSeconds=1)
    before = await lab.uid("probed")
    lab.kubevirt.faults.hang_guest("default", "web")
    lab.kubevirt.faults.hang_guest("default", "probed")
    await lab.until(lambda: lab.condition("web", "AgentConnected"), "")
    await lab.until(lambda: _restarted(lab, "probed", before), True, 30)
    assert await lab.vm_word("web") == "Running"
    assert await lab.condition("web", "Ready") == "True"


async def test_a_panic_shows_as_failure_only_with_a_panic_device(lab: Lab) -> None:
    await lab.running_vm("plain")
    await lab.running_vm("seen", devices={"panicDevices": [{"model": "pvpanic"}]})
    before = await lab.uid("seen")
    lab.kubevirt.faults.panic_guest("default", "plain")
    lab.kubevirt.faults.panic_guest("default", "seen")
    await lab.until(lambda: _restarted(lab, "seen", before), True)
    assert await lab.vm_word("plain") == "Running"


async def test_an_io_error_pauses_the_guest_and_takes_readiness(lab: Lab) -> None:
    await lab.running_vm("web")
    lab.kubevirt.faults.io_error("default", "web")
    await lab.until(lambda: lab.vm_word("web"), "Paused")
    await lab.until(lambda: lab.condition("web", "Ready"), "False")
    assert await lab.phase("web") == "Running"
    lab.kubevirt.faults.heal_io("default", "web")
    await lab.until(lambda: lab.condition("web", "Ready"), "True")


async def test_a_guest_that_ignores_acpi_is_destroyed_after_its_grace(lab: Lab) -> None:
    await lab.running_vm("web", terminationGracePeriodSeconds=3)
    lab.kubevirt.faults.ignore_acpi("default", "web")
    before = await lab.uid("web")
    assert await lab.subresource("web", "restart") == 202
    await lab.until(lambda: lab.vm_word("web"), "Stopping")
    took = await lab.until(lambda: _restarted(lab, "web", before), True)
    assert 3 < took < 6
    before = await lab.uid("web")
    assert await lab.subresource("web", "restart", {"gracePeriodSeconds": 0}) == 202
    assert await lab.until(lambda: _restarted(lab, "web", before), True) < 2.5
    assert await lab.subresource("web", "stop", {"gracePeriod": 0}) == 202
    assert await lab.until(lambda: lab.phase("web"), "") < 1.5
    lab.kubevirt.faults.ignore_acpi("default", "web", ignores=False)


async def test_a_plain_pod_delete_is_a_graceful_shutdown(lab: Lab) -> None:
    await lab.running_vm("web", "RerunOnFailure")
    (pod,) = await lab.pods("web")
    await lab.api.delete(f"{PODS}/{pod['metadata']['name']}")
    await lab.until(lambda: lab.vm_word("web"), "Stopped")
    await lab.until(lambda: lab.phase("web"), "")
    assert lab.kubevirt.ledger.history()[-1]["ended_by"] == "shut down by the guest"
    await lab.holds(lambda: lab.vm_word("web"), "Stopped", 1)


async def test_live_updates_reach_the_vmi_and_other_edits_ask_for_a_restart(lab: Lab) -> None:
    node = await lab.running_vm("web")
    selector = {"kubernetes.io/hostname": "nowhere"}
    await lab.api.patch(f"{VMS}/web", {"spec": {"template": {"spec": {"nodeSelector": selector}}}})
    await lab.until(lambda: _spec(lab, "web", "nodeSelector"), selector)
    assert await _restart_required(lab, "web") == ""
    assert (await lab.vmi("web"))["status"]["nodeName"] == node
    await lab.api.patch(f"{VMS}/web", {"spec": {"template": {"spec": {"evictionStrategy": "LiveMigrate"}}}})
    await lab.until(lambda: _restart_required(lab, "web"), "True")
    assert await _spec(lab, "web", "evictionStrategy") == "None"
    await lab.api.patch(f"{VMS}/web", {"spec": {"template": {"spec": {"evictionStrategy": None}}}})
    await lab.until(lambda: _restart_required(lab, "web"), "")


async def test_a_missing_claim_and_an_unknown_priority_class_show_late(lab: Lab) -> None:
    volumes = [{"name": "root", "persistentVolumeClaim": {"claimName": "nope"}}]
    await lab.create_vm("web", devices={"disks": [{"name": "root", "disk": {"bus": "virtio"}}]}, volumes=volumes)
    await lab.until(lambda: lab.vm_word("web"), "ErrorPvcNotFound")
    await lab.create_vm("important", priorityClassName="nope")
    await lab.until(lambda: lab.condition("important", "Synchronized"), "False")
    assert await lab.vm_word("important") == "Starting"
    assert await lab.phase("important") == "Pending"


async def test_a_vm_that_fits_nowhere_is_unschedulable(lab: Lab) -> None:
    await lab.create_vm("web", nodeSelector={"nowhere": "true"})
    await lab.until(lambda: lab.vm_word("web"), "ErrorUnschedulable")


async def test_an_operators_label_closes_a_node_to_vms_only(lab: Lab) -> None:
    for node in ("node-a", "node-b"):
        await lab.api.patch(f"{NODES}/{node}", {"metadata": {"labels": {"kubevirt.io/schedulable": "false"}}})
    try:
        await lab.create_vm("web")
        await lab.until(lambda: lab.vm_word("web"), "ErrorUnschedulable")
    finally:
        for node in ("node-a", "node-b"):
            await lab.api.patch(f"{NODES}/{node}", {"metadata": {"labels": {"kubevirt.io/schedulable": "true"}}})
    await lab.until(lambda: lab.vm_word("web"), "Running")


async def test_without_virt_controller_nothing_moves(lab: Lab) -> None:
    await lab.running_vm("web")
    before = await lab.uid("web")
    lab.kubevirt.faults.controller_down(True)
    lab.kubevirt.faults.crash_guest("default", "web")
    await lab.until(lambda: lab.phase("web"), "Failed")
    await asyncio.sleep(0.5)
    assert await lab.uid("web") == before
    lab.kubevirt.faults.controller_down(False)
    await lab.until(lambda: _restarted(lab, "web", before), True)


async def test_a_default_network_stands_in_the_way_of_live_migration(lab: Lab) -> None:
    await lab.api.post(VMS, {
        "apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "metadata": {"name": "web"},
        "spec": {"runStrategy": "Always", "template": {"spec": {"domain": {"memory": {"guest": "512Mi"}}}}},
    })  # fmt: skip
    await lab.until(lambda: lab.vm_word("web"), "Running")
    conditions = (await lab.api.get(f"{VMIS}/web"))["status"]["conditions"]
    (found,) = [one for one in conditions if one["type"] == "LiveMigratable"]
    assert (found["status"], found["reason"]) == ("False", "InterfaceNotLiveMigratable")


async def _restarted(lab: Lab, name: str, before: str) -> bool:
    return await lab.uid(name) not in ("", before) and await lab.vm_word(name) == "Running"


async def _pod_phase(lab: Lab, name: str) -> str:
    return str((await lab.api.get(f"{PODS}/{name}"))["status"]["phase"])


async def _message(lab: Lab, name: str, verb: str) -> str:
    answer = (await lab.put(name, verb))[1]
    assert "VM is not running" in answer
    return answer


async def _spec(lab: Lab, name: str, field: str) -> object:
    return (await lab.vmi(name))["spec"].get(field)


async def _restart_required(lab: Lab, name: str) -> str:
    conditions = (await lab.vm(name))["status"].get("conditions") or []
    return next((str(one["status"]) for one in conditions if one["type"] == "RestartRequired"), "")
