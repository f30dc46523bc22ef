"""Live migration of the KubeVirt stand-in: phases, limits, time-outs, cancelling, failures, and what a lost node
leaves behind.
"""

import asyncio
from datetime import datetime

import pytest

from e2e.controlplane import ApiError
from e2e.tests.kubevirt_cluster import KUBEVIRT, MIGRATIONS, NODES, VMS, Cluster

pytest_plugins = ("e2e.tests.kubevirt_fixtures",)
pytestmark = pytest.mark.timeout(180)

_UNSCHEDULABLE_TIMEOUT = "kubevirt.io/migrationUnschedulablePodTimeoutSeconds"


async def test_a_migration_passes_its_phases_and_executes_on_one_side_only(cluster: Cluster) -> None:
    source = await cluster.running_vm("web")
    uid = await cluster.uid("web")
    await cluster.migrate("web", "move")
    await cluster.until(lambda: cluster.vm_word("web"), "Migrating")
    await cluster.until(lambda: cluster.migration_phase("move"), "Succeeded")
    phases = [
        one["phase"] for one in (await cluster.api.get(f"{MIGRATIONS}/move"))["status"]["phaseTransitionTimestamps"]
    ]
    assert phases == ["Pending", "Scheduling", "Scheduled", "PreparingTarget", "TargetReady", "Running", "Succeeded"]
    vmi = await cluster.vmi("web")
    assert vmi["metadata"]["uid"] == uid
    assert vmi["status"]["nodeName"] != source
    assert vmi["metadata"]["labels"]["kubevirt.io/nodeName"] == vmi["status"]["nodeName"]
    ended, running = [run for run in cluster.kubevirt.ledger.history() if run["vmi_uid"] == uid]
    handed_over = datetime.fromisoformat(running["started"]) - datetime.fromisoformat(ended["ended"])
    assert abs(handed_over.total_seconds()) < 0.05  # one moment, written down twice
    await cluster.until(lambda: _pod_phases(cluster, "web"), ["Running", "Succeeded"])


async def test_added_node_selector_reaches_the_target_pod_only_and_the_vms_own_wins(cluster: Cluster) -> None:
    source = await cluster.running_vm("pinned", nodeSelector={"kubernetes.io/hostname": "node-a"})
    assert source == "node-a"
    selector = {"addedNodeSelector": {"kubernetes.io/hostname": "node-b"}}
    await cluster.migrate("pinned", "move", spec=selector, annotations={_UNSCHEDULABLE_TIMEOUT: "2"})
    await cluster.until(lambda: cluster.migration_phase("move"), "Scheduling")
    target = next(pod for pod in await cluster.pods("pinned") if not pod["spec"].get("nodeName"))
    assert target["spec"]["nodeSelector"]["kubernetes.io/hostname"] == "node-a"
    took = await cluster.until(lambda: cluster.migration_phase("move"), "Failed")
    assert took < 5
    assert await cluster.vm_word("pinned") == "Running"


async def test_a_stuck_target_waits_without_a_timeout_annotation_and_eats_a_slot(cluster: Cluster) -> None:
    await _limits(cluster, cluster_wide=1, outbound=1)
    await cluster.running_vm("stuck", nodeSelector={"kubernetes.io/hostname": "node-a"})
    await cluster.running_vm("free")
    await cluster.migrate("stuck", "first")
    await cluster.until(lambda: cluster.migration_phase("first"), "Scheduling")
    await cluster.migrate("free", "second")
    await cluster.until(lambda: cluster.migration_phase("second"), "Pending")
    await cluster.holds(lambda: _phases(cluster, "first", "second"), ["Scheduling", "Pending"], 6)
    await cluster.api.delete(f"{MIGRATIONS}/first")
    await cluster.until(lambda: cluster.migration_phase("first"), "gone")
    await cluster.until(lambda: cluster.migration_phase("second"), "Succeeded")


async def test_limits_and_their_change_without_a_restart(cluster: Cluster) -> None:
    names = [f"web-{number}" for number in range(4)]
    for name in names:
        await cluster.create_vm(name, nodeSelector={"pair": "yes"}, memory="4Gi")
    await cluster.api.patch(f"{NODES}/node-a", {"metadata": {"labels": {"pair": "yes"}}})
    for name in names:
        await cluster.until(lambda name=name: cluster.vm_word(name), "Running")  # type: ignore[misc]
    await cluster.api.patch(f"{NODES}/node-b", {"metadata": {"labels": {"pair": "yes"}}})
    for name in names:
        await cluster.migrate(name, name)
    await cluster.until(lambda: _count(cluster, names, "Running"), 2)
    assert await _count(cluster, names, "Pending") == 2
    await _limits(cluster, cluster_wide=10, outbound=10)
    await cluster.until(lambda: _count(cluster, names, "Succeeded"), 4)
    for name in names:
        await cluster.migrate(name, f"back-{name}")
    await cluster.until(lambda: _count(cluster, [f"back-{name}" for name in names], "Running"), 4)
    await cluster.until(lambda: _count(cluster, [f"back-{name}" for name in names], "Succeeded"), 4)
    for node in ("node-a", "node-b"):
        await cluster.api.patch(f"{NODES}/{node}", {"metadata": {"labels": {"pair": None}}})


async def test_cancel_before_and_while_copying(cluster: Cluster) -> None:
    source = await cluster.running_vm("web")
    cluster.kubevirt.faults.set_migrations("stall")
    await cluster.migrate("web", "early", annotations={})
    await cluster.until(lambda: cluster.migration_phase("early"), "Scheduling")
    await cluster.api.delete(f"{MIGRATIONS}/early")
    await cluster.until(lambda: cluster.migration_phase("early"), "gone")
    await cluster.until(lambda: _pod_phases(cluster, "web"), ["Running"])
    await cluster.migrate("web", "late")
    await cluster.until(lambda: cluster.migration_phase("late"), "Running")
    await cluster.api.delete(f"{MIGRATIONS}/late")
    await cluster.until(lambda: cluster.migration_phase("late"), "gone")
    state = (await cluster.vmi("web"))["status"]["migrationState"]
    assert (state["failed"], state["abortStatus"]) == (True, "Succeeded")
    assert state["failureReason"] == "Live migration has been aborted"
    assert (await cluster.vmi("web"))["status"]["nodeName"] == source


async def test_a_failed_copy_leaves_the_vm_on_its_source(cluster: Cluster) -> None:
    source = await cluster.running_vm("web")
    cluster.kubevirt.faults.set_migrations("fail")
    await cluster.migrate("web", "move")
    await cluster.until(lambda: cluster.migration_phase("move"), "Failed")
    assert (await cluster.vmi("web"))["status"]["nodeName"] == source
    assert await cluster.vm_word("web") == "Running"
    await cluster.until(lambda: _pod_phases(cluster, "web"), ["Running", "Succeeded"])
    cluster.kubevirt.faults.set_migrations("normal")
    await cluster.migrate("web", "again")
    await cluster.until(lambda: cluster.migration_phase("again"), "Succeeded")


async def test_nothing_is_copied_while_the_private_link_is_down(cluster: Cluster) -> None:
    await cluster.running_vm("web")
    await cluster.hardware.cut_private_link()
    await cluster.migrate("web", "move")
    await cluster.until(lambda: cluster.migration_phase("move"), "Running")
    await cluster.holds(lambda: cluster.migration_phase("move"), "Running", 2)
    await cluster.hardware.restore_private_link()
    await cluster.until(lambda: cluster.migration_phase("move"), "Succeeded")


async def test_a_migration_that_does_not_progress_is_given_up(cluster: Cluster) -> None:
    await cluster.api.patch(KUBEVIRT, {"spec": {"configuration": {"migrations": {"progressTimeout": 1}}}})
    source = await cluster.running_vm("web")
    cluster.kubevirt.faults.set_migrations("stall")
    await cluster.migrate("web", "move")
    await cluster.until(lambda: cluster.migration_phase("move"), "Failed")
    assert (await cluster.vmi("web"))["status"]["nodeName"] == source


async def test_a_second_migration_of_a_vm_is_refused(cluster: Cluster) -> None:
    await cluster.running_vm("web")
    cluster.kubevirt.faults.set_migrations("stall")
    await cluster.migrate("web", "first")
    with pytest.raises(ApiError, match="in-flight migration detected") as refused:
        await cluster.migrate("web", "second")
    assert refused.value.status == 400
    await cluster.until(lambda: cluster.migration_phase("first"), "Running")
    assert await cluster.subresource("web", "migrate") == 500


async def test_only_the_newest_five_finished_migrations_are_kept(cluster: Cluster) -> None:
    await cluster.running_vm("web", memory="64Mi")
    cluster.kubevirt.faults.set_migrations("fail")
    for number in range(7):
        await cluster.migrate("web", f"move-{number}")
        await cluster.until(lambda number=number: cluster.migration_phase(f"move-{number}"), "Failed")  # type: ignore[misc]
        await asyncio.sleep(1)  # creation times are whole seconds, and tell which is the oldest
    await cluster.until(lambda: _names(cluster), {f"move-{number}" for number in range(2, 7)})


async def test_a_dead_target_fails_the_copy_and_blocks_the_next_one(cluster: Cluster) -> None:
    source = await cluster.running_vm("web")
    target = cluster.hardware.peer(source)
    cluster.kubevirt.faults.set_migrations("stall")
    await cluster.migrate("web", "move")
    await cluster.until(lambda: cluster.migration_phase("move"), "Running")
    await cluster.hardware.power_cut(target)
    assert await cluster.until(lambda: cluster.migration_phase("move"), "Failed") < 1
    assert await _pod_phases(cluster, "web") == ["Running", "Running"]
    assert await cluster.condition("web", "Ready") == "True"
    await cluster.migrate("web", "next", annotations={_UNSCHEDULABLE_TIMEOUT: "2"})
    await cluster.until(lambda: cluster.migration_phase("next"), "Pending")
    await cluster.holds(lambda: cluster.migration_phase("next"), "Pending", 2)
    await cluster.force_delete_pods_on(target)
    await cluster.until(lambda: cluster.migration_phase("next"), "Scheduling")


async def test_a_dead_source_leaves_everything_as_it_is_until_its_pod_is_removed(cluster: Cluster) -> None:
    source = await cluster.running_vm("web")
    before = await cluster.uid("web")
    cluster.kubevirt.faults.set_migrations("stall")
    await cluster.migrate("web", "move")
    await cluster.until(lambda: cluster.migration_phase("move"), "Running")
    await cluster.hardware.power_cut(source)
    await cluster.holds(lambda: cluster.migration_phase("move"), "Running", 3)
    assert await cluster.vm_word("web") == "Migrating"
    await cluster.close(source)
    await cluster.force_delete_pods_on(source)
    await cluster.until(lambda: _moved(cluster, before), True, 5)
    assert await cluster.migration_phase("move") == "gone"


async def test_a_partitioned_source_hands_over_and_reports_it_when_it_is_back(cluster: Cluster) -> None:
    source = await cluster.running_vm("web", memory="4Gi")
    await cluster.migrate("web", "move")
    await cluster.until(lambda: cluster.migration_phase("move"), "Running")
    await cluster.hardware.partition(source)
    target = cluster.hardware.peer(source)
    await cluster.until(lambda: _node(cluster), target)
    await cluster.holds(lambda: cluster.migration_phase("move"), "Running", 1)
    assert [run["node"] for run in cluster.kubevirt.ledger.running()] == [target]
    await cluster.hardware.heal(source)
    await cluster.until(lambda: cluster.migration_phase("move"), "Succeeded")


async def test_a_policy_overrides_options_but_not_the_limits(cluster: Cluster) -> None:
    policies = "/apis/migrations.kubevirt.io/v1alpha1/migrationpolicies"
    selectors = {"virtualMachineInstanceSelector": {"app": "web"}}
    spec = {"selectors": selectors, "allowPostCopy": True, "parallelMigrationsPerCluster": 77}
    policy = {"apiVersion": "migrations.kubevirt.io/v1alpha1", "kind": "MigrationPolicy", "metadata": {"name": "slow"}}
    await cluster.api.post(policies, {**policy, "spec": spec})
    try:
        await cluster.running_vm("web")
        await cluster.migrate("web", "move")
        await cluster.until(lambda: cluster.migration_phase("move"), "Succeeded")
    finally:
        await cluster.api.delete(f"{policies}/slow")
    state = (await cluster.vmi("web"))["status"]["migrationState"]
    options = state["migrationConfiguration"]
    assert state["migrationPolicyName"] == "slow"
    assert (options["allowPostCopy"], options["allowWorkloadDisruption"]) == (True, True)
    assert options["parallelMigrationsPerCluster"] == 5


async def test_a_deleted_vm_takes_its_migration_along(cluster: Cluster) -> None:
    await cluster.running_vm("web")
    cluster.kubevirt.faults.set_migrations("stall")
    await cluster.migrate("web", "move")
    await cluster.until(lambda: cluster.migration_phase("move"), "Running")
    await cluster.api.delete(f"{VMS}/web")
    await cluster.until(lambda: cluster.migration_phase("move"), "gone")
    await cluster.until(lambda: cluster.get_or_none(f"{VMS}/web"), None)


async def _limits(cluster: Cluster, cluster_wide: int, outbound: int) -> None:
    limits = {"parallelMigrationsPerCluster": cluster_wide, "parallelOutboundMigrationsPerNode": outbound}
    await cluster.api.patch(KUBEVIRT, {"spec": {"configuration": {"migrations": limits}}})


async def _pod_phases(cluster: Cluster, name: str) -> list[str]:
    return sorted(pod["status"]["phase"] for pod in await cluster.pods(name))


async def _phases(cluster: Cluster, *names: str) -> list[str]:
    return [await cluster.migration_phase(name) for name in names]


async def _count(cluster: Cluster, names: list[str], phase: str) -> int:
    return (await _phases(cluster, *names)).count(phase)


async def _names(cluster: Cluster) -> set[str]:
    return {one["metadata"]["name"] for one in (await cluster.api.get(MIGRATIONS))["items"]}


async def _node(cluster: Cluster) -> str:
    return str((await cluster.vmi("web"))["status"]["nodeName"])


async def _moved(cluster: Cluster, before: str) -> bool:
    return await cluster.uid("web") not in ("", before) and await cluster.phase("web") == "Running"
