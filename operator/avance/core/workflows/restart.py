"""Restart: a VM whose guest failed is restarted where it is; asked for by a person, a running one is restarted too."""

from __future__ import annotations

from avance.core.effects import StartVm
from avance.core.liveness import Life, judge
from avance.core.model import ActionView, InstanceView, PairView, VmView
from avance.core.progress import Progress, act, cancel, wait
from avance.core.workflows.bring_up import bring_up


def advance(action: ActionView, view: PairView, now: float) -> Progress:
    vm = view.vm(action.target)
    if vm is None or not vm.should_run:
        return cancel("Start", f"{action.target} shall not run any more")
    instance = vm.instance
    if instance and instance.uid == action.instance_uid and instance.phase == "Running":
        return _restart_running(view, vm, instance, now)
    return bring_up(action, view, vm, now)


def _restart_running(view: PairView, vm: VmView, instance: InstanceView, now: float) -> Progress:
    """Only where a live server can end the guest. KubeVirt would keep the order, and start the VM by itself as soon as
    somebody removes the instance of a server that is cut off, whether its guest has ended or not.

    The step is no `Start`: that one says that the old instance is known to have ended.
    """
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
    return act("EndGuest", f"restarting the guest of {vm.key}", StartVm(vm.key, instance.uid))
