"""DeclareDown: a server that keeps failing is emptied and stays closed until its MTBF is reset.

That it was carried out is what the pair's status remembers; the server keeps its power, and its copy of the disks.
"""

from __future__ import annotations

from avance.core.liveness import standing_evidence
from avance.core.model import ActionView, PairView
from avance.core.progress import Progress, cancel, succeed
from avance.core.sparing import why_not_spare
from avance.core.workflows.emptying import empty, leave_it


def advance(action: ActionView, view: PairView, now: float) -> Progress:
    node = view.node(action.target)
    if node is None:
        return cancel("Close", f"{action.target} is not a node of this pair any more")
    if node.history.lifted_at > action.created_at:
        return leave_it(action, node, "its MTBF was reset meanwhile")
    done = f"{node.name} is declared down: {action.message or 'somebody asked for it'}"
    if node.history.declared_down is not None or standing_evidence(view, node.name):
        return succeed("Close", done)
    needed = why_not_spare(view, node, now)
    if needed or action.started("Reopen") is not None:
        return leave_it(action, node, needed or "it was left alone")
    return empty(action, view, node, now) or succeed("Close", done)
