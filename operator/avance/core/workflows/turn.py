"""The turn of a VM that is started: tiers and dependencies in order, each gate with a cap."""

from __future__ import annotations

from avance.core.model import ActionView, PairView, VmView
from avance.core.order import UNDER_WAY, UNTIL_ITS_TURN, ahead_of
from avance.core.progress import Progress, wait


def wait_turn(action: ActionView, view: PairView, vm: VmView, now: float) -> Progress | None:
    """Wait while somebody is first; None once its turn has come. A turn that has come stays."""
    if any(action.started(step) is not None for step in UNDER_WAY):
        return None
    began = action.started("WaitTurn")
    since = now if began is None else began
    gates = [(other, until) for other, until in ahead_of(view, vm, since, now) if now < until]
    if not gates:
        return None
    names = ", ".join(other.key for other, _ in gates)
    look_at = min(until for _, until in gates)
    return wait(
        "WaitTurn", f"{vm.key} waits for {names} to be ready first", None if look_at == UNTIL_ITS_TURN else look_at
    )
