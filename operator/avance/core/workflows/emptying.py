"""The common beginning of Reboot and DeclareDown: close the server, hand its VMs over, or leave it as it was."""

from __future__ import annotations

from avance.core.effects import CloseNode, OpenNode
from avance.core.model import ActionView, NodeView, PairView
from avance.core.progress import Progress, act, cancel, fail, wait
from avance.core.sparing import HAND_OVER, guests_on, why_not_hand_over

SETTLE_SECONDS = 2.0
"""After the server is seen closed: what the scheduler had bound there just before shows itself in this time."""


def empty(action: ActionView, view: PairView, node: NodeView, now: float) -> Progress | None:
    """Next step until the server holds no VM and takes none; None once that is so."""
    if not node.closed or not node.cordoned:
        return act("Close", f"closing {node.name} to scheduling", CloseNode(node.name))
    left = guests_on(view, node.name)
    if not left:
        settled_at = (action.started("Close") or 0.0) + SETTLE_SECONDS
        if now < settled_at:
            return wait("Close", f"{node.name} is closed; making sure that nothing is on its way to it", settled_at)
        return None
    hindrance = why_not_hand_over(view, node, now)
    deadline = (action.started(HAND_OVER) or now) + view.policy.migration.timeout_seconds
    if hindrance or now >= deadline:
        return leave_it(action, node, hindrance or f"{', '.join(vm.key for vm in left)} could not be moved in time")
    return wait(HAND_OVER, f"{node.name} hands over {', '.join(vm.key for vm in left)}", look_at=deadline)


def leave_it(action: ActionView, node: NodeView, because: str, *, failed: bool = False) -> Progress:
    """Open the server again if this action has closed it, and end the action.

    Once closing it was ordered, opening it is too, even if the view does not show it closed yet.
    """
    ordered = action.started("Close") is not None and action.started("Reopen") is None
    if ordered or (node.closed and action.started("Close") is not None):
        return act("Reopen", f"{node.name} stays in service: {because}", OpenNode(node.name))
    end = fail if failed else cancel
    return end("Reopen", f"{node.name} stays in service: {because}")
