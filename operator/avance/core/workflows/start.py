"""Start: a VM that shall run and has no instance is placed and started."""

from __future__ import annotations

from avance.core.model import ActionView, PairView
from avance.core.progress import Progress, cancel
from avance.core.workflows.bring_up import bring_up


def advance(action: ActionView, view: PairView, now: float) -> Progress:
    vm = view.vm(action.target)
    if vm is None or not vm.should_run:
        return cancel("Start", f"{action.target} shall not run any more")
    return bring_up(action, view, vm, now)
