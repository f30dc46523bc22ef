"""How a VM changed its node or was restarted last, from the recorded actions."""

from __future__ import annotations

from dataclasses import dataclass

from avance.core.model import ActionType, PairView, VmView

_KIND_OF_FAILOVER = {
    ActionType.MIGRATE: "Graceful",
    ActionType.COLD_RESTART: "ColdRestart",
    ActionType.RESTART: "Restart",
}


@dataclass(frozen=True, slots=True)
class Failover:
    """How a VM last changed its node or was restarted."""

    at: float
    kind: str
    origin: str
    to: str
    seconds: float


def last_failover(view: PairView, vm: VmView) -> Failover | None:
    """The newest on record; None if there is none."""
    done = [
        action
        for action in view.actions
        if action.target == vm.key and action.type in _KIND_OF_FAILOVER and action.phase == "Succeeded"
    ]
    if not done:
        return None
    last = max(done, key=lambda action: action.finished_at or 0.0)
    elsewhere = view.peer(last.destination)
    origin = last.destination if last.type is ActionType.RESTART else (elsewhere.name if elsewhere else "")
    finished = last.finished_at or last.created_at
    return Failover(finished, _KIND_OF_FAILOVER[last.type], origin, last.destination, finished - last.created_at)
