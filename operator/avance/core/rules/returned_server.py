"""Returned server: it is switched on, stabilises and serves as the backup."""

from __future__ import annotations

from collections.abc import Iterator

from avance.core.departures import have_left
from avance.core.fitness import why_replaced
from avance.core.intents import Intent, LookAgain, incident_id, intent
from avance.core.liveness import Life, judge, standing_evidence
from avance.core.model import ActionType, NodeView, PairView


def take_it_back(view: PairView, now: float) -> Iterator[Intent | LookAgain]:
    """A server that avance closed rejoins once its VMs are dealt with: a fenced one, or one that lives after all."""
    for node in view.nodes:
        if node.replaced:
            yield _identify(view, node)
            continue
        if _was_drained(view, node, now):
            yield _uncordoned(view, node)
            continue
        if not (node.closed or node.out_of_service) or _restarts_pending(view, node.name):
            continue
        if node.history.declared_down is not None:
            continue  # it stays out of service until somebody resets its MTBF
        fenced = standing_evidence(view, node.name) is not None
        if fenced or judge(view, node, now).life is Life.ALIVE:
            yield intent(
                view,
                ActionType.REJOIN,
                node.name,
                reason="ServerFenced" if fenced else "ServerReturned",
                message=f"{node.name} is closed and its VMs are dealt with: taking it back as the backup",
                incident=_incident(view, node),
            )


def _identify(view: PairView, node: NodeView) -> Intent:
    """Replaced server: recognised by its system UUID, closed, and waiting for a person."""
    return intent(
        view,
        ActionType.REJOIN,
        node.name,
        reason="ServerReplaced",
        message=why_replaced(node),
        incident=incident_id("replaced", node.name, node.history.system_uuid, node.system_uuid),
    )


def _was_drained(view: PairView, node: NodeView, now: float) -> bool:
    """Somebody had cordoned it, VMs have left it since, and now it is open again."""
    if node.cordoned or node.closed or node.out_of_service or not have_left(view, node, node.history.cordoned_at):
        return False
    return judge(view, node, now).life is Life.ALIVE


def _uncordoned(view: PairView, node: NodeView) -> Intent:
    """Planned downtime by another hand ends like any other: the server is watched before VMs go back to it."""
    return intent(
        view,
        ActionType.REJOIN,
        node.name,
        reason="Uncordoned",
        message=f"somebody has uncordoned {node.name}, which VMs had left: watching it before they go back",
        incident=incident_id("uncordoned", node.name, node.history.cordoned_at),
    )


def _incident(view: PairView, node: NodeView) -> str:
    """That of the newest fence, whose story this ends."""
    fences = view.actions_on(node.name, ActionType.FENCE)
    return fences[-1].incident if fences else incident_id("rejoin", node.name, node.boot_id)


def _restarts_pending(view: PairView, node: str) -> bool:
    """VMs that are not yet KubeVirt's to boot. One that boots may lack room, and this server is where it has it."""
    incidents = {fence.incident for fence in view.actions_on(node, ActionType.FENCE)}
    restarts = (a for a in view.actions if a.open and a.type is ActionType.COLD_RESTART and a.incident in incidents)
    return any(restart.current != "Boot" for restart in restarts)
