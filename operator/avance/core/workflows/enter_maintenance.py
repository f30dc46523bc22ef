"""EnterMaintenance: a server's VMs move to the other one while they run, and then it is a person's to work on.

Closed first, so that nothing new comes; then all VMs move at the same time; then it is made sure that none can be left.
Nothing is begun that could not be finished, as far as that can be told, and what fails leaves the server in service.
That it was carried out is what the pair's status remembers.
"""

from __future__ import annotations

from avance.core.effects import CloseNode, OpenNode
from avance.core.fitness import why_replaced
from avance.core.homecoming import TRIES
from avance.core.kubevirt_health import why_kubevirt_fails
from avance.core.licence import why_not_empty
from avance.core.liveness import Life, judge, standing_evidence
from avance.core.maintenance import leaving
from avance.core.model import ActionPhase, ActionType, ActionView, NodeView, PairView, VmView
from avance.core.pairing import why_no_pair
from avance.core.progress import Progress, act, cancel, fail, succeed, wait
from avance.core.sparing import HAND_OVER, guests_on, why_not_hand_over, why_not_spare, why_stuck
from avance.core.workflows.emptying import SETTLE_SECONDS

ACCEPT, CLOSE, VERIFY, HOLD, REOPEN = "Accept", "Close", "Verify", "Hold", "Reopen"


def advance(action: ActionView, view: PairView, now: float) -> Progress:
    node = view.node(action.target)
    if node is None:
        return cancel(ACCEPT, f"{action.target} is not a node of pair {view.name} any more")
    if standing_evidence(view, node.name):
        return _of_a_fenced_one(action, view, node)
    call_off = leaving(view, node.name)
    if action.current == REOPEN or call_off is not None:
        return _leave(action, node, call_off)
    if not _begun(action):
        return _accept(view, node, now) or act(CLOSE, f"closing {node.name} to scheduling", CloseNode(node.name))
    unheard = _why_unheard(view, now)
    if unheard:
        return wait(action.current, f"waiting for a sign of life: {unheard}", look_at=now + 1)
    if judge(view, node, now).life is Life.DEAD:
        return fail(action.current, f"{node.name} died before it was empty: what follows is that of any crash")
    needed = why_not_spare(view, node, now)
    if needed:
        return _leave(action, node, None, needed)
    return _drain(action, view, node, now)


def _begun(action: ActionView) -> bool:
    return any(action.started(step) is not None for step in (CLOSE, HAND_OVER, VERIFY))


def _of_a_fenced_one(action: ActionView, view: PairView, node: NodeView) -> Progress:
    """Proven off, it runs nothing: whoever works on it wants it left alone."""
    if any(pod.node == node.name for pod in view.pods):
        return wait(ACCEPT, f"{node.name} is proven off and still holds launcher pods: they are given up first")
    return succeed(HOLD, f"{node.name} is off and holds no VM: it is left alone until a LeaveMaintenance")


def _accept(view: PairView, node: NodeView, now: float) -> Progress | None:
    """Nothing has been done yet: what would not end well is refused, and an operator that is new listens first."""
    reason, sentence = why_no_pair(view)
    if reason:
        return cancel("Refuse", sentence)
    unheard = _why_unheard(view, now)
    if unheard:
        return wait(ACCEPT, f"waiting for a sign of life: {unheard}", look_at=now + 1)
    return cancel("Refuse", refusal) if (refusal := _why_not_begin(view, node, now)) else None


def _why_unheard(view: PairView, now: float) -> str:
    """An operator that has just begun to listen can tell nothing of its servers yet."""
    verdicts = (judge(view, each, now) for each in view.nodes)
    return next((verdict.because for verdict in verdicts if verdict.life is Life.UNHEARD), "")


def _why_not_begin(view: PairView, node: NodeView, now: float) -> str:
    verdict, peer = judge(view, node, now), view.peer(node.name)
    if verdict.life is not Life.ALIVE:
        return f"{verdict.because}: wait until it is fenced, or back"
    if node.replaced:
        return why_replaced(node)
    needed = why_not_spare(view, node, now) or why_kubevirt_fails(view.surroundings.kubevirt)
    if needed or peer is None:
        return needed
    stuck = [why for vm in guests_on(view, node.name) if (why := why_stuck(view, vm, peer.name))]
    return "; ".join(stuck) or _no_room(view, node, now)


def _no_room(view: PairView, node: NodeView, now: float) -> str:
    """What else keeps its VMs from leaving; a VM that is only starting is waited for."""
    starting = any(not vm.running for vm in guests_on(view, node.name))
    return "" if starting else why_not_hand_over(view, node, now)


def _drain(action: ActionView, view: PairView, node: NodeView, now: float) -> Progress:
    if not node.closed or not node.cordoned:
        return act(CLOSE, f"closing {node.name} to scheduling", CloseNode(node.name))
    left = guests_on(view, node.name)
    if left:
        return _hand_over(action, view, node, left, now)
    settled_at = (action.started(CLOSE) or 0.0) + SETTLE_SECONDS
    if now < settled_at:
        return wait(action.current, f"{node.name} is closed; making sure that nothing is on its way to it", settled_at)
    doubt = why_not_empty(view, node, now)
    if doubt:
        return wait(VERIFY, f"making sure that {node.name} holds no VM: {doubt}", look_at=now + 1)
    return succeed(HOLD, f"{node.name} is in maintenance: it holds no VM and takes none until a LeaveMaintenance")


def _hand_over(action: ActionView, view: PairView, node: NodeView, left: tuple[VmView, ...], now: float) -> Progress:
    """All at the same time, by the rule `handover`; each VM has some tries, and all together have a limit."""
    moves = moves_of(action, view)
    deadline = (action.started(HAND_OVER) or now) + view.policy.migration.timeout_seconds
    for vm in left:
        failed = [move for move in moves if move.target == vm.key and move.phase in _ENDED_IN_VAIN]
        if len(failed) >= TRIES:
            tried = f"{vm.key} could not be moved, tried {len(failed)} times: {failed[-1].result}"
            return _leave(action, node, None, tried)
    hindrance = why_not_hand_over(view, node, now)
    if now >= deadline and not any(move.open for move in moves):
        because = hindrance or f"{_names(left)} could not be moved in time"
        return _leave(action, node, None, because)
    words = f"{node.name} hands over {_names(left)}"
    return wait(HAND_OVER, f"{words}; not yet: {hindrance}" if hindrance else words, look_at=deadline)


def _leave(action: ActionView, node: NodeView, call_off: ActionView | None, because: str = "") -> Progress:
    """Open the server again, if this action has closed it, and end the action; why stays as it was written first."""
    written = action.step if action.current == REOPEN else None
    because = f"{call_off.name} calls it off" if call_off else because
    words = written.message if written else f"{node.name} stays in service: {because}"
    if action.started(CLOSE) is not None and (node.closed or written is None):
        return act(REOPEN, words, OpenNode(node.name))
    return cancel(REOPEN, words) if call_off else fail(REOPEN, words)


_ENDED_IN_VAIN = (ActionPhase.FAILED, ActionPhase.CANCELLED)


def moves_of(action: ActionView, view: PairView) -> list[ActionView]:
    """What has been recorded to empty the server, oldest first; an earlier try of the same incident does not count."""
    incident = action.incident or action.name
    return [
        each
        for each in view.actions
        if each.type is ActionType.MIGRATE
        and each.reason == HAND_OVER
        and each.incident == incident
        and each.created_at >= action.created_at
    ]


def _names(vms: tuple[VmView, ...]) -> str:
    return " and ".join(vm.key for vm in vms)
