"""Start: a VM that shall run and has no instance is placed and started."""

from __future__ import annotations

from avance.core.capacity import why_not_admitted
from avance.core.model import ActionView, PairView
from avance.core.progress import Progress, cancel
from avance.core.workflows.bring_up import bring_up
from avance.core.workflows.turn import wait_turn


def advance(action: ActionView, view: PairView, now: float) -> Progress:
    vm = view.vm(action.target)
    if vm is None or not vm.should_run:
        return cancel("Start", f"{action.target} shall not run any more")
    hindrance = why_not_admitted(view, vm)
    if hindrance and action.started("Start") is None:
        return cancel("Admit", f"{vm.key} is not started: {hindrance}")
    return wait_turn(action, view, vm, now) or bring_up(action, view, vm, now)
