"""The word that the work on a server is done: a person's, or that of the versions that the server reports.

A person gives it by a LeaveMaintenance of the server, which is carried out like any other. What the server reports is
read here, and only when it is there again: alive and Ready.
"""

from __future__ import annotations

from avance.core.liveness import Life, judge
from avance.core.model import ActionView, NodeView, PairView
from avance.core.upgrade_request import ANYTHING_NEW


def word_of(view: PairView, action: ActionView, node: NodeView, now: float) -> str:
    """That the work on a server is done, as a sentence; empty while nothing says so."""
    if action.upgrade is None or not action.upgrade.versions or not _is_there(view, node, now):
        return ""
    before, reported = dict(action.notes), dict(node.versions)
    for field, wanted in action.upgrade.versions:
        there = reported.get(field, "")
        if not there or (there == before.get(_note(node, field), there) if wanted == ANYTHING_NEW else there != wanted):
            return ""
    found = " and ".join(f"{field} {reported[field]}" for field, _ in action.upgrade.versions)
    return f"{node.name} reports {found}"


def noted(view: PairView, action: ActionView) -> tuple[tuple[str, str], ...]:
    """What every server reports now, to be told from what it reports later."""
    if action.upgrade is None:
        return ()
    wanted = {field for field, _ in action.upgrade.versions}
    return tuple((_note(node, field), to) for node in view.nodes for field, to in node.versions if field in wanted)


def _note(node: NodeView, field: str) -> str:
    return f"{node.name}/{field}"


def awaited(action: ActionView, node: NodeView) -> str:
    """What ends the wait, in words that say what to do."""
    person = f"`avance upgrade done {node.name}` says that it is done"
    if action.upgrade is None or not action.upgrade.versions:
        return person
    wanted = (f"{field} {'other than before' if to == ANYTHING_NEW else to}" for field, to in action.upgrade.versions)
    return f"waiting until it is Ready with {' and '.join(wanted)}, or {person}"


def _is_there(view: PairView, node: NodeView, now: float) -> bool:
    return node.ready == "True" and judge(view, node, now).life is Life.ALIVE
