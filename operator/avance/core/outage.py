"""Is a VM that shall run down: since when, for what cause, and did somebody ask for it?

What is merely silent may well run, so it is no outage; a first start is none either.
"""

from __future__ import annotations

from dataclasses import dataclass

from avance.core.intents import REQUESTED
from avance.core.liveness import Life, judge
from avance.core.model import ActionType, ActionView, PairView, VmView

ANSWERS = (ActionType.RESTART, ActionType.COLD_RESTART, ActionType.START, ActionType.STOP, ActionType.GIVE_UP)
"""What is done to a VM that is down, or that somebody wants down."""


@dataclass(frozen=True, slots=True)
class Outage:
    """A VM that shall run is down."""

    since: float
    cause: str = ""
    """The reason of the action that answers it (ServerCrash, GuestFailed, Requested, …); empty before there is one."""
    incident: str = ""
    """What else was done about the same incident carries it too."""
    planned: bool = False
    """Somebody asked for it."""


def outage(view: PairView, vm: VmView, now: float) -> Outage | None:
    """None while it runs, shall not run, or has never run."""
    since = _down_since(view, vm, now)
    if since is None:
        return None
    answer = _answer(view, vm, since)
    if answer is None:
        return Outage(since)
    return Outage(since, answer.reason, answer.incident, answer.reason == REQUESTED)


def _down_since(view: PairView, vm: VmView, now: float) -> float | None:
    """On a dead node it counts from when the survivor heard it no more."""
    action = view.open_action(vm.key)
    if not vm.should_run or (action and action.type is ActionType.START):
        return None
    if vm.instance is None:
        # Between its last instance and the next one; a VM that was on no node yet waits for its first start.
        return now if vm.last_node and action else None
    node = view.node(vm.instance.node)
    if vm.running:
        if node is None or judge(view, node, now).life is not Life.DEAD:
            return None
        peer = view.peer(node.name)
        return max(node.heard_at, (peer.peer_unreachable_since if peer else None) or 0.0)
    return vm.instance.ended_at or now


def _answer(view: PairView, vm: VmView, since: float) -> ActionView | None:
    """What is being done about it, else what was done last since it began, else the fence of its server."""
    of_its_own = [action for action in view.actions if action.target == vm.key and action.type in ANSWERS]
    due = [action for action in of_its_own if action.open or action.created_at >= since]
    fences = [action for action in view.actions_on(vm.node, ActionType.FENCE) if action.open]
    return max(due or fences, key=lambda action: action.created_at, default=None)
