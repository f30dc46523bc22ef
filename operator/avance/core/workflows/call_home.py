"""CallHome: report a failed part that somebody has to bring. The record is the report; there is no one to wait for."""

from __future__ import annotations

from avance.core.model import ActionView, PairView
from avance.core.progress import Progress, succeed


def advance(action: ActionView, view: PairView, now: float) -> Progress:
    return succeed("Report", action.message)
