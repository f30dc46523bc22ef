"""Health lower than the other node's: graceful failover, every VM at the same time, each independently.

A benign fault on a primary (one of two power supplies, one fan) comes here as well: VMs leave as long as the backup is
healthier. A move is made only towards a node that is healthier by the margin, fit, with room for the VM, not itself
flapping, and not of a VM that has only just moved.
"""

from __future__ import annotations

from collections.abc import Iterator

from avance.core.fitness import room_on, why_not_move_to
from avance.core.health import score
from avance.core.intents import BACKUP_HEALTHIER, Intent, LookAgain, fault_incident, intent
from avance.core.model import ActionPhase, ActionType, ActionView, NodeView, PairView, VmView
from avance.core.mtbf import flaps_until
from avance.core.replication import why_not_move


def move_to_the_healthier_server(view: PairView, now: float) -> Iterator[Intent | LookAgain]:
    for source in view.nodes:
        target = view.peer(source.name)
        calm_at = flaps_until(source.history, view.policy.health, now)
        if calm_at is not None:
            yield LookAgain(calm_at)
        if target is None or not _healthier(view, target, source) or why_not_move_to(view, target.name, now):
            continue
        if flaps_until(target.history, view.policy.health, now) is not None:
            continue
        since = max((fault.observed_at for fault in source.faults), default=now)
        if now < since + view.policy.health.dwell_seconds:
            yield LookAgain(since + view.policy.health.dwell_seconds)
            continue
        yield from _move_all(view, source, target, now)


def _healthier(view: PairView, target: NodeView, source: NodeView) -> bool:
    return score(target.faults).value >= score(source.faults).value + view.policy.health.margin


def _move_all(view: PairView, source: NodeView, target: NodeView, now: float) -> Iterator[Intent | LookAgain]:
    room = room_on(view, target)
    worst = source.faults[0]
    incident = fault_incident(worst)
    for vm in sorted(view.vms, key=lambda vm: (vm.priority, vm.key)):
        if not _movable(vm, source) or not vm.needs.fits_in(room) or why_not_move(view, vm, target.name):
            continue
        due = max(_stayed_long_enough(view, vm), _retry_due(view, vm, incident))
        if now < due:
            yield LookAgain(due)
            continue
        room = room - vm.needs
        yield intent(
            view,
            ActionType.MIGRATE,
            vm.key,
            reason=BACKUP_HEALTHIER,
            message=(
                f"{worst.sentence}; {source.name} scores {score(source.faults).value}, "
                f"{target.name} {score(target.faults).value}"
            ),
            incident=incident,
            destination=target.name,
            instance_uid=vm.instance.uid if vm.instance else "",
        )


def why_it_stays(view: PairView, vm: VmView, now: float) -> str:
    """What keeps a VM on a server that is worse than the other one, in words; empty where nothing does."""
    source, target = view.node(vm.node), view.peer(vm.node)
    if source is None or target is None or not _healthier(view, target, source):
        return ""
    return why_not_moved_to(view, vm, target, now)


def why_not_moved_to(view: PairView, vm: VmView, target: NodeView, now: float) -> str:
    """What would keep a VM from being moved to the other server, however much healthier that is; empty if nothing."""
    immovable = vm.instance.not_migratable_because if vm.instance and vm.instance.migratable is False else ""
    return (
        why_not_move_to(view, target.name, now)
        or (f"{target.name} comes and goes" if flaps_until(target.history, view.policy.health, now) else "")
        or (f"KubeVirt cannot move it while it runs: {immovable}" if immovable else "")
        or why_not_move(view, vm, target.name)
        or ("" if vm.needs.fits_in(room_on(view, target)) else f"{target.name} has no room for it")
    )


def _movable(vm: VmView, source: NodeView) -> bool:
    """Running there, not paused, and not known to be unable to migrate."""
    instance = vm.instance
    return (
        vm.should_run
        and vm.running
        and vm.node == source.name
        and instance is not None
        and not instance.paused
        and instance.migratable is not False
        and not any(not migration.final for migration in vm.migrations)
    )


def _stayed_long_enough(view: PairView, vm: VmView) -> float:
    return 0.0 if vm.moved_at is None else vm.moved_at + view.policy.health.minimum_stay_seconds


def _retry_due(view: PairView, vm: VmView, incident: str) -> float:
    """After a failed try wait 20 s, 40 s, 80 s and so on, up to an hour."""
    failed = [action for action in view.actions_on(vm.key, ActionType.MIGRATE) if _failed_try(action, incident)]
    if not failed:
        return 0.0
    pause = view.policy.migration.retry_backoff_seconds * 2.0 ** (len(failed) - 1)
    return max(action.finished_at or 0.0 for action in failed) + min(pause, 3600.0)


def _failed_try(action: ActionView, incident: str) -> bool:
    return action.incident == incident and action.phase in (ActionPhase.FAILED, ActionPhase.CANCELLED)
