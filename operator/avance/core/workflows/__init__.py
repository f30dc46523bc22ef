"""How each type of action is carried out, one module a type.

A workflow is a function of the recorded action and the present view to the next `Progress`. It keeps nothing: an
operator that takes over mid-way asks the same function and gets the next step, whatever its predecessor had done or
not done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from avance.core.model import ActionType, ActionView, PairView
from avance.core.progress import Progress
from avance.core.workflows import (
    accept_replacement,
    attest_off,
    call_home,
    cold_restart,
    declare_down,
    edit,
    enter_maintenance,
    fence,
    give_up,
    leave_maintenance,
    migrate,
    notify,
    reboot,
    rejoin,
    reset_mtbf,
    restart,
    rolling_upgrade,
    start,
    stop,
    upgrade_order,
    wave,
)

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
    ActionType.REBOOT: reboot.advance,
    ActionType.DECLARE_DOWN: declare_down.advance,
    ActionType.RESET_MTBF: reset_mtbf.advance,
    ActionType.ATTEST_OFF: attest_off.advance,
    ActionType.GIVE_UP: give_up.advance,
    ActionType.FAILBACK: wave.advance,
    ActionType.SWITCHOVER: wave.advance,
    ActionType.ACCEPT_REPLACEMENT: accept_replacement.advance,
    ActionType.NOTIFY: notify.advance,
    ActionType.ENTER_MAINTENANCE: enter_maintenance.advance,
    ActionType.LEAVE_MAINTENANCE: leave_maintenance.advance,
    ActionType.EDIT: edit.advance,
    ActionType.ROLLING_UPGRADE: rolling_upgrade.advance,
    ActionType.PAUSE_UPGRADE: upgrade_order.advance,
    ActionType.RESUME_UPGRADE: upgrade_order.advance,
    ActionType.ABORT_UPGRADE: upgrade_order.advance,
}
