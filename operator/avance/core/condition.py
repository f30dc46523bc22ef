"""An observation as people are told it."""

from __future__ import annotations

from dataclasses import dataclass

BAD_WHEN_TRUE = ("Paused", "Observing", "RestartNeeded")
"""Conditions that warn when they hold; all others answer a question to which Yes is good."""


@dataclass(frozen=True, slots=True)
class Condition:
    type: str
    holds: bool | None
    """None when it cannot be told."""
    reason: str
    message: str


def answer(type_: str, reason: str, hindrance: str, fine: str) -> Condition:
    """A condition that holds unless there is a hindrance, which is its message then."""
    return Condition(type_, not hindrance, reason if hindrance else "AsExpected", hindrance or fine)
