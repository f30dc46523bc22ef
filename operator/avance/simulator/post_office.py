"""The mail servers and receivers of webhooks that a pair's channels lead to: what they take, and how they fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from avance.core.effects import SendMessage

TIMEOUT_SECONDS = 30.0
"""After which the operator holds a receiver that hangs to have failed."""


class ChannelMode(StrEnum):
    ACCEPTS = "accepts"
    REFUSES = "refuses"
    HANGS = "hangs"


@dataclass(frozen=True, slots=True)
class Letter:
    """A message as it arrived."""

    channel: str
    id: str
    subject: str
    text: str


class PostOffice:
    def __init__(self, tell: Callable[[str, str], None]) -> None:
        self._tell = tell
        self.modes: dict[str, ChannelMode] = {}
        self.arrived: list[Letter] = []

    def take(self, message: SendMessage) -> tuple[str, str, float]:
        """Receipt, error (one of them empty), and the seconds until the sender knows."""
        told = message.notification
        mode = self.modes.get(told.channel, ChannelMode.ACCEPTS)
        if mode is ChannelMode.REFUSES:
            return "", "the receiver refuses it: 554 not today", 0.0
        if mode is ChannelMode.HANGS:
            return "", f"no answer within {TIMEOUT_SECONDS:g} s", TIMEOUT_SECONDS
        self.arrived.append(Letter(told.channel, message.action, told.subject, told.text))
        self._tell(told.channel, f"arrived: {told.subject}")
        return "250 taken", "", 0.0
