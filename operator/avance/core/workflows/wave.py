"""Failback and Switchover: VMs go to one server together, in one wave, each by a Migrate of its own.

Failback brings those home whose home the server is; Switchover brings all. A wave that loses its sense is called off:
what copies already arrives, the rest stays where it is.
"""

from __future__ import annotations

from avance.core.homecoming import MOVE, moves_of, travellers, why_no_wave
from avance.core.model import ActionPhase, ActionView, PairView
from avance.core.progress import Progress, cancel, fail, succeed, wait


def advance(action: ActionView, view: PairView, now: float) -> Progress:
    moves = moves_of(view, action)
    hindrance = why_no_wave(view, action.type, action.target, now)
    if hindrance:
        return cancel(MOVE, f"no more VMs are brought to {action.target}: {hindrance}")
    under_way = [move.target for move in moves if move.open]
    if under_way:
        return wait(MOVE, f"{' and '.join(under_way)} are on their way to {action.target}")
    waiting = travellers(view, action)
    if waiting:
        return wait(MOVE, f"{' and '.join(vm.key for vm in waiting)} go to {action.target} together")
    brought = {move.target for move in moves if move.phase is ActionPhase.SUCCEEDED}
    left = sorted({move.target for move in moves} - brought)
    if left:
        return fail(MOVE, f"{' and '.join(left)} could not be brought to {action.target} and run on where they are")
    return succeed(MOVE, f"{len(brought)} VMs were brought to {action.target}")
