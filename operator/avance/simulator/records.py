"""The AvanceActions of a simulated pair: all that outlives an operator, written as it writes the real ones."""

from __future__ import annotations

from dataclasses import replace

from avance.core.intents import Intent
from avance.core.model import ActionPhase, ActionType, ActionView, StepView
from avance.core.progress import Progress


class Records:
    def __init__(self) -> None:
        self._actions: dict[str, ActionView] = {}

    def all(self) -> tuple[ActionView, ...]:
        """Oldest first."""
        return tuple(self._actions.values())

    def get(self, name: str) -> ActionView:
        return self._actions[name]

    def create(self, intent: Intent, now: float) -> bool:
        """Write an intent down; False if it is on record already."""
        if intent.name in self._actions:
            return False
        self._actions[intent.name] = ActionView(
            name=intent.name,
            type=intent.type,
            target=intent.target,
            incident=intent.incident,
            reason=intent.reason,
            message=intent.message,
            created_at=now,
            destination=intent.destination,
            instance_uid=intent.instance_uid,
        )
        return True

    def request(self, type_: ActionType, target: str, destination: str, now: float) -> None:
        """What a person asks for: it names neither incident nor instance."""
        name = f"by-hand-{len(self._actions) + 1}"
        message = f"a person asks for {type_} of {target}"
        self._actions[name] = ActionView(name, type_, target, "", "Requested", message, now, destination=destination)

    def advance(self, action: ActionView, progress: Progress, now: float) -> None:
        """Write how far an action is, and what it left open and is settled now."""
        self._actions[action.name] = replace(
            action,
            phase=progress.outcome or ActionPhase.RUNNING,
            current=progress.step,
            steps=_steps_after(action, progress, now),
            evidence=progress.evidence or action.evidence,
            finished_at=now if progress.outcome else None,
            result=progress.message if progress.outcome else "",
        )


def _steps_after(action: ActionView, progress: Progress, now: float) -> tuple[StepView, ...]:
    """Each step stands once; one that is entered again begins anew."""
    entered = action.step if action.current == progress.step else None
    others = tuple(step for step in action.steps if step.name != progress.step)
    step = replace(entered, message=progress.message) if entered else StepView(progress.step, now, 0, progress.message)
    return (*others, step)
