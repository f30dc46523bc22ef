"""Restart: a VM whose guest failed is restarted where it is; asked for by a person, a running one is restarted too."""

from __future__ import annotations

from avance.core.effects import StartVm
from avance.core.model import ActionView, PairView
from avance.core.progress import Progress, act, cancel
from avance.core.workflows.bring_up import bring_up


def advance(action: ActionView, view: PairView, now: float) -> Progress:
    vm = view.vm(action.target)
    if vm is None or not vm.should_run:
        return cancel("Start", f"{action.target} shall not run any more")
    instance = vm.instance
    if instance and instance.uid == action.instance_uid and instance.phase == "Running":
        return act("Start", f"restarting the guest of {vm.key}", StartVm(vm.key, instance.uid))
    return bring_up(action, view, vm, now)
