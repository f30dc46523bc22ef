"""A VM that fails is restarted where it is, then on the other node, then given up: what is on record decides.

Restarts count for as long as `restart.windowSeconds` says. A person's request and a surrender begin the count anew.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from avance.core.fitness import room_on, why_not_serve
from avance.core.intents import REQUESTED, Intent, LookAgain, incident_id, intent
from avance.core.model import ActionPhase, ActionType, ActionView, NodeView, PairView, VmView
from avance.core.placement import choose_node, why_nowhere
from avance.core.replication import why_not_start_on

FIRST_PAUSE_SECONDS = 10.0
LONGEST_PAUSE_SECONDS = 300.0
UNTIL = "given up until its spec changes or somebody asks for a Restart"
SECOND_LOOK_SECONDS = 5.0
"""Room and fitness of a node change without a sign of their own."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed life of a VM: what to call it, and how it is told."""

    reason: str
    message: str
    incident: str
    instance_uid: str
    home: str
    """The node that it was on; empty if it never came to one."""


def answer(view: PairView, vm: VmView, failure: Failure, now: float) -> Iterator[Intent | LookAgain]:
    """Restart it where it is, at once and then ever more slowly; then on the other node; then give it up."""
    if given_up(view, vm):
        return
    if exhausted(view, vm, failure.home, now):
        yield _surrender(view, vm, failure, now)
        return
    due = _due(view, vm, now)
    if now < due:
        yield LookAgain(due)
        return
    destination, hindrance = _where(view, vm, failure.home, now)
    if hindrance:
        yield LookAgain(now + SECOND_LOOK_SECONDS)
        return
    elsewhere = bool(failure.home) and destination != failure.home
    tried = Counter(restart.destination for restart in restarts(view, vm, now))[failure.home]
    why = f"; it was restarted {tried} times on {failure.home}: trying {destination}" if elsewhere and tried else ""
    yield intent(
        view,
        ActionType.RESTART,
        vm.key,
        reason=failure.reason,
        message=failure.message + why,
        incident=failure.incident,
        destination=destination,
        instance_uid=failure.instance_uid,
    )


def restarts(view: PairView, vm: VmView, now: float) -> list[ActionView]:
    """Restarts of it that avance has decided on and that count, oldest first."""
    since = _count_begins(view, vm, now)
    return [
        action
        for action in view.actions_on(vm.key, ActionType.RESTART)
        if action.created_at > since and action.reason != REQUESTED and action.phase is not ActionPhase.CANCELLED
    ]


def cold_restarts(view: PairView, vm: VmView, now: float) -> list[ActionView]:
    """Cold restarts of it that succeeded and count, oldest first."""
    since = _count_begins(view, vm, now)
    actions = view.actions_on(vm.key, ActionType.COLD_RESTART)
    return [action for action in actions if action.created_at > since and action.phase is ActionPhase.SUCCEEDED]


def given_up(view: PairView, vm: VmView) -> ActionView | None:
    """The record by which it was given up, while that stands.

    It ends with a change of its spec, a person's Restart or Start, and a life of it that answers, whoever began it.
    """
    record = _surrendered(view, vm)
    if record is None or record.incident != _surrender_incident(vm) or _asked_since(view, vm, record.created_at):
        return None
    instance = vm.instance
    if instance is not None and instance.uid != record.instance_uid:
        return None
    runs_well = vm.running and instance is not None and instance.signs.silent_since is None
    return None if runs_well else record


def exhausted(view: PairView, vm: VmView, home: str, now: float) -> bool:
    """It has been restarted as often as it may on both nodes."""
    tried = Counter(restart.destination for restart in restarts(view, vm, now))
    other = view.peer(home)
    return bool(home) and all(
        tried[name] >= view.policy.restart.max_restarts for name in (home, other.name if other else home)
    )


def why_not_restarted(view: PairView, vm: VmView, now: float) -> str:
    """Why a VM whose instance has ended is not restarted now, in words; empty if nothing keeps it."""
    record = given_up(view, vm)
    if record is not None:
        return record.message
    if vm.instance is None or not vm.instance.phase.final:
        return ""
    return _where(view, vm, vm.instance.node, now)[1]


def surrender_to_crashes(view: PairView, vm: VmView, incident: str, now: float) -> Intent | None:
    """A VM that takes one server after the other down with it is not given a further one."""
    done = [action for action in cold_restarts(view, vm, now) if action.incident != incident]
    if vm.instance is None or len(done) < view.policy.restart.max_cold_restarts:
        return None
    message = f"{vm.key} has lost its server {len(done) + 1} times within {_window(view)}"
    return _surrender(view, vm, Failure("", message, incident, vm.instance.uid, vm.instance.node), now)


def _where(view: PairView, vm: VmView, home: str, now: float) -> tuple[str, str]:
    """The node to restart it on, or why there is none now."""
    here, other = view.node(home), view.peer(home)
    if here is None or other is None:
        anywhere = choose_node(view, vm, now)
        return (anywhere, "") if anywhere else ("", why_nowhere(view, vm, now))
    tried = Counter(restart.destination for restart in restarts(view, vm, now))
    left = [node for node in (here, other) if tried[node.name] < view.policy.restart.max_restarts]
    hindrances = [_why_not_on(view, vm, node, node is here, now) for node in left]
    fit = next((node.name for node, hindrance in zip(left, hindrances, strict=True) if not hindrance), "")
    return (fit, "") if fit else ("", "; ".join(hindrances))


def _why_not_on(view: PairView, vm: VmView, node: NodeView, at_home: bool, now: float) -> str:
    if not at_home and not vm.needs.fits_in(room_on(view, node)):
        return f"{node.name} has no room for it"
    return why_not_serve(view, node, now) or why_not_start_on(view, vm, node.name)


def _due(view: PairView, vm: VmView, now: float) -> float:
    recent = [restart.created_at for restart in restarts(view, vm, now)]
    if not recent:
        return 0.0
    return max(recent) + min(FIRST_PAUSE_SECONDS * 2.0 ** (len(recent) - 1), LONGEST_PAUSE_SECONDS)


def _surrender(view: PairView, vm: VmView, failure: Failure, now: float) -> Intent:
    return intent(
        view,
        ActionType.GIVE_UP,
        vm.key,
        reason="KeepsFailing",
        message=f"{failure.message}{_tries(view, vm, now)}: {UNTIL}",
        incident=_surrender_incident(vm),
        instance_uid=failure.instance_uid,
    )


def _tries(view: PairView, vm: VmView, now: float) -> str:
    tried = Counter(restart.destination for restart in restarts(view, vm, now))
    counts = " and ".join(f"{count} times on {node}" for node, count in sorted(tried.items()))
    return f"; it was restarted {counts} within {_window(view)}" if counts else ""


def _window(view: PairView) -> str:
    return f"{view.policy.restart.window_seconds / 60:g} min"


def _surrender_incident(vm: VmView) -> str:
    """Another one after each change of the spec."""
    return incident_id("given-up", vm.name, vm.namespace, vm.generation)


def _surrendered(view: PairView, vm: VmView) -> ActionView | None:
    return next(reversed(view.actions_on(vm.key, ActionType.GIVE_UP)), None)


def _count_begins(view: PairView, vm: VmView, now: float) -> float:
    record = _surrendered(view, vm)
    asked = [action.created_at for action in _asked(view, vm)]
    return max([now - view.policy.restart.window_seconds, *asked, *([record.created_at] if record else [])])


def _asked_since(view: PairView, vm: VmView, moment: float) -> bool:
    return any(action.created_at > moment for action in _asked(view, vm))


def _asked(view: PairView, vm: VmView) -> Iterator[ActionView]:
    """A person's requests to start it that were not refused."""
    for type_ in (ActionType.RESTART, ActionType.START):
        for action in view.actions_on(vm.key, type_):
            if action.reason == REQUESTED and action.phase is not ActionPhase.CANCELLED:
                yield action
