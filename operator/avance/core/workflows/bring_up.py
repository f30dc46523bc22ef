"""The common end of Start, Restart and ColdRestart: place the VM, start it once, see it run."""

from __future__ import annotations

from avance.core.effects import ApplyVm, StartVm
from avance.core.fitness import why_not_serve
from avance.core.kubevirt_health import counts_since, why_kubevirt_starts_nothing
from avance.core.licence import why_not_ended, why_stale
from avance.core.liveness import standing_evidence
from avance.core.model import ActionView, PairView, VmPhase, VmView
from avance.core.progress import Progress, act, cancel, fail, succeed, wait
from avance.core.provisioning import why_not_filled
from avance.core.replication import why_ask_again

UNKNOWN_HINDRANCE = "nothing stands in its way that avance can see"


def bring_up(action: ActionView, view: PairView, vm: VmView, now: float) -> Progress:
    """Next step until a new instance runs; the instance that the action is about counts as gone."""
    instance = vm.instance
    lost = _lost_server(action, view, vm)
    if lost:
        return cancel("Boot", f"{lost}, where {vm.key} was to come up, is proven off: it is restarted anew")
    if instance is None or (instance.uid == action.instance_uid and instance.phase.final):
        return _place_and_start(action, view, vm, now)
    if instance.uid == action.instance_uid:
        return wait("Release", f"waiting for KubeVirt to end the old instance of {vm.key}")
    if instance.phase.final:
        return fail("Boot", f"{vm.key} ended again while it was starting on {instance.node or 'no node'}")
    if instance.phase is VmPhase.RUNNING:
        return succeed("Boot", f"{vm.key} runs on {instance.node}")
    deadline = _deadline(action, view, vm, now)
    if now >= deadline:
        return fail("Boot", f"{vm.key} did not come up in time: {_hindrance(view, vm) or UNKNOWN_HINDRANCE}")
    hindrance = _hindrance(view, vm)
    return wait("Boot", f"{vm.key} is {instance.phase}{hindrance and f': {hindrance}'}", look_at=deadline)


def _lost_server(action: ActionView, view: PairView, vm: VmView) -> str:
    """The server that it comes up on, or was to come up on, if that has died meanwhile."""
    instance = vm.instance
    new = instance is not None and instance.uid != action.instance_uid and instance.node
    server = instance.node if instance is not None and new else action.destination
    return server if server and standing_evidence(view, server) else ""


def _place_and_start(action: ActionView, view: PairView, vm: VmView, now: float) -> Progress:
    # What has ended stays ended, and KubeVirt removes the traces of it while it starts. Not so once a new instance was
    # seen (Boot): that one may be running wherever it was, and needs proof of its own end.
    forbidden = "" if action.current == "Start" else why_not_ended(view, vm, now) or why_ask_again(vm)
    if forbidden:
        return wait("Release", f"{vm.key} is not started yet: {forbidden}", look_at=now + 1)
    stale = _why_disks_forbid(action, view, vm, now)
    if stale and action.current != "Start":
        return cancel("Release", f"{vm.key} is not started there: {stale}")
    if action.destination and vm.prefers != action.destination:
        order = ApplyVm(vm.key, action.destination)
        return act("Place", f"{vm.key} shall prefer {action.destination}", order)
    deadline = _deadline(action, view, vm, now)
    if now >= deadline:
        hindrance = stale or _hindrance(view, vm) or UNKNOWN_HINDRANCE
        return fail("Start", f"KubeVirt did not start {vm.key} in time: {hindrance}")
    if stale:
        return wait("Start", f"{vm.key} is not started yet: {stale}", look_at=deadline)
    start = StartVm(vm.key, vm.instance.uid if vm.instance else "")
    waits = _hindrance(view, vm) or why_not_filled(vm.provisioning)
    starting = f"starting {vm.key} on {action.destination or 'its node'}{waits and f': {waits}'}"
    return act("Start", starting, start, look_at=deadline)


def _why_disks_forbid(action: ActionView, view: PairView, vm: VmView, now: float) -> str:
    """Why its disks forbid the start: where it shall go, or where it would stray to because that server is closed."""
    on = action.destination or vm.prefers
    here, other = view.node(on), view.peer(on)
    if here is None or other is None or vm.storage is None:
        return why_stale(view, vm, on)
    closed = why_not_serve(view, here, now)
    strays = closed and not why_not_serve(view, other, now) and why_stale(view, vm, other.name)
    return why_stale(view, vm, on) or (f"{closed}, and {strays}" if strays else "")


def _deadline(action: ActionView, view: PairView, vm: VmView, now: float) -> float:
    """What KubeVirt was down for is not the VM's failure, nor is a disk that is made when it starts."""
    since = max(action.started("Start") or now, vm.provisioning.filled_at)
    begun = now if why_not_filled(vm.provisioning) else counts_since(view.surroundings.kubevirt, since, now)
    return begun + view.policy.restart.start_timeout_seconds


def _hindrance(view: PairView, vm: VmView) -> str:
    unschedulable = next((pod.unschedulable for pod in view.pods_of(vm.key) if pod.unschedulable), "")
    down, disks = why_kubevirt_starts_nothing(view.surroundings.kubevirt), why_not_filled(vm.provisioning)
    return down or disks or unschedulable or vm.start_blocked
