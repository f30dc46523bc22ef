"""What can be done about a pair, and how far it can be."""

from __future__ import annotations

from enum import StrEnum


class ActionType(StrEnum):
    START = "Start"
    STOP = "Stop"
    MIGRATE = "Migrate"
    RESTART = "Restart"
    FENCE = "Fence"
    COLD_RESTART = "ColdRestart"
    REJOIN = "Rejoin"
    CALL_HOME = "CallHome"
    REBOOT = "Reboot"
    DECLARE_DOWN = "DeclareDown"
    RESET_MTBF = "ResetMTBF"
    ATTEST_OFF = "AttestOff"
    GIVE_UP = "GiveUp"
    FAILBACK = "Failback"
    SWITCHOVER = "Switchover"
    ACCEPT_REPLACEMENT = "AcceptReplacement"
    NOTIFY = "Notify"
    ENTER_MAINTENANCE = "EnterMaintenance"
    LEAVE_MAINTENANCE = "LeaveMaintenance"
    EDIT = "Edit"
    ROLLING_UPGRADE = "RollingUpgrade"
    PAUSE_UPGRADE = "PauseUpgrade"
    RESUME_UPGRADE = "ResumeUpgrade"
    ABORT_UPGRADE = "AbortUpgrade"


RECORDS_ONLY = frozenset(
    {
        ActionType.CALL_HOME,
        ActionType.RESET_MTBF,
        ActionType.ATTEST_OFF,
        ActionType.ACCEPT_REPLACEMENT,
        ActionType.NOTIFY,
        ActionType.EDIT,
        ActionType.PAUSE_UPGRADE,
        ActionType.RESUME_UPGRADE,
        ActionType.ABORT_UPGRADE,
    }
)
"""Types that do nothing to their target: they stand beside what is being done to it, and a pause does not stop them."""
BESIDE = RECORDS_ONLY | {ActionType.ROLLING_UPGRADE}
"""Types that keep nothing else from being done to a target of that name; a rolling upgrade acts by its children."""


class ActionPhase(StrEnum):
    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELLED = "Cancelled"

    @property
    def final(self) -> bool:
        return self in (ActionPhase.SUCCEEDED, ActionPhase.FAILED, ActionPhase.CANCELLED)
