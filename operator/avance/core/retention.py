"""Which records of the past may go: the oldest beyond what the pair keeps, and none that anything still rests on."""

from __future__ import annotations

from collections.abc import Iterator

from avance.core.intents import fault_incident
from avance.core.licence import took_it_somewhere
from avance.core.model import ActionPhase, ActionType, ActionView, PairView
from avance.core.topics import incident_key

VMS_REMEMBERED = 32
"""Of VMs that are gone: where they ran last is remembered of the latest ones."""


def disposable(view: PairView, now: float) -> tuple[ActionView, ...]:
    """Finished actions, oldest first: those beyond the number that is kept, and those that are too old."""
    excess = len(view.actions) - view.policy.retained_actions
    too_old = now - view.policy.retained_seconds
    if excess <= 0 and not any(action.created_at < too_old for action in view.actions):
        return ()
    needed = {action.name for action in _needed(view)}
    free = [action for action in view.actions if not action.open and action.name not in needed]
    return tuple(
        action
        for number, action in enumerate(free)
        if number < excess or (action.finished_at or action.created_at) < too_old
    )


def _needed(view: PairView) -> Iterator[ActionView]:
    yield from _of_incidents_that_last(view)
    yield from _evidence(view)
    yield from _whereabouts(view)
    yield from _told(view)


def _of_incidents_that_last(view: PairView) -> Iterator[ActionView]:
    """What belongs together stays together: while something of it is under way or its fault is there, and of the last
    crash, whose times the status tells.
    """
    lasting = {action.incident for action in view.actions if action.open}
    lasting |= {fault_incident(fault) for node in view.nodes for fault in node.faults}
    fences = (action for action in view.actions if action.type is ActionType.FENCE)
    crashes = [fence for fence in fences if fence.phase is ActionPhase.SUCCEEDED]
    if crashes:
        lasting.add(max(crashes, key=lambda fence: fence.finished_at or 0.0).incident)
    return (action for action in view.actions if action.incident in lasting)


def _evidence(view: PairView) -> Iterator[ActionView]:
    """The newest fence of each server, and the newest proof; that a VM was given up stands until it is restarted."""
    newest: dict[tuple[str, str], ActionView] = {}
    for action in view.actions:
        if action.type in (ActionType.FENCE, ActionType.GIVE_UP):
            newest[action.type, action.target] = action
        if action.evidence is not None:
            newest["evidence", action.target] = action
    return iter(newest.values())


def _whereabouts(view: PairView) -> Iterator[ActionView]:
    """What has brought a VM to each server last: it outlives the VM, whose guest may still run where nobody looks."""
    newest: dict[str, dict[tuple[str, bool], ActionView]] = {}
    for action in view.actions:
        if took_it_somewhere(action):
            known = newest.setdefault(action.target, {})
            known[action.destination, action.phase is ActionPhase.SUCCEEDED] = action
    latest = sorted(newest, key=lambda vm: max(each.created_at for each in newest[vm].values()), reverse=True)
    gone = [vm for vm in latest if view.vm(vm) is None]
    for vm in newest.keys() - set(gone[VMS_REMEMBERED:]):
        yield from newest[vm].values()


def _told(view: PairView) -> Iterator[ActionView]:
    """That people were told of something outlives its record, or they would be told again."""
    there = {incident_key(action.incident) for action in view.actions if action.type is not ActionType.NOTIFY}
    for action in view.actions:
        about = action.notification.about if action.notification else ()
        if there & {key.partition("/")[0] for key in about}:
            yield action
