"""Notify: deliver one message by one channel, again and again until it is taken or too old to be of use.

At least once: it is done when the receiver has taken it and that is on record. An operator that takes over in between
sends it again, under the same name.
"""

from __future__ import annotations

from avance.core.channels import NOT_TRIED, ChannelPolicy, Notification
from avance.core.effects import SendMessage
from avance.core.message_text import of_a_test
from avance.core.model import ActionView, PairView
from avance.core.progress import Progress, act, cancel, fail, succeed, wait

DELIVER = "Deliver"
RETRY = "Retry"
"""The step after the first failed try."""
PARTLY = "Partly"
"""The step that tells of recipients whom the server refused; for the others it is not sent again."""
FIRST_PAUSE_SECONDS = 10.0
LONGEST_PAUSE_SECONDS = 900.0


def advance(action: ActionView, view: PairView, now: float) -> Progress:
    message, policy = action.notification, view.policy.notifications
    channel = policy.channel(message.channel) if message else None
    if message is None or channel is None:
        return cancel("Refuse", _why_no_channel(message, view))
    delivery = view.post.deliveries.get(action.name, NOT_TRIED)
    if delivery.receipt:
        taken = f"{message.channel} has taken it: {delivery.receipt}"
        if delivery.refused:
            return succeed(PARTLY, f"{taken}; but not for {delivery.refused}")
        return succeed(action.current or DELIVER, taken)
    step = RETRY if delivery.tries else action.current or DELIVER
    if delivery.under_way:
        return wait(step, _words(action))
    deed = SendMessage(action.name, _complete(action, message, channel, view), action.created_at, delivery.tries)
    if not delivery.error:
        return act(step, _words(action), deed)
    words = f"try {delivery.tries} failed: {delivery.error}"
    give_up_at = action.created_at + policy.give_up_seconds
    if now >= give_up_at:
        return fail(RETRY, f"not delivered by {message.channel} within {policy.give_up_seconds:g} s: {words}")
    due = delivery.ended_at + _pause(delivery.tries)
    return act(RETRY, words, deed) if now >= due else wait(RETRY, words, look_at=min(due, give_up_at))


def _pause(tries: int) -> float:
    return float(min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** min(tries - 1, 10)))


def _words(action: ActionView) -> str:
    """What the last try came to stays on record while the next one is under way."""
    return action.step.message if action.step else "it is being delivered"


def _why_no_channel(message: Notification | None, view: PairView) -> str:
    name = message.channel if message else ""
    known = ", ".join(channel.name for channel in view.policy.notifications.channels) or "none"
    return f"pair {view.name} has no channel {name} in spec.notifications (it has: {known})"


def _complete(action: ActionView, message: Notification, channel: ChannelPolicy, view: PairView) -> Notification:
    return message if message.text else of_a_test(view.name, channel, action, message)
