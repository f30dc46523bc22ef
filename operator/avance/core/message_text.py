"""Messages as people read them: a subject that says it all, then what happened, what avance does, what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from avance.core.channels import MessageKind, Notification
from avance.core.health import score
from avance.core.model import ActionType, ActionView, PairView
from avance.core.moments import day_and_clock
from avance.core.topics import Topic

SUBJECT_LENGTH = 200
TEXT_LENGTH = 12000
DETAILED = 12
"""So many topics of one message are told in full; the rest is counted."""


def compose(view: PairView, channel: str, topics: Sequence[Topic], now: float) -> Notification:
    """One message of all these topics, the gravest first."""
    ordered = sorted(topics, key=gravest_first)
    gravest = ordered[0]
    more = f" (and {len(ordered) - 1} more)" if len(ordered) > 1 else ""
    word = MessageKind.RECOVERED if gravest.kind is MessageKind.RECOVERED else gravest.severity.word
    head = f"[avance] {view.name}: {word}: "
    room = SUBJECT_LENGTH - len(head) - len(more)
    headline = _one_line(gravest.headline)
    subject = head + (headline if len(headline) <= room else f"{headline[: room - 1]}…") + more
    text = "\n".join(_body(view, ordered, now))
    about = tuple(sorted(topic.key for topic in topics))
    return Notification(channel, gravest.kind, gravest.severity, subject, text[:TEXT_LENGTH], about)


def gravest_first(topic: Topic) -> tuple[bool, int, float, str]:
    """What is over comes last, however grave it was."""
    return (topic.kind is MessageKind.RECOVERED, -topic.severity, topic.at, topic.key)


def of_a_test(pair: str, action: ActionView, message: Notification) -> Notification:
    """What a person's Notify says when its text is left out."""
    subject = message.subject or f"[avance] {pair}: test of channel {message.channel}"
    asked = f" {action.requested_by} asked for it." if action.requested_by else ""
    said = f"\n\n{action.message}" if action.message else ""
    text = f"This is a test: channel {message.channel} of pair {pair} delivers.{asked}{said}"
    return replace(message, subject=_one_line(subject)[:SUBJECT_LENGTH], text=text)


def _body(view: PairView, topics: Sequence[Topic], now: float) -> Iterator[str]:
    yield f"Pair {view.name}, {day_and_clock(now)}"
    for topic in topics[:DETAILED]:
        yield ""
        yield f"{topic.severity.word}, {topic.kind}: {_one_line(topic.headline)} ({day_and_clock(topic.at)})"
        for line in topic.details:
            yield f"  {line}"
    rest = topics[DETAILED:]
    if rest:
        yield ""
        yield f"And {len(rest)} more:"
        for (severity, kind), count in Counter((topic.severity, topic.kind) for topic in rest).items():
            yield f"  {count} x {severity.word}, {kind}, the last: {_last(rest, kind)}"
    yield ""
    yield "The pair now:"
    yield from _now(view)


def _last(topics: Sequence[Topic], kind: str) -> str:
    return _one_line(max((topic for topic in topics if topic.kind == kind), key=lambda topic: topic.at).headline)


def _now(view: PairView) -> Iterator[str]:
    for node in view.nodes:
        yield f"  {node.name}: health {score(node.faults).explanation}"
    for action in view.actions:
        if action.open and action.type is not ActionType.NOTIFY:
            step = f", {action.step.name}: {action.step.message}" if action.step else ""
            yield f"  under way: {action.type} of {action.target}{step}"
    for condition in view.post.standing:
        if condition.type in ("Redundant", "FailoverReady", "FencingClear"):
            status = {True: "yes", False: "no", None: "unknown"}[condition.holds]
            yield f"  {condition.type}: {status}, {condition.message}"


def _one_line(text: str) -> str:
    return " ".join(text.split())
