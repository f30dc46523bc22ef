"""Messages as people read them: a subject that says it all, then what happened, what avance does, what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from avance.core.channels import ChannelPolicy, MessageKind, Notification, SparePart
from avance.core.health import score
from avance.core.liveness import judge
from avance.core.message_template import filled
from avance.core.model import ActionType, ActionView, PairView
from avance.core.moments import day_and_clock
from avance.core.topics import Topic

SUBJECT_LENGTH = 200
TEXT_LENGTH = 12000
DETAILED = 12
"""So many topics of one message are told in full; the rest is counted. No more parts are named to machines either."""


def compose(view: PairView, channel: ChannelPolicy, topics: Sequence[Topic], now: float) -> Notification:
    """One message of all these topics, the gravest first."""
    ordered = sorted(topics, key=gravest_first)
    gravest = ordered[0]
    message = Notification(
        channel=channel.name,
        kind=gravest.kind,
        severity=gravest.severity,
        subject=_subject(view, ordered),
        text="\n".join(_body(view, ordered, now)),
        about=tuple(sorted(topic.key for topic in topics)),
        parts=tuple(topic.part for topic in ordered if topic.part is not None)[:DETAILED],
    )
    known = {"headline": _one_line(gravest.headline), "more": len(ordered) - 1, "target": gravest.target}
    return _worded(view.name, channel, message, known, now)


def _subject(view: PairView, ordered: Sequence[Topic]) -> str:
    gravest = ordered[0]
    more = f" (and {len(ordered) - 1} more)" if len(ordered) > 1 else ""
    word = MessageKind.RECOVERED if gravest.kind is MessageKind.RECOVERED else gravest.severity.word
    head = f"[avance] {view.name}: {word}: "
    room = SUBJECT_LENGTH - len(head) - len(more)
    headline = _one_line(gravest.headline)
    return head + (headline if len(headline) <= room else f"{headline[: room - 1]}…") + more


def _worded(
    pair: str, channel: ChannelPolicy, message: Notification, known: Mapping[str, object], now: float
) -> Notification:
    """In the channel's own words, if it has a template."""
    part = _named(message.parts[0]) if message.parts else {}
    values: dict[str, object] = {
        "pair": pair,
        "kind": message.kind or "Test",
        "severity": message.severity.word,
        "time": day_and_clock(now),
        "subject": message.subject,
        "text": message.text,
        **known,
        **part,
    }
    subject = filled(channel.subject, values) if channel.subject else message.subject
    text = filled(channel.text, values) if channel.text else message.text
    return replace(message, subject=_one_line(subject)[:SUBJECT_LENGTH], text=text[:TEXT_LENGTH])


def _named(part: SparePart) -> dict[str, object]:
    mtbf = f"{part.mtbf_seconds / 3600:.1f}" if part.mtbf_seconds is not None else ""
    fields = {"node": part.node, "component": part.name, "part": part.part, "serial": part.serial}
    return {**fields, "faults": part.fault_count, "mtbf": mtbf}


def gravest_first(topic: Topic) -> tuple[bool, int, float, str]:
    """What is over comes last, however grave it was."""
    return (topic.kind is MessageKind.RECOVERED, -topic.severity, topic.at, topic.key)


def of_a_test(pair: str, channel: ChannelPolicy, action: ActionView, message: Notification) -> Notification:
    """What a person's Notify says when its text is left out; in the channel's own words, so that these are tried."""
    subject = message.subject or f"[avance] {pair}: test of channel {message.channel}"
    asked = f" {action.requested_by} asked for it." if action.requested_by else ""
    said = f"\n\n{action.message}" if action.message else ""
    text = f"This is a test: channel {message.channel} of pair {pair} delivers.{asked}{said}"
    headline = f"test of channel {message.channel}"
    known = {"headline": headline, "more": 0, "target": pair}
    return _worded(pair, channel, replace(message, subject=subject, text=text), known, action.created_at)


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
    yield from _now(view, now)


def _last(topics: Sequence[Topic], kind: str) -> str:
    return _one_line(max((topic for topic in topics if topic.kind == kind), key=lambda topic: topic.at).headline)


def _now(view: PairView, now: float) -> Iterator[str]:
    for node in view.nodes:
        verdict = judge(view, node, now)
        health = f"health {score(node.faults).explanation}"
        yield f"  {node.name}: {verdict.life.lower() if verdict.doubted else health}"
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
