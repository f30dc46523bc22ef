"""How each type of action is carried out, one module a type.

A workflow is a function of the recorded action and the present view to the next `Progress`. It keeps nothing: an
operator that takes over mid-way asks the same function and gets the next step, whatever its predecessor had done or
not done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from avance.core.model import ActionType, ActionView, PairView
from avance.core.progress import Progress
from avance.core.workflows import call_home, cold_restart, fence, migrate, rejoin, restart, start, stop

Workflow = Callable[[ActionView, PairView, float], Progress]

WORKFLOWS: Mapping[ActionType, Workflow] = {
    ActionType.START: start.advance,
    ActionType.STOP: stop.advance,
    ActionType.MIGRATE: migrate.advance,
    ActionType.RESTART: restart.advance,
    ActionType.FENCE: fence.advance,
    ActionType.COLD_RESTART: cold_restart.advance,
    ActionType.REJOIN: rejoin.advance,
    ActionType.CALL_HOME: call_home.advance,
}
