"""Who is told what: by a channel that is new, by one that is picky, by one that has had its share."""

from dataclasses import replace

from avance.core.channels import ChannelPolicy, MessageKind, MessageSeverity, NotificationPolicy, Post
from avance.core.intents import Intent
from avance.core.model import ActionPhase, ActionType, ActionView, PairView
from avance.core.policy import PairPolicy
from avance.core.rules.notification import tell_people

NOW = 1000.0
CALL = ActionView(
    "callhome-node-a-1", ActionType.CALL_HOME, "node-a", "fan-node-a-1", "FanProblem", "fan of node-a failed; send one",
    NOW - 60, ActionPhase.SUCCEEDED,
)  # fmt: skip


def told(channel: ChannelPolicy, since: float, *actions: ActionView) -> list[Intent]:
    policy = PairPolicy(notifications=NotificationPolicy((channel,)))
    view = PairView("shop", actions=actions, policy=policy, post=Post({channel.name: since}))
    return [answer for answer in tell_people(view, (), NOW) if isinstance(answer, Intent)]


def test_what_the_api_dates_into_the_channels_first_second_is_told_and_what_was_before_is_not() -> None:
    mail = ChannelPolicy("mail")
    assert told(mail, NOW - 59.5, CALL)
    assert not told(mail, NOW - 58.5, CALL)


def test_nothing_is_told_twice() -> None:
    mail = ChannelPolicy("mail")
    (intent,) = told(mail, 0.0, CALL)
    record = ActionView(
        intent.name, intent.type, "shop", intent.incident, intent.reason, intent.message, NOW, ActionPhase.SUCCEEDED,
        notification=intent.notification,
    )  # fmt: skip
    assert not told(mail, 0.0, CALL, record)
    assert told(replace(mail, name="desk"), 0.0, CALL, record)


def test_a_channel_is_told_what_it_asked_for() -> None:
    assert not told(ChannelPolicy("mail", tells=frozenset({MessageKind.FAILOVER})), 0.0, CALL)
    assert not told(ChannelPolicy("mail", minimum_severity=MessageSeverity.CRITICAL), 0.0, CALL)
    assert told(ChannelPolicy("mail", minimum_severity=MessageSeverity.WARNING), 0.0, CALL)
