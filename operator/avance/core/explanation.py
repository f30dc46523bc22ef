"""Why a VM or a server is as it is, for a person who asks: the rules' own reasons, in sentences."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from avance.core.health import score
from avance.core.maintenance import why_worked_on
from avance.core.model import ActionPhase, ActionType, ActionView, NodeView, PairView, VmView
from avance.core.mtbf import flaps_until, mean_seconds
from avance.core.policy import Failback
from avance.core.rules.health_comparison import why_it_stays, why_not_moved_to
from avance.core.standstill import standstill
from avance.core.what_if import blockers

PLACES = frozenset({ActionType.START, ActionType.MIGRATE, ActionType.RESTART, ActionType.COLD_RESTART})
"""Types of actions after which a VM is on their destination."""


@dataclass(frozen=True, slots=True)
class VmExplanation:
    """Sentences without full stops."""

    why_here: str
    scores: tuple[str, ...]
    """The arithmetic of both servers."""
    would_move: tuple[str, ...]
    keeps: tuple[str, ...]
    """What keeps it where it is; empty if nothing would."""


@dataclass(frozen=True, slots=True)
class NodeExplanation:
    """Sentences without full stops."""

    holds: tuple[str, ...]
    """The VMs whose primary it is."""
    faults: tuple[str, ...]
    history: tuple[str, ...]
    """What has failed on it before."""
    stays: tuple[str, ...]
    """VMs that stay on it though the other server is healthier, and why."""
    crash: tuple[str, ...]
    """What would keep a crash of it from being survived; empty if nothing would."""


def explain_vm(view: PairView, vm: VmView, now: float) -> VmExplanation:
    """Why a VM is where it is, and what would change that."""
    return VmExplanation(
        why_here=_why_here(view, vm),
        scores=tuple(f"{node.name} scores {score(node.faults).explanation}" for node in view.nodes),
        would_move=tuple(_would_move(view, vm, now)),
        keeps=tuple(_keeps(view, vm, now)),
    )


def explain_node(view: PairView, node: NodeView, now: float) -> NodeExplanation:
    """Why a server is rated as it is, and what hangs on it."""
    here = [vm for vm in view.vms if vm.node == node.name]
    return NodeExplanation(
        holds=tuple(vm.key for vm in here),
        faults=tuple(_fault_lines(node)),
        history=tuple(_history(view, node, now)),
        stays=tuple(f"{vm.key}: {why}" for vm in here if (why := why_it_stays(view, vm, now))),
        crash=tuple(dict.fromkeys(blocker.message for blocker in blockers(view, node, now))),
    )


def _why_here(view: PairView, vm: VmView) -> str:
    if not vm.node:
        known = f"; it was last on {vm.last_node}" if vm.last_node else ""
        return f"it is on no server now{known}"
    action = _brought_here(view, vm)
    if action is not None:
        return f"{action.type} brought it to {vm.node}: {action.message}"
    if vm.preferred_node == vm.node:
        return f"its spec prefers {vm.node}"
    return f"it is on {vm.node}, and no action on record says how it came there"


def _brought_here(view: PairView, vm: VmView) -> ActionView | None:
    done = (each for each in view.actions if each.target == vm.key and each.type in PLACES)
    ended = [each for each in done if each.phase is ActionPhase.SUCCEEDED]
    last = max(ended, key=lambda each: each.finished_at or each.created_at, default=None)
    return last if last is not None and last.destination == vm.node else None


def _would_move(view: PairView, vm: VmView, now: float) -> Iterator[str]:
    home, other = view.node(vm.node), view.peer(vm.node)
    if home is None or other is None:
        return
    action = view.open_action(vm.key)
    if action is not None:
        yield f"{action.type}{f' to {action.destination}' if action.destination else ''} is under way: {action.message}"
    health = view.policy.health
    here, there = score(home.faults).value, score(other.faults).value
    dwell = f" for {health.dwell_seconds:g} s" if health.dwell_seconds else ""
    yield (
        f"a server {other.name} that is healthier by {health.margin} points or more{dwell}; now it has {there}, "
        f"{home.name} {here}"
    )
    in_the_way = [one.message for one in blockers(view, home, now) if one.vm in ("", vm.key)]
    if in_the_way:
        yield f"a crash of {home.name} would not be survived without a person: {in_the_way[0]}"
    else:
        yield f"a crash of {home.name}: once that is proven off, it is booted on {other.name}"
    if vm.preferred_node == other.name and view.policy.recovery.failback is Failback.AUTOMATIC:
        yield f"a return of {other.name}, which its spec prefers, after a rejoin"
    yield f"a Switchover to {other.name}, or a Migrate, that a person asks for"


def _keeps(view: PairView, vm: VmView, now: float) -> Iterator[str]:
    still = standstill(view, vm.key, now)
    if still is not None:
        yield still.because
    home, other = view.node(vm.node), view.peer(vm.node)
    if home is None or other is None:
        return
    hindrance = why_not_moved_to(view, vm, other, now)
    if hindrance:
        yield hindrance
    if flaps_until(home.history, view.policy.health, now) is not None:
        yield f"a component of {home.name} comes and goes, and keeps its weight until it has been quiet"
    stay_ends = (vm.moved_at or 0.0) + view.policy.health.minimum_stay_seconds
    if now < stay_ends:
        yield f"it has only just moved: it stays for another {stay_ends - now:.0f} s (health.minimumStaySeconds)"
    if score(other.faults).value < score(home.faults).value + view.policy.health.margin:
        yield f"{other.name} is not healthier than {home.name} by the margin of {view.policy.health.margin}"


def _fault_lines(node: NodeView) -> Iterator[str]:
    for fault in node.faults:
        named = [f"{name} {value}" for name, value in (("part", fault.part), ("serial", fault.serial)) if value]
        told = [f"{fault.severity}, weight {fault.weight}", *named, *filter(None, [fault.message])]
        yield f"{fault.sentence} ({fault.condition}: {'; '.join(told)})"


def _history(view: PairView, node: NodeView, now: float) -> Iterator[str]:
    work = why_worked_on(view, node)
    if work:
        yield work
    down = node.history.declared_down
    if down is not None:
        yield f"declared down: {down.because}; a ResetMTBF trusts it again"
    for component in node.history.components:
        mean = mean_seconds(component, view.policy.mtbf.of(component.kind))
        number = len(component.counted)
        often = f"{number} fault{'' if number == 1 else 's'} on record"
        mtbf = f", MTBF {mean / 3600:.1f} h" if mean is not None else ""
        failed = "; declared failed" if component.failed_since is not None else ""
        yield f"{component.kind} {component.component}".strip() + f": {often}{mtbf}{failed}"
