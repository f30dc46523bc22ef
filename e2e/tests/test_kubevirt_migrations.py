"""Live migration of the KubeVirt stand-in: phases, limits, time-outs, cancelling, failures, and what a lost node leaves behind."""

import asyncio

import pytest

from e2e.controlplane import ApiError
from e2e.tests.kubevirt_lab import KUBEVIRT, MIGRATIONS, NODES, VMS, Lab, cluster, lab  # noqa: F401

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]

_UNSCHEDULABLE_TIMEOUT = "kubevirt.io/migrationUnschedulablePodTimeoutSeconds"


async def test_a_migration_passes_its_phases_and_executes_on_one_side_only(lab: Lab) -> None:
    source = await lab.running_vm("web")
    uid = await lab.uid("web")
    await lab.migrate("web", "move")
    await lab.until(lambda: lab.vm_word("web"), "Migrating")
    await lab.until(lambda: lab.migration_phase("move"), "Succeeded")
    phases = [one["phase"] for one in (await lab.api.get(f"{MIGRATIONS}/move"))["status"]["phaseTransitionTimestamps"]]
    assert phases == ["Pending", "Scheduling", "Scheduled", "PreparingTarget", "TargetReady", "Running", "Succeeded"]
    vmi = await lab.vmi("web")
    assert vmi["metadata"]["uid"] == uid
    assert vmi["status"]["nodeName"] != source
    assert vmi["metadata"]["labels"]["kubevirt.io/nodeName"] == vmi["status"]["nodeName"]
    ended, running = [run for run in lab.kubevirt.ledger.history() if run["vmi_uid"] == uid]
    assert ended["ended"] == running["started"]
    await lab.until(lambda: _pod_phases(lab, "web"), ["Running", "Succeeded"])


async def test_added_node_selector_reaches_the_target_pod_only_and_the_vms_own_wins(lab: Lab) -> None:
    source = await lab.running_vm("pinned", nodeSelector={"kubernetes.io/hostname": "node-a"})
    assert source == "node-a"
    selector = {"addedNodeSelector": {"kubernetes.io/hostname": "node-b"}}
    await lab.migrate("pinned", "move", spec=selector, annotations={_UNSCHEDULABLE_TIMEOUT: "2"})
    await lab.until(lambda: lab.migration_phase("move"), "Scheduling")
    target = next(pod for pod in await lab.pods("pinned") if not pod["spec"].get("nodeName"))
    assert target["spec"]["nodeSelector"]["kubernetes.io/hostname"] == "node-a"
    took = await lab.until(lambda: lab.migration_phase("move"), "Failed")
    assert took < 5
    assert await lab.vm_word("pinned") == "Running"


async def test_a_stuck_target_waits_without_a_timeout_annotation_and_eats_a_slot(lab: Lab) -> None:
    await _limits(lab, cluster_wide=1, outbound=1)
    await lab.running_vm("stuck", nodeSelector={"kubernetes.io/hostname": "node-a"})
    await lab.running_vm("free")
    await lab.migrate("stuck", "first")
    await lab.until(lambda: lab.migration_phase("first"), "Scheduling")
    await lab.migrate("free", "second")
    await lab.until(lambda: lab.migration_phase("second"), "Pending")
    await lab.holds(lambda: _phases(lab, "first", "second"), ["Scheduling", "Pending"], 6)
    await lab.api.delete(f"{MIGRATIONS}/first")
    await lab.until(lambda: lab.migration_phase("first"), "gone")
    await lab.until(lambda: lab.migration_phase("second"), "Succeeded")


async def test_limits_and_their_change_without_a_restart(lab: Lab) -> None:
    names = [f"web-{number}" for number in range(4)]
    for name in names:
        await lab.create_vm(name, nodeSelector={"pair": "yes"}, memory="4Gi")
    await lab.api.patch(f"{NODES}/node-a", {"metadata": {"labels": {"pair": "yes"}}})
    for name in names:
        await lab.until(lambda name=name: lab.vm_word(name), "Running")  # type: ignore[misc]
    await lab.api.patch(f"{NODES}/node-b", {"metadata": {"labels": {"pair": "yes"}}})
    for name in names:
        await lab.migrate(name, name)
    await lab.until(lambda: _count(lab, names, "Running"), 2)
    assert await _count(lab, names, "Pending") == 2
    await _limits(lab, cluster_wide=10, outbound=10)
    await lab.until(lambda: _count(lab, names, "Succeeded"), 4)
    for name in names:
        await lab.migrate(name, f"back-{name}")
    await lab.until(lambda: _count(lab, [f"back-{name}" for name in names], "Running"), 4)
    await lab.until(lambda: _count(lab, [f"back-{name}" for name in names], "Succeeded"), 4)
    for node in ("node-a", "node-b"):
        await lab.api.patch(f"{NODES}/{node}", {"metadata": {"labels": {"pair": None}}})


async def test_cancel_before_and_while_copying(lab: Lab) -> None:
    source = await lab.running_vm("web")
    lab.kubevirt.faults.set_migrations("stall")
    await lab.migrate("web", "early", annotations={})
    await lab.until(lambda: lab.migration_phase("early"), "Scheduling")
    await lab.api.delete(f"{MIGRATIONS}/early")
    await lab.until(lambda: lab.migration_phase("early"), "gone")
    await lab.until(lambda: _pod_phases(lab, "web"), ["Running"])
    await lab.migrate("web", "late")
    await lab.until(lambda: lab.migration_phase("late"), "Running")
    await lab.api.delete(f"{MIGRATIONS}/late")
    await lab.until(lambda: lab.migration_phase("late"), "gone")
    state = (await lab.vmi("web"))["status"]["migrationState"]
    assert (state["failed"], state["abortStatus"]) == (True, "Succeeded")
    assert state["failureReason"] == "Live migration has been aborted"
    assert (await lab.vmi("web"))["status"]["nodeName"] == source


async def test_a_failed_copy_leaves_the_vm_on_its_source(lab: Lab) -> None:
    source = await lab.running_vm("web")
    lab.kubevirt.faults.set_migrations("fail")
    await lab.migrate("web", "move")
    await lab.until(lambda: lab.migration_phase("move"), "Failed")
    assert (await lab.vmi("web"))["status"]["nodeName"] == source
    assert await lab.vm_word("web") == "Running"
    await lab.until(lambda: _pod_phases(lab, "web"), ["Running", "Succeeded"])
    lab.kubevirt.faults.set_migrations("normal")
    await lab.migrate("web", "again")
    await lab.until(lambda: lab.migration_phase("again"), "Succeeded")


async def test_nothing_is_copied_while_the_private_link_is_down(lab: Lab) -> None:
    await lab.running_vm("web")
    await lab.hardware.cut_private_link()
    await lab.migrate("web", "move")
    await lab.until(lambda: lab.migration_phase("move"), "Running")
    await lab.holds(lambda: lab.migration_phase("move"), "Running", 2)
    await lab.hardware.restore_private_link()
    await lab.until(lambda: lab.migration_phase("move"), "Succeeded")


async def test_a_migration_that_does_not_progress_is_given_up(lab: Lab) -> None:
    await lab.api.patch(KUBEVIRT, {"spec": {"configuration": {"migrations": {"progressTimeout": 1}}}})
    source = await lab.running_vm("web")
    lab.kubevirt.faults.set_migrations("stall")
    await lab.migrate("web", "move")
    await lab.until(lambda: lab.migration_phase("move"), "Failed")
    assert (await lab.vmi("web"))["status"]["nodeName"] == source


async def test_a_second_migration_of_a_vm_is_refused(lab: Lab) -> None:
    await lab.running_vm("web")
    lab.kubevirt.faults.set_migrations("stall")
    await lab.migrate("web", "first")
    with pytest.raises(ApiError, match="in-flight migration detected") as refused:
        await lab.migrate("web", "second")
    assert refused.value.status == 400
    await lab.until(lambda: lab.migration_phase("first"), "Running")
    assert await lab.subresource("web", "migrate") == 500


async def test_only_the_newest_five_finished_migrations_are_kept(lab: Lab) -> None:
    await lab.running_vm("web", memory="64Mi")
    lab.kubevirt.faults.set_migrations("fail")
    for number in range(7):
        await lab.migrate("web", f"move-{number}")
        await lab.until(lambda number=number: lab.migration_phase(f"move-{number}"), "Failed")  # type: ignore[misc]
        await asyncio.sleep(1)  # creation times are whole seconds, and tell which is the oldest
    await lab.until(lambda: _names(lab), {f"move-{number}" for number in range(2, 7)})


async def test_a_dead_target_fails_the_copy_and_blocks_the_next_one(lab: Lab) -> None:
    source = await lab.running_vm("web")
    target = lab.hardware.peer(source)
    lab.kubevirt.faults.set_migrations("stall")
    await lab.migrate("web", "move")
    await lab.until(lambda: lab.migration_phase("move"), "Running")
    await lab.hardware.power_cut(target)
    assert await lab.until(lambda: lab.migration_phase("move"), "Failed") < 1
    assert await _pod_phases(lab, "web") == ["Running", "Running"]
    assert await lab.condition("web", "Ready") == "True"
    await lab.migrate("web", "next", annotations={_UNSCHEDULABLE_TIMEOUT: "2"})
    await lab.until(lambda: lab.migration_phase("next"), "Pending")
    await lab.holds(lambda: lab.migration_phase("next"), "Pending", 2)
    await lab.force_delete_pods_on(target)
    await lab.until(lambda: lab.migration_phase("next"), "Scheduling")


async def test_a_dead_source_leaves_everything_as_it_is_until_its_pod_is_removed(lab: Lab) -> None:
    source = await lab.running_vm("web")
    before = await lab.uid("web")
    lab.kubevirt.faults.set_migrations("stall")
    await lab.migrate("web", "move")
    await lab.until(lambda: lab.migration_phase("move"), "Running")
    await lab.hardware.power_cut(source)
    await lab.holds(lambda: lab.migration_phase("move"), "Running", 3)
    assert await lab.vm_word("web") == "Migrating"
    await lab.close(source)
    await lab.force_delete_pods_on(source)
    await lab.until(lambda: _moved(lab, before), True, 5)
    assert await lab.migration_phase("move") == "gone"


async def test_a_policy_overrides_options_but_not_the_limits(lab: Lab) -> None:
    policies = "/apis/migrations.kubevirt.io/v1alpha1/migrationpolicies"
    selectors = {"virtualMachineInstanceSelector": {"app": "web"}}
    spec = {"selectors": selectors, "allowPostCopy": True, "parallelMigrationsPerCluster": 77}
    policy = {"apiVersion": "migrations.kubevirt.io/v1alpha1", "kind": "MigrationPolicy", "metadata": {"name": "slow"}}
    await lab.api.post(policies, {**policy, "spec": spec})
    try:
        await lab.running_vm("web")
        await lab.migrate("web", "move")
        await lab.until(lambda: lab.migration_phase("move"), "Succeeded")
    finally:
        await lab.api.delete(f"{policies}/slow")
    state = (await lab.vmi("web"))["status"]["migrationState"]
    options = state["migrationConfiguration"]
    assert state["migrationPolicyName"] == "slow"
    assert (options["allowPostCopy"], options["allowWorkloadDisruption"]) == (True, True)
    assert options["parallelMigrationsPerCluster"] == 5


async def test_a_deleted_vm_takes_its_migration_along(lab: Lab) -> None:
    await lab.running_vm("web")
    lab.kubevirt.faults.set_migrations("stall")
    await lab.migrate("web", "move")
    await lab.until(lambda: lab.migration_phase("move"), "Running")
    await lab.api.delete(f"{VMS}/web")
    await lab.until(lambda: lab.migration_phase("move"), "gone")
    await lab.until(lambda: lab.get_or_none(f"{VMS}/web"), None)


async def _limits(lab: Lab, cluster_wide: int, outbound: int) -> None:
    limits = {"parallelMigrationsPerCluster": cluster_wide, "parallelOutboundMigrationsPerNode": outbound}
    await lab.api.patch(KUBEVIRT, {"spec": {"configuration": {"migrations": limits}}})


async def _pod_phases(lab: Lab, name: str) -> list[str]:
    return sorted(pod["status"]["phase"] for pod in await lab.pods(name))


async def _phases(lab: Lab, *names: str) -> list[str]:
    return [await lab.migration_phase(name) for name in names]


async def _count(lab: Lab, names: list[str], phase: str) -> int:
    return (await _phases(lab, *names)).count(phase)


async def _names(lab: Lab) -> set[str]:
    return {one["metadata"]["name"] for one in (await lab.api.get(MIGRATIONS))["items"]}


async def _moved(lab: Lab, before: str) -> bool:
    return await lab.uid("web") not in ("", before) and await lab.phase("web") == "Running"
