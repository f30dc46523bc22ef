"""What is done about a serious fault of a backup: reboot it while attempts remain, then declare it down.

Asked by the rules for which a reboot may mend something. The pair must be able to do without the node all the while.
"""

from __future__ import annotations

from collections.abc import Iterator

from avance.core.components import ComponentKind
from avance.core.faults import Fault
from avance.core.intents import Intent, LookAgain, failed_reason, fault_incident, intent
from avance.core.model import ActionPhase, ActionType, ActionView, NodeView, PairView
from avance.core.mtbf import in_window, mean_seconds
from avance.core.policy import RebootPolicy
from avance.core.sparing import why_not_reboot, why_not_spare

REMEMBERED_SECONDS = 3600.0
"""A fault that comes back so soon after a reboot was not mended by it: that reboot counts as a try for it."""
FIRST_PAUSE_SECONDS = 60.0
LONGEST_PAUSE_SECONDS = 3600.0


def reboot_or_declare_down(view: PairView, node: NodeView, fault: Fault, now: float) -> Iterator[Intent | LookAgain]:
    """The next try, when it is due; after the last one the node is declared down."""
    policy = view.policy.mtbf.of(fault.kind)
    if _in_other_hands(view, node) or why_not_spare(view, node, now):
        return
    due = fault.observed_at + policy.reboot_after_seconds
    tries = tries_for(view, node, fault)
    below = node.history.of(fault.kind, fault.component).failed_since is not None
    if below or (policy.policy is RebootPolicy.THRESHOLD and len(tries) >= policy.attempts):
        yield declare_down(view, node, fault)
        return
    if tries:
        pause = min(FIRST_PAUSE_SECONDS * 2.0 ** (len(tries) - 1), LONGEST_PAUSE_SECONDS)
        due = max(due, (tries[-1].finished_at or now) + pause)
    due = max(due, _called_off(view, node) + FIRST_PAUSE_SECONDS)
    if now < due:
        yield LookAgain(due)
    elif not why_not_reboot(view, node, now):
        limit = f" of {policy.attempts}" if policy.policy is RebootPolicy.THRESHOLD else ""
        yield intent(
            view,
            ActionType.REBOOT,
            node.name,
            reason=f"{fault.kind}Problem",
            message=f"{fault.sentence}: rebooting the backup, which may mend it (try {len(tries) + 1}{limit})",
            incident=fault_incident(fault),
        )


def declare_down(view: PairView, node: NodeView, fault: Fault) -> Intent:
    """Out of service until somebody resets its MTBF."""
    because = _why_not_trusted(view, node, fault)
    return intent(
        view,
        ActionType.DECLARE_DOWN,
        node.name,
        reason=failed_reason(fault.kind),
        message=f"{because}: {node.name} is out of service until somebody resets its MTBF",
        incident=fault_incident(fault),
    )


def tries_for(view: PairView, node: NodeView, fault: Fault) -> list[ActionView]:
    """Reboots of the node since the fault began, or so shortly before that they have not mended it for long."""
    began = next(
        (each.at for each in node.history.of(fault.kind, fault.component).faults if each.since == fault.since),
        fault.observed_at,
    )
    return [
        action
        for action in view.actions_on(node.name, ActionType.REBOOT)
        if action.phase in (ActionPhase.SUCCEEDED, ActionPhase.FAILED)
        and action.created_at > node.history.lifted_at
        and (action.finished_at or action.created_at) + REMEMBERED_SECONDS > began
    ]


def _why_not_trusted(view: PairView, node: NodeView, fault: Fault) -> str:
    history, policy = node.history.of(fault.kind, fault.component), view.policy.mtbf.of(fault.kind)
    what = node.name if fault.kind is ComponentKind.SERVER else f"{fault.name} of {node.name}"
    mean = mean_seconds(history, policy)
    if history.failed_since is not None and mean is not None and policy.policy is RebootPolicy.THRESHOLD:
        count = len(in_window(history, policy))
        limit = f"{policy.threshold_seconds:.0f} s"
        return f"{what} has failed {count} times, every {mean:.0f} s on average, and less than {limit} is too often"
    if policy.policy is RebootPolicy.NEVER:
        return f"{fault.sentence}, and the policy for it is Never: no reboot is tried"
    tries = len(tries_for(view, node, fault))
    return f"{fault.sentence}, and {tries} reboot{'s have' if tries != 1 else ' has'} not mended it"


def _called_off(view: PairView, node: NodeView) -> float:
    ends = (
        action.finished_at or 0.0
        for action in view.actions_on(node.name, ActionType.REBOOT)
        if action.phase is ActionPhase.CANCELLED
    )
    return max(ends, default=-FIRST_PAUSE_SECONDS)


def _in_other_hands(view: PairView, node: NodeView) -> bool:
    """Somebody, or another rule, has taken it out of service already."""
    return node.cordoned or node.closed or node.out_of_service or view.open_action(node.name) is not None
