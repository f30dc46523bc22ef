"""Edit: somebody has changed the spec of the pair or of a VM. The record is all there is to do."""

from __future__ import annotations

from avance.core.model import ActionView, PairView
from avance.core.progress import Progress, succeed


def advance(action: ActionView, view: PairView, now: float) -> Progress:
    return succeed("Record", action.message)
