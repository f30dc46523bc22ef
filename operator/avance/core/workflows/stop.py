"""Stop: a VM that shall not run is shut down by its guest."""

from __future__ import annotations

from avance.core.effects import StopVm
from avance.core.model import ActionView, PairView
from avance.core.progress import Progress, act, cancel, succeed


def advance(action: ActionView, view: PairView, now: float) -> Progress:
    vm = view.vm(action.target)
    if vm is None or vm.instance is None or vm.instance.phase.final:
        return succeed("Stop", f"{action.target} is stopped")
    if vm.should_run:
        return cancel("Stop", f"{action.target} shall run again")
    return act("Stop", f"shutting down the guest of {vm.key}", StopVm(vm.key, vm.instance.uid))
