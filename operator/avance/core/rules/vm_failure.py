"""VM failure (guest crash, panic, launcher lost): restart the VM where it is."""

from __future__ import annotations

from collections.abc import Iterator

from avance.core.fitness import why_not_serve
from avance.core.intents import Intent, LookAgain, incident_id, intent
from avance.core.licence import why_not_start
from avance.core.model import ActionType, PairView, VmPhase, VmView
from avance.core.placement import choose_node

FIRST_PAUSE_SECONDS = 10.0
LONGEST_PAUSE_SECONDS = 300.0
MEMORY_SECONDS = 3600.0
"""Restarts older than this are forgotten."""


def restart_the_vm_where_it_is(view: PairView, now: float) -> Iterator[Intent | LookAgain]:
    """The first failure is answered at once; a VM that keeps failing is answered ever more slowly, up to 5 minutes."""
    for vm in view.vms:
        instance = vm.instance
        if not vm.should_run or instance is None or not instance.phase.final:
            continue
        due = _answer_due(view, vm)
        if now < due:
            yield LookAgain(due)
        elif why_not_start(view, vm, now):
            yield LookAgain(now + 1)
        else:
            yield intent(
                view,
                ActionType.RESTART,
                vm.key,
                reason="GuestFailed" if instance.phase is VmPhase.FAILED else "GuestShutDown",
                message=f"the guest of {vm.key} {_ended(instance.phase)} on {instance.node or 'its node'}",
                incident=incident_id("vm-failure", vm.name, vm.namespace, instance.uid),
                destination=_where_it_is(view, vm, now),
                instance_uid=instance.uid,
            )


def _ended(phase: VmPhase) -> str:
    return "failed" if phase is VmPhase.FAILED else "shut itself down although it shall run"


def _answer_due(view: PairView, vm: VmView) -> float:
    recent = [
        action.created_at
        for action in view.actions_on(vm.key, ActionType.RESTART)
        if vm.instance and vm.instance.ended_at and action.created_at > vm.instance.ended_at - MEMORY_SECONDS
    ]
    if not recent:
        return 0.0
    return max(recent) + min(FIRST_PAUSE_SECONDS * 2.0 ** (len(recent) - 1), LONGEST_PAUSE_SECONDS)


def _where_it_is(view: PairView, vm: VmView, now: float) -> str:
    """Its node if that still takes VMs, else wherever it fits."""
    here = view.node(vm.instance.node) if vm.instance else None
    if here is not None and not why_not_serve(view, here, now):
        return here.name
    return choose_node(view, vm, now)
