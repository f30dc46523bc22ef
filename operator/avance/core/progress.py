"""The next thing to do for a recorded action, as a workflow sees it."""

from __future__ import annotations

from dataclasses import dataclass

from avance.core.effects import Effect
from avance.core.model import ActionPhase, FenceEvidence


@dataclass(frozen=True, slots=True)
class Progress:
    """Where an action stands: the step to record, then the effects to perform, in order."""

    step: str
    message: str
    effects: tuple[Effect, ...] = ()
    evidence: FenceEvidence | None = None
    """Proof to record with the step, before anything relies on it."""
    report: tuple[tuple[str, str], ...] = ()
    """What is known of what it is about, for the record: names and values."""
    outcome: ActionPhase | None = None
    """Set when the action is over."""
    look_at: float | None = None
    """When time alone could change this."""
    notes: tuple[tuple[str, str], ...] = ()
    """What to note for later with the step, by name."""


def act(step: str, message: str, *effects: Effect, look_at: float | None = None) -> Progress:
    return Progress(step, message, effects, look_at=look_at)


def wait(step: str, message: str, look_at: float | None = None) -> Progress:
    return Progress(step, message, look_at=look_at)


def succeed(step: str, message: str) -> Progress:
    return Progress(step, message, outcome=ActionPhase.SUCCEEDED)


def fail(step: str, message: str) -> Progress:
    return Progress(step, message, outcome=ActionPhase.FAILED)


def cancel(step: str, message: str) -> Progress:
    return Progress(step, message, outcome=ActionPhase.CANCELLED)
