"""Disk lost on a primary: the VM goes on with the synchronised copy on the backup over the private link; failover.

The detectors of the server may know nothing of it: the storage says that there is no copy any more where the VM runs.
"""

from __future__ import annotations

from collections.abc import Iterator

from avance.core.fitness import room_on, why_not_move_to
from avance.core.intents import Intent, LookAgain, incident_id, intent, last_failure
from avance.core.model import ActionType, NodeView, PairView, VmView
from avance.core.replication import why_not_move


def move_to_the_good_copy(view: PairView, now: float) -> Iterator[Intent | LookAgain]:
    """Every VM that has lost its disk where it runs moves to where its copy is, each independently."""
    for vm in view.vms:
        target = view.peer(vm.node) if vm.node else None
        if target is None or not _lost_its_disk(vm) or not _may_move(view, vm, target, now):
            continue
        due = last_failure(view, vm.key, ActionType.MIGRATE) + view.policy.migration.retry_backoff_seconds
        if now < due:
            yield LookAgain(due)
            continue
        uid = vm.instance.uid if vm.instance else ""
        yield intent(
            view,
            ActionType.MIGRATE,
            vm.key,
            reason="DiskLost",
            message=f"{vm.node} has lost the disks of {vm.key}, which goes on with the copy of {target.name}",
            incident=incident_id("disk-lost", vm.name, vm.namespace, uid, vm.node),
            destination=target.name,
            instance_uid=uid,
        )


def _lost_its_disk(vm: VmView) -> bool:
    return vm.running and vm.storage is not None and vm.storage.state_on(vm.node).lost


def _may_move(view: PairView, vm: VmView, target: NodeView, now: float) -> bool:
    fit = not why_not_move_to(view, target.name, now) and not why_not_move(view, vm, target.name)
    movable = vm.instance is not None and vm.instance.migratable is not False and not vm.instance.paused
    waiting = any(not migration.final for migration in vm.migrations)
    return fit and movable and not waiting and vm.should_run and vm.needs.fits_in(room_on(view, target))
