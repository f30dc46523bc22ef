"""Restart: a VM whose guest failed or hangs is restarted; asked for by a person, one that is well is restarted too.

A running guest is shut down first, and started only when its end is proven, like any other. KubeVirt's own restart
would keep the order to start, and carry it out as soon as somebody removes the instance of a server that was cut off
meanwhile, whether its guest has ended or not.
"""

from __future__ import annotations

from avance.core.effects import StopVm
from avance.core.licence import why_stale
from avance.core.liveness import Life, judge
from avance.core.model import ActionView, InstanceView, PairView, VmView
from avance.core.progress import Progress, act, cancel, wait
from avance.core.workflows.bring_up import bring_up
from avance.core.workflows.turn import wait_turn


def advance(action: ActionView, view: PairView, now: float) -> Progress:
    vm = view.vm(action.target)
    if vm is None or not vm.should_run:
        return cancel("Start", f"{action.target} shall not run any more")
    instance = vm.instance
    if instance and instance.uid == action.instance_uid and instance.phase == "Running":
        return _end_guest(view, vm, instance, now)
    return wait_turn(action, view, vm, now) or bring_up(action, view, vm, now)


def _end_guest(view: PairView, vm: VmView, instance: InstanceView, now: float) -> Progress:
    """Only where a live server can end it: in order if it hears that, else by force after its grace period."""
    node = view.node(instance.node)
    if node is None:
        return cancel(
            "EndGuest", f"{vm.key} runs on {instance.node}, which is no node of the pair: nobody can end it there"
        )
    verdict = judge(view, node, now)
    if verdict.doubted:
        return cancel("EndGuest", f"nobody can end the guest of {vm.key}: {verdict.because}")
    if verdict.life is not Life.ALIVE:
        return wait("EndGuest", f"waiting for a sign of life: {verdict.because}", look_at=verdict.reconsider_at)
    stale = why_stale(view, vm, "")
    if stale:
        return cancel("EndGuest", f"{vm.key} would not start again: {stale}")
    return act("EndGuest", f"ending the guest of {vm.key} on {instance.node}", StopVm(vm.key, instance.uid))
