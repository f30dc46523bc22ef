"""Somebody evicts a VM (kubectl drain, an upgrade): KubeVirt refuses and leaves the move to us, by our rules."""

from __future__ import annotations

from collections.abc import Iterator

from avance.core.fitness import room_on, why_not_move_to
from avance.core.intents import Intent, LookAgain, incident_id, intent, last_failure
from avance.core.model import ActionType, PairView
from avance.core.replication import why_not_move


def move_what_somebody_evicts(view: PairView, now: float) -> Iterator[Intent | LookAgain]:
    """The VM goes to the other node if that is fit; otherwise the eviction stays refused and the VM stays up."""
    for vm in view.vms:
        instance = vm.instance
        if instance is None or not vm.running or not instance.evacuate_from or instance.evacuate_from != vm.node:
            continue
        target = view.peer(vm.node)
        if target is None or why_not_move_to(view, target.name, now) or instance.migratable is False or instance.paused:
            continue
        if not vm.needs.fits_in(room_on(view, target)) or why_not_move(view, vm, target.name):
            continue
        due = last_failure(view, vm.key, ActionType.MIGRATE) + view.policy.migration.retry_backoff_seconds
        if now < due:
            yield LookAgain(due)
            continue
        yield intent(
            view,
            ActionType.MIGRATE,
            vm.key,
            reason="EvictionRequested",
            message=f"somebody evicts {vm.key} from {vm.node}: moving it to {target.name}",
            incident=incident_id("eviction", vm.name, vm.namespace, instance.uid, vm.node),
            destination=target.name,
            instance_uid=instance.uid,
        )
