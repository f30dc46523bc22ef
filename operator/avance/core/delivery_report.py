"""Are people told? By every channel, as far as its last message shows."""

from __future__ import annotations

from collections.abc import Iterator

from avance.core.channels import ChannelPolicy
from avance.core.condition import Condition, answer
from avance.core.model import ActionPhase, ActionType, PairView
from avance.core.workflows.notify import PARTLY, RETRY

PATIENCE_SECONDS = 300.0
"""A mail server that is restarted, or that takes nothing from strangers at the first try, wakes nobody."""


def notifications_delivered(view: PairView, now: float) -> Iterator[Condition]:
    """NotificationsDelivered; none if there is no channel."""
    channels = view.policy.notifications.channels
    if not channels:
        return
    troubles = [(channel.name, trouble) for channel in channels if (trouble := _trouble(view, channel, now))]
    hindrance = "; ".join(f"channel {name}: {trouble}" for name, trouble in troubles)
    names = " and ".join(channel.name for channel in channels)
    yield answer("NotificationsDelivered", "NotDelivered", hindrance, f"nothing waits to be delivered by {names}")


def _trouble(view: PairView, channel: ChannelPolicy, now: float) -> str:
    """Why messages of a channel do not arrive, in words; empty if nothing speaks against it."""
    sent = [
        action
        for action in view.actions_on(view.name, ActionType.NOTIFY)
        if action.notification is not None and action.notification.channel == channel.name
    ]
    delivered = [action for action in sent if action.phase is ActionPhase.SUCCEEDED]
    last = max(delivered, key=lambda action: action.finished_at or 0.0, default=None)
    delivered_at = (last.finished_at or 0.0) if last else 0.0
    for action in sent:
        if action.phase is ActionPhase.FAILED and (action.finished_at or 0.0) > delivered_at:
            return f"message {action.name} is lost: {action.result}"
        waits = action.open and action.current == RETRY and now - action.created_at >= PATIENCE_SECONDS
        if waits and action.step is not None:
            return f"message {action.name} waits: {action.step.message}"
    return f"message {last.name}: {last.result}" if last is not None and last.current == PARTLY else ""
