"""RollingUpgrade: both servers in turn, the backup first, each emptied, held for the work on it, and taken back.

What it does to a server is an EnterMaintenance or LeaveMaintenance of its own; the rule `rolling_upgrade` wants them.
"""

from __future__ import annotations

from dataclasses import replace

from avance.core.liveness import Life, judge
from avance.core.model import ActionView, PairView
from avance.core.progress import Progress, wait
from avance.core.upgrade import CHECK, stage
from avance.core.upgrade_word import noted


def advance(action: ActionView, view: PairView, now: float) -> Progress:
    for node in view.nodes if not action.steps else ():
        verdict = judge(view, node, now)
        if verdict.life is Life.UNHEARD:
            return wait(CHECK, f"waiting for a sign of life: {verdict.because}", verdict.reconsider_at)
    found = stage(view, action, now)
    progress = Progress(found.step, found.message, outcome=found.over, look_at=found.look_at)
    return progress if action.notes else replace(progress, notes=noted(view, action))
