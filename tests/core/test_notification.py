"""Who is told what: by a channel that is new, by one that is picky, by one that has had its share."""

from dataclasses import replace

from avance.core.channels import ChannelPolicy, MessageKind, MessageSeverity, Notification, NotificationPolicy, Post
from avance.core.intents import Intent, LookAgain
from avance.core.message_template import FIELDS, filled
from avance.core.model import ActionPhase, ActionType, ActionView, PairView
from avance.core.policy import PairPolicy
from avance.core.rules.notification import tell_people

NOW = 1000.0
CALL = ActionView(
    "callhome-node-a-1", ActionType.CALL_HOME, "node-a", "fan-node-a-1", "FanProblem", "fan of node-a failed; send one",
    NOW - 60, ActionPhase.SUCCEEDED,
)  # fmt: skip


CRASH = replace(CALL, name="fence-node-a-1", type=ActionType.FENCE, incident="crash-1", reason="ServerCrash",
                message="node-a is held to be dead", created_at=NOW - 1, phase=ActionPhase.RUNNING)  # fmt: skip


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


def sent(number: int, at: float, kind: MessageKind = MessageKind.CALL_HOME) -> ActionView:
    """A message on record, of something else."""
    grave = MessageSeverity.CRITICAL if kind is MessageKind.FAILOVER else MessageSeverity.WARNING
    message = Notification("mail", kind, grave, about=(f"other-{number}/x",))
    return ActionView(f"notify-mail-{number}", ActionType.NOTIFY, "shop", f"other-{number}", "R", "m", at,
                      ActionPhase.SUCCEEDED, notification=message)  # fmt: skip


def looks(channel: ChannelPolicy, *actions: ActionView) -> list[float]:
    """When it wants to look again instead of telling something."""
    policy = PairPolicy(notifications=NotificationPolicy((channel,)))
    view = PairView("shop", actions=actions, policy=policy, post=Post({channel.name: 0.0}))
    return [answer.at for answer in tell_people(view, (), NOW) if isinstance(answer, LookAgain)]


def test_the_first_word_of_a_crash_is_told_at_once_and_takes_along_what_there_is() -> None:
    mail, just_now = ChannelPolicy("mail"), replace(CALL, created_at=NOW - 2)
    assert not told(mail, 0.0, just_now)
    assert looks(mail, just_now) == [NOW + 28]
    (intent,) = told(mail, 0.0, just_now, CRASH)
    assert intent.notification is not None
    assert intent.notification.subject == "[avance] shop: Critical: node-a has crashed (and 1 more)"


def test_a_second_urgent_word_follows_in_a_group_of_its_own() -> None:
    mail = ChannelPolicy("mail")
    assert told(mail, 0.0, CRASH, sent(1, NOW - 10))
    assert not told(mail, 0.0, CRASH, sent(1, NOW - 10, MessageKind.FAILOVER))
    assert looks(mail, CRASH, sent(1, NOW - 10, MessageKind.FAILOVER)) == [NOW + 20]


def test_a_quarter_of_the_hours_messages_is_kept_for_what_is_urgent() -> None:
    mail = ChannelPolicy("mail", max_messages_per_hour=4)
    three = [sent(number, NOW - 900 + number) for number in range(3)]
    assert not told(mail, 0.0, CALL, *three)
    assert told(mail, 0.0, CALL, CRASH, *three)
    assert not told(mail, 0.0, CALL, CRASH, *three, sent(3, NOW - 800))
    assert looks(mail, CRASH, *three, sent(3, NOW - 800)) == [NOW - 900 + 3600]


def test_a_channel_has_its_own_words() -> None:
    ours = ChannelPolicy("mail", subject="${pair}/${target} ${headline}\n$$", text="${serial}${kind}: ${text}")
    (intent,) = told(ours, 0.0, CALL)
    assert intent.notification is not None
    assert intent.notification.subject == "shop/node-a fan of node-a failed $"
    assert intent.notification.text.startswith("CallHome: Pair shop")


def test_a_template_never_fails() -> None:
    assert filled("${nonsense} $ ${pair} $pair", {"pair": "shop"}) == "${nonsense} $ shop shop"
    assert filled("".join(f"${{{field}}}" for field in FIELDS), {}) == ""
