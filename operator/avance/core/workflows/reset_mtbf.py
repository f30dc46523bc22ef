"""ResetMTBF: a person trusts a node again. Its faults count no more, and a server that was declared down rejoins.

The record is the deed: who asked and why stand in it, and the memory of the node begins anew with its end.
"""

from __future__ import annotations

from avance.core.model import ActionView, PairView
from avance.core.progress import Progress, succeed


def advance(action: ActionView, view: PairView, now: float) -> Progress:
    return succeed("Reset", f"the faults of {action.target} count no more: {action.message or 'no reason given'}")
