"""Somebody evicts a VM (kubectl drain, an upgrade): KubeVirt refuses and leaves the move to us, by our rules."""

from __future__ import annotations

from collections.abc import Iterator

from avance.core.evictions import evicted, retry_due, why_it_stays
from avance.core.intents import Intent, LookAgain, incident_id, intent
from avance.core.model import ActionType, PairView


def move_what_somebody_evicts(view: PairView, now: float) -> Iterator[Intent | LookAgain]:
    """The VM goes to the other node if that is fit; otherwise the eviction stays refused and the VM stays up."""
    for vm in view.vms:
        instance, target = vm.instance, view.peer(vm.node)
        if instance is None or target is None or not evicted(vm) or why_it_stays(view, vm, now):
            continue
        due = retry_due(view, vm)
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
