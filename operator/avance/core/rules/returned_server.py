"""Returned server: it is switched on, stabilises and serves as the backup."""

from __future__ import annotations

from collections.abc import Iterator

from avance.core.intents import Intent, LookAgain, incident_id, intent
from avance.core.model import ActionType, ActionView, PairView


def take_it_back(view: PairView, now: float) -> Iterator[Intent | LookAgain]:
    """A server that avance had fenced rejoins once all its VMs have been dealt with."""
    for node in view.nodes:
        fence = _last_fence(view, node.name)
        if fence is None or not (node.closed or node.out_of_service) or _restarts_pending(view, fence):
            continue
        yield intent(
            view,
            ActionType.REJOIN,
            node.name,
            reason="ServerFenced",
            message=f"{node.name} was fenced and its VMs are dealt with: taking it back as the backup",
            incident=fence.incident or incident_id("rejoin", node.name, node.boot_id),
        )


def _last_fence(view: PairView, node: str) -> ActionView | None:
    """The newest fence of the node that ended with evidence."""
    fences = [a for a in view.actions_on(node, ActionType.FENCE) if a.evidence is not None and not a.open]
    return max(fences, key=lambda action: action.created_at, default=None)


def _restarts_pending(view: PairView, fence: ActionView) -> bool:
    return any(a.open and a.type is ActionType.COLD_RESTART and a.incident == fence.incident for a in view.actions)
