"""Rolling upgrade: both servers of a pair are worked on in turn, the backup first. Where it stands, by the records.

It keeps nothing of its own. Its children, an EnterMaintenance and a LeaveMaintenance of each server, carry its incident
and tell how far it is; what people say about it is a record too. So whoever takes over goes on where it was.
Nothing is begun by it while the pair is not whole, and what goes wrong on the way stops it until a person has looked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from avance.core.fitness import private_link_up, why_not_serve
from avance.core.intents import last_failure
from avance.core.kubevirt_health import why_kubevirt_fails
from avance.core.maintenance import entering, leaving, why_worked_on, worked_on
from avance.core.model import ActionPhase, ActionType, ActionView, NodeView, PairView
from avance.core.pairing import why_no_pair
from avance.core.placement import pair_primary
from avance.core.replication import why_not_all_synced
from avance.core.sparing import serious_fault
from avance.core.standstill import standstill
from avance.core.upgrade_word import awaited, word_of

CHECK, EMPTY, AWAIT_WORD, RETURN = "Check", "Empty", "AwaitWord", "Return"
AWAIT_HEALTH, PAUSED, STOPPED, ABORT, DONE = "AwaitHealth", "Paused", "Stopped", "Abort", "Done"
RETRY_SECONDS = 30.0
"""Between tries to give a server back while an upgrade is aborted."""
_CHILDREN = (ActionType.ENTER_MAINTENANCE, ActionType.LEAVE_MAINTENANCE)
_IN_VAIN = (ActionPhase.FAILED, ActionPhase.CANCELLED)


@dataclass(frozen=True, slots=True)
class Stage:
    """Where an upgrade stands: the step to record, in words, and the child that it wants recorded then."""

    step: str
    message: str
    wants: ActionType | None = None
    node: str = ""
    over: ActionPhase | None = None
    """Set when the upgrade has ended."""
    look_at: float | None = None


def under_way(view: PairView) -> ActionView | None:
    """The rolling upgrade that has begun and not ended; None if there is none."""
    found = (each for each in view.actions if each.type is ActionType.ROLLING_UPGRADE and each.open)
    return next((action for action in found if action.steps), None)


def stage(view: PairView, action: ActionView, now: float) -> Stage:
    """Where it stands now. An abort wins over everything, what is under way is seen to its end."""
    abort = _newest(view, action, ActionType.ABORT_UPGRADE)
    if abort is not None or action.started(ABORT) is not None:
        return _abort(view, action, abort, now)
    for name in _order(view, action):
        node = view.node(name)
        if node is None:
            return Stage(STOPPED, f"{name} is not a node of pair {view.name} any more: it goes on when that is back")
        if not _is_done(view, action, node):
            return _of_node(view, action, node, now)
    return Stage(DONE, f"{' and '.join(_order(view, action))} were upgraded in turn", over=ActionPhase.SUCCEEDED)


def why_not_whole(view: PairView, now: float) -> str:
    """Why no server may be taken out of service for an upgrade now, in words; empty when one may."""
    reason, sentence = why_no_pair(view)
    if reason:
        return sentence
    for node in view.nodes:
        busy = view.open_action(node.name)
        hindrance = (
            why_worked_on(view, node)
            or why_not_serve(view, node, now)
            or serious_fault(node)
            or (f"{busy.type} of {node.name} is under way" if busy is not None else "")
        )
        if hindrance:
            return hindrance
    link = "" if private_link_up(view) else "the private link is down"
    return link or why_not_all_synced(view)[1] or why_kubevirt_fails(view.surroundings.kubevirt)


def _order(view: PairView, action: ActionView) -> tuple[str, ...]:
    """The backup first: the one that was emptied first, or that holds fewer VMs now."""
    entered = next((child.target for child in _children(view, action, ActionType.ENTER_MAINTENANCE)), "")
    names = [node.name for node in view.nodes]
    first = entered or next((name for name in names if name != pair_primary(view)), "")
    return (first, *(name for name in names if name != first))


def _children(view: PairView, action: ActionView, type_: ActionType, node: str = "") -> list[ActionView]:
    """Oldest first."""
    mine = (each for each in view.actions if each.type is type_ and each.incident == action.incident)
    return [each for each in mine if node in ("", each.target)]


def _entered(view: PairView, action: ActionView, node: str) -> ActionView | None:
    """The EnterMaintenance of this upgrade that has emptied the node; None if none has."""
    tries = _children(view, action, ActionType.ENTER_MAINTENANCE, node)
    return next((each for each in reversed(tries) if each.phase is ActionPhase.SUCCEEDED), None)


def _is_done(view: PairView, action: ActionView, node: NodeView) -> bool:
    """It was emptied for this upgrade and has been given back, with all that belongs to that."""
    entered = _entered(view, action, node.name)
    ended = entered is not None and node.history.maintenance_ended_at > (entered.finished_at or 0.0)
    return ended and not worked_on(node) and leaving(view, node.name) is None


def _of_node(view: PairView, action: ActionView, node: NodeView, now: float) -> Stage:
    going = _in_progress(view, action, node)
    if going is not None:
        return going
    halted = _halted(view, action, now)
    if halted is not None:
        return halted
    entered = _entered(view, action, node.name)
    if entered is not None and worked_on(node):
        word = word_of(view, action, node, now)
        if word:
            return Stage(RETURN, f"{word}: {node.name} is taken back", ActionType.LEAVE_MAINTENANCE, node.name)
        return Stage(AWAIT_WORD, f"{node.name} is empty and yours to work on; {awaited(action, node)}", node=node.name)
    unwell = why_not_whole(view, now)
    if unwell and not action.steps:
        return Stage("Refuse", f"not begun: {unwell}; ask again when the pair is whole", over=ActionPhase.CANCELLED)
    if unwell:
        return Stage(AWAIT_HEALTH, f"before {node.name} is emptied the pair has to be whole: {unwell}", look_at=now + 5)
    return Stage(EMPTY, f"{node.name} is to be emptied", ActionType.ENTER_MAINTENANCE, node.name)


def _in_progress(view: PairView, action: ActionView, node: NodeView) -> Stage | None:
    """What is being done to the server for the upgrade, whoever asked for it."""
    back = leaving(view, node.name)
    if back is not None:
        return Stage(RETURN, f"{node.name} is taken back: {_says(back)}", node=node.name)
    tries = _children(view, action, ActionType.ENTER_MAINTENANCE, node.name)
    child = next((each for each in tries if each.open), None)
    return Stage(EMPTY, f"{node.name} is being emptied: {_says(child)}", node=node.name) if child else None


def _says(child: ActionView) -> str:
    return (child.step.message if child.step else "") or "not taken up yet"


# ── what halts it ──


def _halted(view: PairView, action: ActionView, now: float) -> Stage | None:
    resumed = _newest(view, action, ActionType.RESUME_UPGRADE)
    since = resumed.created_at if resumed else 0.0
    trouble = max(((at, why) for at, why in _troubles(view, action) if at > since), default=None)
    if trouble is not None:
        return Stage(STOPPED, f"{trouble[1]}: look into it, then resume the upgrade or abort it")
    paused = _newest(view, action, ActionType.PAUSE_UPGRADE)
    if paused is not None and paused.created_at > since:
        by = f" by {paused.requested_by}" if paused.requested_by else ""
        why = f" ({paused.message})" if paused.message else ""
        return Stage(PAUSED, f"paused{by}{why}: nothing is begun until somebody resumes it")
    still = standstill(view, "", now)
    if still is not None and action.steps:
        return Stage(PAUSED, f"nothing is begun, because {still.because}", look_at=still.until)
    return None


def _troubles(view: PairView, action: ActionView) -> Iterator[tuple[float, str]]:
    """What has gone wrong since it began, and when."""
    for type_, words in zip(_CHILDREN, ("was not emptied", "was not taken back"), strict=True):
        for child in _children(view, action, type_):
            if child.phase in _IN_VAIN:
                yield child.finished_at or child.created_at, f"{child.target} {words}: {child.result}"
    for node in view.nodes:
        for fence in view.actions_on(node.name, ActionType.FENCE):
            if fence.evidence is not None and fence.created_at >= action.created_at:
                yield fence.created_at, f"{node.name} has crashed since the upgrade began"


def _newest(view: PairView, action: ActionView, type_: ActionType) -> ActionView | None:
    """The newest that a person has said of this kind since it was asked for, refusals aside."""
    said = [each for each in view.actions if each.type is type_ and each.phase is ActionPhase.SUCCEEDED]
    about = [each for each in said if each.created_at >= action.created_at]
    return max(about, key=lambda each: each.created_at, default=None)


# ── its end before its time ──


def _abort(view: PairView, action: ActionView, abort: ActionView | None, now: float) -> Stage:
    """What it has closed is opened again; a server that is off is waited for. Then it is over."""
    for node in view.nodes:
        back = leaving(view, node.name)
        if back is not None:
            return Stage(ABORT, f"aborting: {node.name} is taken back: {_says(back)}", node=node.name)
        child = next((c for c in _children(view, action, ActionType.ENTER_MAINTENANCE, node.name) if c.open), None)
        if child is not None and entering(view, node.name) is None:
            return Stage(ABORT, f"aborting: waiting for {child.name} to be taken up", look_at=now + 1)
        mine = _entered(view, action, node.name) is not None and not _is_done(view, action, node) and worked_on(node)
        if child is not None or mine:
            due = last_failure(view, node.name, ActionType.LEAVE_MAINTENANCE) + RETRY_SECONDS
            wants = ActionType.LEAVE_MAINTENANCE if now >= due else None
            words = f"aborting: {node.name} is given back"
            return Stage(ABORT, words, wants, node.name, look_at=due if wants is None else None)
    by = f" by {abort.requested_by}" if abort is not None and abort.requested_by else ""
    why = f": {abort.message}" if abort is not None and abort.message else ""
    return Stage(ABORT, f"aborted{by}{why}; no server is left out of service by it", over=ActionPhase.CANCELLED)
