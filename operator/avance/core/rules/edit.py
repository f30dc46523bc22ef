"""Everybody's edits of the pair and its VMs go on record, also while it is paused or only observed.

The log must not be flooded by two controllers that undo each other's work: of one object only so many edits are
recorded in an hour and a day. What happens meanwhile is one edit, from what is on record to what there is then.
"""

from __future__ import annotations

from collections.abc import Iterator

from avance.core.edits import Edit, EditKind, names
from avance.core.intents import Intent, LookAgain, record_of_edit
from avance.core.model import ActionType, PairView

AT_MOST = ((3600.0, 5), (86400.0, 24))
"""Seconds, and how many edits of one object are recorded within."""
MESSAGE_LENGTH = 1000


def record_edits(view: PairView, now: float) -> Iterator[Intent | LookAgain]:
    """One record for each object whose spec is not as the log has it."""
    for edit in view.edits:
        if not is_recorded(view, edit):
            due = _due(view, edit, now)
            yield LookAgain(due) if due > now else record_of_edit(view, edit, message(edit))


def is_recorded(view: PairView, edit: Edit) -> bool:
    """The log has it, so its spec may become the one that later edits are compared with."""
    name = record_of_edit(view, edit, "").name
    return any(action.name == name for action in view.actions_on(edit.record.target, ActionType.EDIT))


def _due(view: PairView, edit: Edit, now: float) -> float:
    """When the next record of this object may be written."""
    written = sorted(action.created_at for action in view.actions_on(edit.record.target, ActionType.EDIT))
    return max((written[-number] + seconds for seconds, number in AT_MOST if len(written) >= number), default=now)


def message(edit: Edit) -> str:
    """What was done, by how many edits, and by whom beside the one who did it last."""
    target, edits = edit.record.target, edit.record.generation - edit.since
    if edit.kind is EditKind.CREATED:
        words = f"{target} was created" + (f" and edited {edits - 1} times" if edits > 1 else "")
        words += f", with VMs that were there: {_shortened(edit.changes)}" if edit.along else ""
    elif edit.kind is EditKind.DELETED:
        return f"{target} was deleted; by whom, the audit log of the API server tells"
    else:
        words = _shortened(edit.changes) or f"{target} was edited, and is as it was"
        words += f"; {edits} edits in all" if edits > 1 else ""
    if edit.earlier:
        words += f"; before that by {names(edit.earlier)}"
    return f"{words}; {edit.hint}" if edit.hint else words


def _shortened(changes: tuple[str, ...]) -> str:
    """As many as fit, and how many do not."""
    fit: list[str] = []
    for change in changes:
        if sum(map(len, fit)) + 2 * len(fit) + len(change) > MESSAGE_LENGTH - 200:
            return "; ".join([*fit, f"and {len(changes) - len(fit)} more"])
        fit.append(change)
    return "; ".join(fit)
