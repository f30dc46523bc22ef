"""What there is to tell about a pair: a topic for each incident and change of its state, from the records and the view.

A topic has a key that never changes, so that what has been told is known from the Notify actions on record. What ended
before anybody could be told, and what a person asked for, is none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from avance.core.call_home_report import call_home_lines, mended_at, spare_part
from avance.core.channels import MessageKind, MessageSeverity, SparePart
from avance.core.intents import REQUESTED, SERVER_CRASH, Intent, fault_incident
from avance.core.maintenance import MAINTENANCE
from avance.core.model import ActionPhase, ActionType, ActionView, PairView
from avance.core.upgrade import STOPPED

_INFO, _WARNING, _CRITICAL = MessageSeverity.INFO, MessageSeverity.WARNING, MessageSeverity.CRITICAL
_DEEDS_NOBODY_DID: dict[ActionType, tuple[MessageKind, MessageSeverity]] = {
    ActionType.CALL_HOME: (MessageKind.CALL_HOME, _WARNING),
    ActionType.FENCE: (MessageKind.PERSON_NEEDED, _CRITICAL),
    ActionType.COLD_RESTART: (MessageKind.PERSON_NEEDED, _CRITICAL),
    ActionType.GIVE_UP: (MessageKind.PERSON_NEEDED, _CRITICAL),
    ActionType.DECLARE_DOWN: (MessageKind.PERSON_NEEDED, _CRITICAL),
    ActionType.REBOOT: (MessageKind.PERSON_NEEDED, _WARNING),
    ActionType.RESTART: (MessageKind.FAILOVER, _WARNING),
    ActionType.MIGRATE: (MessageKind.FAILOVER, _INFO),
}
"""What is told of the deeds that a pause or the mode Observe holds back."""
_TELLS_OF_ITSELF = ("Paused", "ModeObserve", MAINTENANCE)
"""Reasons of FailoverReady that a person has given."""


@dataclass(frozen=True, slots=True)
class Topic:
    key: str
    kind: MessageKind
    severity: MessageSeverity
    at: float
    """When it happened; in the future for what is told only if it lasts."""
    headline: str
    details: tuple[str, ...] = ()
    """What is known, what avance did, and what the person has to do; a line each."""
    incident: str = ""
    standing: bool = False
    """It is so now: told also by a channel that was not there when it began."""
    target: str = ""
    """The server or VM that it is about; empty for the pair as a whole."""
    part: SparePart | None = None
    """The part that it is about."""
    first_word: bool = False
    """Of a crash: the VMs are down now."""

    @property
    def urgent(self) -> bool:
        """Told at once: it does not wait for what may belong to it."""
        return self.first_word or self.kind is MessageKind.PERSON_NEEDED


def topics(view: PairView, told: frozenset[str], held_back: Iterable[Intent], now: float) -> Iterator[Topic]:
    """Everything that may be told; `told` are the keys that the channel has on record."""
    for action in view.actions:
        if action.reason != REQUESTED:
            yield from _of_action(view, action, told, now)
    yield from _restarted(view)
    yield from _stopped_upgrade(view)
    yield from _standing(view, told, now)
    for intent in held_back:
        if intent.type in _DEEDS_NOBODY_DID:
            yield _held_back(view, intent, now)


# --- what was done ----------------------------------------------------------------------------------------------------


def _of_action(view: PairView, action: ActionView, told: frozenset[str], now: float) -> Iterator[Topic]:
    match action.type:
        case ActionType.CALL_HOME:
            yield from _call_home(view, action, told, now)
        case ActionType.FENCE if action.reason == SERVER_CRASH:
            yield from _crash(action, told)
        case ActionType.MIGRATE if not _is_for_a_maintenance(view, action):
            yield from _moved(action)
        case ActionType.RESTART if action.phase is ActionPhase.SUCCEEDED:
            yield _topic(action, MessageKind.FAILOVER, _WARNING, f"{action.target} was restarted", _ended(action))
        case ActionType.REBOOT:
            lines = ("What avance does: it empties the server, switches it off and on, and takes it back.",)
            yield _topic(action, MessageKind.FAILOVER, _WARNING, f"{action.target} is rebooted", 0.0, lines)
        case ActionType.GIVE_UP:
            do = "What you do: find out why it fails. A change of its spec, or a Restart action, starts it again."
            yield _topic(action, MessageKind.PERSON_NEEDED, _CRITICAL, f"{action.target} is given up", 0.0, (do,))
        case ActionType.DECLARE_DOWN if action.phase is ActionPhase.SUCCEEDED:
            do = "What you do: repair the server, then create a ResetMTBF action for it that says what was repaired."
            headline = f"{action.target} is declared down"
            yield _topic(action, MessageKind.PERSON_NEEDED, _CRITICAL, headline, _ended(action), (do,))
        case ActionType.REJOIN if action.phase is ActionPhase.SUCCEEDED:
            if any(key.startswith(_incident_key(action.incident)) for key in told):
                headline = f"{action.target} serves again"
                yield _topic(action, MessageKind.RECOVERED, _CRITICAL, headline, _ended(action))


def _topic(
    action: ActionView,
    kind: MessageKind,
    severity: MessageSeverity,
    headline: str,
    at: float = 0.0,
    details: tuple[str, ...] = (),
) -> Topic:
    """About one action, with its reason as the first detail."""
    key, lines = f"{_incident_key(action.incident)}{action.name}", (action.message, *details)
    return Topic(key, kind, severity, at or action.created_at, headline, lines, action.incident, target=action.target)


def incident_key(incident: str) -> str:
    """With what the keys of all topics of an incident begin, up to the first slash."""
    return incident[:48].replace("/", "-")


def _incident_key(incident: str) -> str:
    return f"{incident_key(incident)}/"


def _ended(action: ActionView) -> float:
    return action.finished_at or action.created_at


def _call_home(view: PairView, action: ActionView, told: frozenset[str], now: float) -> Iterator[Topic]:
    key = _call_home_key(action.incident)
    headline = action.message.partition(";")[0]
    part = spare_part(view, action.target, action.incident)
    lines, at, about = call_home_lines(action, part), action.created_at, (action.incident, False, action.target, part)
    yield Topic(key, MessageKind.CALL_HOME, _WARNING, at, headline, lines, *about)
    mended = mended_at(view, action, now)
    if mended is not None and key in told:
        headline = headline.replace(" failed", " works again")
        again = f"{_incident_key(action.incident)}mended"
        lines = ("No detector reports it any more. Replace it all the same if it keeps coming and going.",)
        yield Topic(again, MessageKind.RECOVERED, _WARNING, mended, headline, lines, *about)


def _call_home_key(incident: str) -> str:
    return f"{_incident_key(incident)}callhome"


def _crash(fence: ActionView, told: frozenset[str]) -> Iterator[Topic]:
    does = (
        f"What avance does: it cuts the power of {fence.target}, proves it off, and boots its VMs on the other server."
    )
    begun = _topic(fence, MessageKind.FAILOVER, _CRITICAL, f"{fence.target} has crashed", 0.0, (does,))
    yield replace(begun, first_word=True)
    if fence.phase in (ActionPhase.FAILED, ActionPhase.CANCELLED) and begun.key in told:
        headline = f"{fence.target} is not fenced: {fence.result}"
        key = f"{begun.key}/ended"
        over, at = MessageKind.RECOVERED, _ended(fence)
        yield Topic(key, over, _CRITICAL, at, headline, incident=fence.incident, target=fence.target)


def _moved(action: ActionView) -> Iterator[Topic]:
    if action.phase is ActionPhase.SUCCEEDED:
        headline = f"{action.target} was moved to {action.destination} while it ran"
        yield _topic(action, MessageKind.FAILOVER, _INFO, headline, _ended(action))
    elif action.phase is ActionPhase.FAILED:
        key = f"{_incident_key(action.incident)}{action.target}"[:116] + "/move-failed"  # its retries are told once
        lines = (action.message, action.result, "What avance does: it tries again, ever more slowly.")
        headline = f"{action.target} could not be moved to {action.destination}"
        at, about = _ended(action), (action.incident, False, action.target)
        yield Topic(key, MessageKind.FAILOVER, _WARNING, at, headline, lines, *about)


def _is_for_a_maintenance(view: PairView, move: ActionView) -> bool:
    return any(a.type is ActionType.ENTER_MAINTENANCE and a.incident == move.incident for a in view.actions)


def _stopped_upgrade(view: PairView) -> Iterator[Topic]:
    """Each time that a rolling upgrade waits for somebody to look: who began it may have gone home."""
    for action in view.actions:
        if action.type is ActionType.ROLLING_UPGRADE and action.open and action.step and action.current == STOPPED:
            at = action.step.started_at
            key = f"{_incident_key(action.incident)}stopped-{at:.0f}"
            headline, lines = "the rolling upgrade has stopped", (f"{action.name}: {action.step.message}",)
            yield Topic(key, MessageKind.PERSON_NEEDED, _WARNING, at, headline, lines, action.incident)


def _restarted(view: PairView) -> Iterator[Topic]:
    """The VMs of a crashed server, once none of them is being restarted."""
    by_incident: dict[str, list[ActionView]] = {}
    for action in view.actions:
        if action.type is ActionType.COLD_RESTART and action.reason != REQUESTED:
            by_incident.setdefault(action.incident, []).append(action)
    for incident, restarts in by_incident.items():
        if any(action.open for action in restarts):
            continue
        lines = tuple(f"{action.target}: {action.result}" for action in restarts)
        back = sum(action.phase is ActionPhase.SUCCEEDED for action in restarts)
        failed = len(restarts) - back
        headline = f"{_vms(back)} restarted" + (f", {_vms(failed)} not" if failed else "")
        severity, at = _CRITICAL, max(map(_ended, restarts))
        key = f"{_incident_key(incident)}restarted-{len(restarts)}"
        yield Topic(key, MessageKind.FAILOVER, severity, at, headline, lines, incident)


def _vms(count: int) -> str:
    return f"{count} VM" if count == 1 else f"{count} VMs"


# --- what is so -------------------------------------------------------------------------------------------------------


def _standing(view: PairView, told: frozenset[str], now: float) -> Iterator[Topic]:
    patience = {"FencingClear": 0.0, "FailoverReady": view.policy.notifications.failover_not_ready_seconds}
    severities = {"FencingClear": _CRITICAL, "FailoverReady": _WARNING}
    headlines = {
        "FencingClear": ("VMs wait for the proof that a server is off", "no server waits to be proven off any more"),
        "FailoverReady": ("a crash now would not be survived without a person", "a crash now would be survived again"),
    }
    for type_, bad_headline_and_over in headlines.items():
        condition = view.post.condition(type_)
        if condition is None or condition.reason in _TELLS_OF_ITSELF:
            continue
        bad, over = bad_headline_and_over
        if condition.holds is False:
            at = condition.since + patience[type_]
            key = f"{type_}/{condition.since:.0f}"
            yield _bad(key, severities[type_], at, f"{bad}", condition.message)
            yield from _reminder(view, key, severities[type_], at, bad, condition.message, now)
        elif condition.holds and _last(told, type_) > _last(told, f"{type_}-over"):
            key = f"{type_}-over/{condition.since:.0f}"
            lines = (condition.message,)
            yield Topic(key, MessageKind.RECOVERED, severities[type_], condition.since, over, lines, standing=True)
    yield from _redundant_again(view, told)


def _bad(key: str, severity: MessageSeverity, at: float, headline: str, message: str) -> Topic:
    return Topic(key, MessageKind.PERSON_NEEDED, severity, at, headline, (message,), standing=True)


def _reminder(
    view: PairView, key: str, severity: MessageSeverity, since: float, bad: str, message: str, now: float
) -> Iterator[Topic]:
    """The latest reminder that is due, and when the next one is: none is made up for."""
    every = view.policy.notifications.remind_seconds
    if not every:
        return
    count = max(0, int((now - since) // every))
    for number in (count, count + 1):
        if number:
            yield _bad(f"{key}/reminder-{number}", severity, since + number * every, f"still {bad}", message)


def _last(told: frozenset[str], type_: str) -> float:
    """When what was told last of a condition had begun."""
    begun = (key.split("/")[1] for key in told if key.startswith(f"{type_}/"))
    return max(map(float, begun), default=0.0)


def _redundant_again(view: PairView, told: frozenset[str]) -> Iterator[Topic]:
    """After a crash that was told of: the end of the story."""
    condition = view.post.condition("Redundant")
    crashes = [a for a in view.actions if a.type in (ActionType.FENCE, ActionType.DECLARE_DOWN)]
    last = max((a.created_at for a in crashes if f"{_incident_key(a.incident)}{a.name}" in told), default=None)
    if condition is not None and condition.holds and last is not None and condition.since > last:
        since = condition.since
        if _last(told, "Redundant") > last:
            return
        headline, lines = "the pair is redundant again", (condition.message,)
        yield Topic(f"Redundant/{since:.0f}", MessageKind.RECOVERED, _CRITICAL, since, headline, lines, standing=True)


def _held_back(view: PairView, intent: Intent, now: float) -> Topic:
    """What a pause or the mode Observe keeps from being done; a failed part has the key that its report will have."""
    kind, severity = _DEEDS_NOBODY_DID[intent.type]
    if intent.type is ActionType.CALL_HOME:
        part = next((f for n in view.nodes for f in n.faults if fault_incident(f) == intent.incident), None)
        lines: tuple[str, ...] = (intent.message,)
        headline = part.sentence if part else intent.message.partition(";")[0]
        key = _call_home_key(intent.incident)
    else:
        lines = (intent.message, "What avance does: nothing, for it is told not to (mode Observe, or a pause).")
        headline = f"{intent.type} of {intent.target} would be done now, and is not"
        key = f"{_incident_key(intent.incident)}{intent.target[:60]}/would-{intent.type}"
    at = now - view.policy.notifications.group_seconds  # when it was wanted first is on no record: it is told at once
    spare = spare_part(view, intent.target, intent.incident) if intent.type is ActionType.CALL_HOME else None
    return Topic(key, kind, severity, at, headline, lines, intent.incident, True, intent.target, spare)
