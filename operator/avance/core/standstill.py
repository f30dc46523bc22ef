"""Mode Observe and pauses: nothing new is begun, whatever happens, and what runs is brought to a safe point.

Observe leaves everything as it is and says what it would do. A pause lets pass what only takes back: a move that has
not begun to copy is withdrawn, a server that turned out to be alive is opened again. Both go on looking, so that the
record tells how what was begun has ended: a power cut that was ordered is proven, a guest that boots is seen to run, a
copy that runs is KubeVirt's to finish. Everything else is held at its step and goes on afterwards.
People are told in both, and what they edit goes on record.
"""

from __future__ import annotations

from dataclasses import dataclass

from avance.core.effects import DeleteMigration, OpenNode
from avance.core.intents import Intent
from avance.core.model import RECORDS_ONLY, ActionType, ActionView, PairView
from avance.core.moments import day_and_clock
from avance.core.policy import Mode
from avance.core.progress import Progress, act, cancel, wait

TAKES_BACK = (OpenNode, DeleteMigration)
"""Effects that undo what an action has begun; ClearOutOfService is none, for it lets a server's daemons run again."""


@dataclass(frozen=True, slots=True)
class Standstill:
    """Why nothing may be done to a node or VM now."""

    reason: str
    """One word: Paused or ModeObserve."""
    because: str
    """A sentence without its full stop."""
    until: float | None = None
    """When a pause ends by itself."""


def standstill(view: PairView, target: str, now: float) -> Standstill | None:
    """Why nothing is begun for a node or VM now; None when everything is done as usual.

    A pause of the pair is one of all that belongs to it, and wins over the mode in what is told.
    """
    vm = view.vm(target)
    for pause, what in ((view.policy.pause, f"pair {view.name}"), (vm.pause if vm else None, target)):
        if pause is not None and now < pause.until:
            return Standstill(
                "Paused", f"{what} is paused until {day_and_clock(pause.until)}: {pause.reason}", pause.until
            )
    if view.policy.mode is Mode.OBSERVE:
        return Standstill("ModeObserve", "the mode of the pair is Observe")
    return None


def may_begin(view: PairView, intent: Intent, now: float) -> bool:
    """A pause stops deeds, not reports: a failed part is still called in."""
    still = standstill(view, intent.target, now)
    return still is None or (intent.type in RECORDS_ONLY and still.reason == "Paused")


def held(action: ActionView, progress: Progress, view: PairView, now: float) -> Progress:
    """What is left of an open action's next step while nothing may be begun for its target."""
    still = standstill(view, action.target, now)
    if still is None or action.type in (ActionType.NOTIFY, ActionType.EDIT):
        return progress
    if action.type in RECORDS_ONLY and still.reason == "Paused":
        return progress
    if not action.steps:
        return cancel("Refuse", f"not begun, because {still.because}; ask again when that is over")
    paused = still.reason == "Paused"
    if paused and action.type is ActionType.MIGRATE and progress.outcome is None:
        progress = _called_off(action, view, still) or progress
    if not progress.effects or (paused and all(isinstance(effect, TAKES_BACK) for effect in progress.effects)):
        return progress
    words = f"held, because {still.because}; otherwise: {progress.message}"
    return wait(action.current, words, look_at=still.until)


def ends(view: PairView, now: float) -> list[float]:
    """When pauses run out: time alone changes the plan then."""
    pauses = [view.policy.pause, *(vm.pause for vm in view.vms)]
    return [pause.until for pause in pauses if pause is not None and pause.until > now]


def _called_off(action: ActionView, view: PairView, still: Standstill) -> Progress | None:
    """A move that copies nothing yet is called off; one that copies is followed to its end."""
    vm = view.vm(action.target)
    ours = next((each for each in vm.migrations if each.name == action.name), None) if vm else None
    words = f"the move of {action.target} is called off, because {still.because}"
    if ours is None:
        return cancel(action.current, words)
    if ours.queued:
        return act("Copy", words, DeleteMigration(ours.name, action.target))
    return None
