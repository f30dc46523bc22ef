"""A part failed: call home for a new one. The part stays in service as far as it can."""

from __future__ import annotations

from collections.abc import Iterator

from avance.core.call_home_report import names, request
from avance.core.faults import Fault
from avance.core.intents import Intent, LookAgain, fault_incident, intent
from avance.core.maintenance import is_the_work
from avance.core.model import ActionType, PairView

QUIET_SECONDS = 600.0
"""A component that flaps is reported once in this time."""


def call_home(view: PairView, now: float) -> Iterator[Intent | LookAgain]:
    """Every failed part that somebody can send is reported once; not what a person does to a server in maintenance."""
    for node in view.nodes:
        for fault in node.faults:
            if fault.spare_part and not fault.held and not is_the_work(view, fault) and not _reported(view, fault):
                yield intent(
                    view,
                    ActionType.CALL_HOME,
                    node.name,
                    reason=f"{fault.kind}Problem",
                    message=request(fault),
                    incident=fault_incident(fault),
                )


def _reported(view: PairView, fault: Fault) -> bool:
    """This very occurrence, or an earlier one of the same component only just."""
    return any(
        action.incident == fault_incident(fault)
        or (names(fault) in action.message and fault.observed_at - action.created_at < QUIET_SECONDS)
        for action in view.actions_on(fault.node, ActionType.CALL_HOME)
    )
