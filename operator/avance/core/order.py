"""Who is started before whom: the highest tier first, and what a VM depends on before the VM.

A dependency outranks a tier: what a VM of a high tier depends on is started as if it were of that tier itself. VMs that
depend on each other in a circle have no first one, so among them nobody waits; the circle is told instead. That leaves
an order in which somebody is always first, so waiting for one's turn can never become a deadlock.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from avance.core.failures import given_up
from avance.core.model import ActionPhase, ActionType, ActionView, PairView, RestartPriority, VmView

BRINGS_UP = frozenset({ActionType.START, ActionType.RESTART, ActionType.COLD_RESTART})
UNDER_WAY = ("Place", "Start", "Boot")
"""Steps of a VM whose turn has come."""
UNTIL_ITS_TURN = float("inf")


def why_disordered(view: PairView, vm: VmView) -> tuple[str, str]:
    """Reason and sentence if what a VM depends on cannot be followed as it stands; both empty if it can."""
    circle = sorted(other.name for other in _circle(view, vm))
    if circle:
        names = ", ".join(circle)
        return "DependencyCycle", f"{names} depend on each other in a circle: none waits for another; break it"
    missing = [name for name in vm.depends_on if view.vm(f"{vm.namespace}/{name}") is None]
    if missing:
        return "DependencyMissing", f"there is no ProtectedVM {missing[0]} in this namespace and pair: not waited for"
    return "", ""


def tiers(view: PairView) -> Mapping[str, RestartPriority]:
    """The tier in which each VM is started: its own, or that of a VM that depends on it if that is higher."""
    found = {vm.key: vm.priority for vm in view.vms}
    for vm in sorted(view.vms, key=lambda vm: vm.priority):
        for other in _reachable(view, vm) if vm.should_run else ():
            found[other.key] = min(found[other.key], vm.priority)
    return found


def in_order(view: PairView) -> list[VmView]:
    """Every VM, those first that others wait for."""
    tier = tiers(view)
    return sorted(view.vms, key=lambda vm: (tier[vm.key], len(_reachable(view, vm)), vm.key))


def ahead_of(view: PairView, vm: VmView, waiting_since: float, now: float) -> Iterator[tuple[VmView, float]]:
    """The VMs that a start of this one waits for, each with the time until when at most."""
    tier = tiers(view)
    needed = {f"{vm.namespace}/{name}" for name in vm.depends_on} - {other.key for other in _circle(view, vm)}
    for other in view.vms:
        if ready(view, other) or not _is_to_come(view, other, now):
            continue
        coming = _coming_up(view, other)
        if coming is not None and (other.key in needed or tier[other.key] < tier[vm.key]):
            yield other, _gate(view, coming)
        elif coming is None and other.key in needed:
            yield other, waiting_since + view.policy.restart.ready_gate_seconds


def ready(view: PairView, vm: VmView) -> bool:
    """Its guest is up: its health check is answered, or without one KubeVirt calls the instance ready."""
    instance, action = vm.instance, view.open_action(vm.key)
    if instance is None or not vm.running:
        return False
    if action is not None and action.type in BRINGS_UP and action.instance_uid == instance.uid:
        return action.type is ActionType.RESTART  # the API may show a lost instance as running
    if vm.health_check is None:
        return instance.ready
    # The agent of a guest that has just booted is there some time before the kubelet's first probe.
    agent_is_there = vm.health_check.by_agent and not instance.signs.agent_gone and vm.answered != instance.uid
    return instance.signs.answers or agent_is_there


def _is_to_come(view: PairView, vm: VmView, now: float) -> bool:
    """Nobody keeps it down or paused, and it is not given up."""
    frozen = vm.running and vm.instance is not None and vm.instance.paused
    held = vm.pause is not None and now < vm.pause.until
    return vm.should_run and not (frozen or held) and not given_up(view, vm)


def _coming_up(view: PairView, vm: VmView) -> ActionView | None:
    """The action that brings it up, or has brought it up so far that it runs."""
    actions = [action for action in view.actions if action.target == vm.key and action.type in BRINGS_UP]
    newest = max(actions, key=lambda action: (action.open, action.created_at), default=None)
    if newest is None or not (newest.open or (newest.phase is ActionPhase.SUCCEEDED and vm.running)):
        return None
    return newest


def _gate(view: PairView, coming: ActionView) -> float:
    """Until when to wait for a VM: its own turn has no limit, since somebody is always first; coming up has."""
    if coming.open and coming.current in ("", "WaitTurn"):
        return UNTIL_ITS_TURN
    began = [at for at in map(coming.started, UNDER_WAY) if at is not None]
    since = min(began, default=coming.step.started_at if coming.step else coming.created_at)
    return since + view.policy.restart.ready_gate_seconds


def _circle(view: PairView, vm: VmView) -> tuple[VmView, ...]:
    """The VMs, itself included, that depend on it as it does on them."""
    return tuple(other for other in _reachable(view, vm) if vm in _reachable(view, other))


def _reachable(view: PairView, vm: VmView) -> tuple[VmView, ...]:
    """What it depends on, directly and through others."""
    found: dict[str, VmView] = {}
    left = [vm]
    while left:
        one = left.pop()
        for name in one.depends_on:
            other = view.vm(f"{one.namespace}/{name}")
            if other is not None and other.key not in found:
                found[other.key] = other
                left.append(other)
    return tuple(found.values())
