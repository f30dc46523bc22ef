"""PauseUpgrade, ResumeUpgrade and AbortUpgrade: what a person says about the rolling upgrade of a pair.

The record is the deed: the upgrade reads who said so, and why.
"""

from __future__ import annotations

from avance.core.model import ActionType, ActionView, PairView
from avance.core.progress import Progress, succeed
from avance.core.upgrade import under_way

_WORDS = {
    ActionType.PAUSE_UPGRADE: "begins nothing more until it is resumed",
    ActionType.RESUME_UPGRADE: "goes on",
    ActionType.ABORT_UPGRADE: "gives back what it has taken out of service, and ends",
}


def advance(action: ActionView, view: PairView, now: float) -> Progress:
    upgrade = under_way(view)
    return succeed("Say", f"the rolling upgrade {upgrade.name if upgrade else ''} {_WORDS[action.type]}")
