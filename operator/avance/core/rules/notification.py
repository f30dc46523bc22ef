"""Tell people: what is new goes into one message a channel, not too many of them, and nothing twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import floor

from avance.core.channels import ChannelPolicy
from avance.core.intents import Intent, LookAgain, notify
from avance.core.message_text import compose, gravest_first
from avance.core.model import ActionType, ActionView, PairView
from avance.core.topics import Topic, topics

HOUR = 3600.0
OPEN_AT_MOST = 3
"""Messages of a channel that does not deliver: what happens meanwhile is summed up in the next one."""
RESERVED = 4
"""One message of so many that a channel may send in an hour is kept for what is urgent."""
TOPICS_AT_MOST = 128
"""In one message."""


def tell_people(view: PairView, held_back: Sequence[Intent], now: float) -> Iterator[Intent | LookAgain]:
    """One message a channel of all that is new, once the first of it is as old as what is grouped may be.

    The first word of what is urgent does not wait, and takes along what there is.
    """
    for channel in view.policy.notifications.channels:
        sent = [a for a in view.actions_on(view.name, ActionType.NOTIFY) if _is_by(a, channel)]
        new = _new(view, channel, sent, held_back, now)
        begun = sorted((topic for topic in new if topic.at <= now), key=lambda topic: (topic.at, topic.key))
        later = min((topic.at for topic in new if topic.at > now), default=None)
        if later is not None:
            yield LookAgain(later)
        if not begun:
            continue
        due = _due(view, channel, begun, sent, now)
        if now < due:
            yield LookAgain(due)
        elif sum(action.open for action in sent) < OPEN_AT_MOST:
            told = begun[:TOPICS_AT_MOST]
            gravest = min(told, key=gravest_first)
            message = compose(view, channel, told, now)
            yield notify(view, message, reason=str(gravest.kind), incident=gravest.incident or gravest.key)


def _due(
    view: PairView, channel: ChannelPolicy, begun: Sequence[Topic], sent: Sequence[ActionView], now: float
) -> float:
    """When what has begun is told: grouped, at once, or when the limit of an hour allows it."""
    group = view.policy.notifications.group_seconds
    most = channel.max_messages_per_hour
    due = max(begun[0].at + group, _free_at(sent, most - most // RESERVED, now))
    urgent = min((topic.at for topic in begun if topic.urgent), default=None)
    if urgent is None:
        return due
    spoken = max((a.created_at for a in sent if a.notification and a.notification.urgent), default=-HOUR)
    return min(due, max(urgent, spoken + group, _free_at(sent, most, now)))


def _is_by(action: ActionView, channel: ChannelPolicy) -> bool:
    """By this channel, and no person's test."""
    message = action.notification
    return message is not None and message.channel == channel.name and bool(message.about)


def _new(
    view: PairView, channel: ChannelPolicy, sent: Sequence[ActionView], held_back: Sequence[Intent], now: float
) -> list[Topic]:
    told = frozenset(key for action in sent if action.notification for key in action.notification.about)
    # The API dates what is created by whole seconds: what was created in the channel's first one is not older than it.
    since = floor(view.post.since.get(channel.name, now))
    return [
        topic
        for topic in topics(view, told, held_back, now)
        if topic.key not in told
        and (topic.standing or topic.at >= since)
        and topic.kind in channel.tells
        and topic.severity >= channel.minimum_severity
    ]


def _free_at(sent: Sequence[ActionView], most: int, now: float) -> float:
    """When the channel may tell something again, with so many messages an hour."""
    recent = sorted(action.created_at for action in sent if action.created_at > now - HOUR)
    over = len(recent) - most
    return recent[over] + HOUR if over >= 0 else now
