"""Evictions by others, and why a VM does not give way to one: told where whoever evicts can see it.

KubeVirt answers the eviction of a VM whose strategy is External with 429 and marks the instance. The mark stays until
the VM has moved or somebody takes it back, so an eviction that is refused today is carried out as soon as it may be.
"""

from __future__ import annotations

from avance.core.condition import Condition
from avance.core.fitness import bound_for, room_on, why_not_move_to
from avance.core.intents import last_failure
from avance.core.model import ActionType, PairView, VmView
from avance.core.replication import why_not_move
from avance.core.restraint import why_not_begin
from avance.core.standstill import standstill

EVICTION_REFUSED = "EvictionRefused"
TAKE_BACK = "`virtctl evacuate-cancel vmi` takes the eviction back"


def evicted(vm: VmView) -> bool:
    """Somebody wants it off the node that it runs on."""
    return vm.running and vm.instance is not None and bool(vm.node) and vm.instance.evacuate_from == vm.node


def why_it_stays(view: PairView, vm: VmView, now: float) -> str:
    """Why a VM that runs is not moved for an eviction now, in words; empty when it is."""
    target, instance = view.peer(vm.node), vm.instance
    if target is None or instance is None:
        return f"{vm.node} has no other server beside it"
    if instance.migratable is False:
        return f"it cannot be live-migrated: {instance.not_migratable_because}"
    if instance.paused:
        return "its guest is paused, and who paused it wants it to stay as it is"
    other = next((migration for migration in vm.migrations if not migration.final), None)
    if other is not None and bound_for(view, vm) != target.name:
        return f"the migration {other.name} of it is under way"
    hindrance = why_not_move_to(view, target.name, now) or why_not_move(view, vm, target.name)
    if not hindrance and bound_for(view, vm) != target.name and not vm.needs.fits_in(room_on(view, target)):
        hindrance = f"{target.name} has no room for it"
    return hindrance


def retry_due(view: PairView, vm: VmView) -> float:
    """When a move of it that has failed may be tried again."""
    return last_failure(view, vm.key, ActionType.MIGRATE) + view.policy.migration.retry_backoff_seconds


def evacuable(view: PairView, vm: VmView, now: float) -> Condition:
    """Whether it gives way to an eviction that somebody asks for; True while nobody does."""
    if not evicted(vm):
        return Condition("Evacuable", True, "NotEvicted", "nobody evicts it")
    because = "" if bound_for(view, vm) else _held_back(view, vm, now) or why_it_stays(view, vm, now)
    if not because:
        return Condition("Evacuable", True, "Moving", f"somebody evicts it from {vm.node}: it is being moved")
    message = f"somebody evicts it from {vm.node}, and it stays there for now: {because}; {TAKE_BACK}"
    return Condition("Evacuable", False, EVICTION_REFUSED, message)


def _held_back(view: PairView, vm: VmView, now: float) -> str:
    still, restraint = standstill(view, vm.key, now), why_not_begin(view, ActionType.MIGRATE, now)
    return still.because if still is not None else restraint.because if restraint is not None else ""
