"""What one look at a node found, in the words that the operator understands.

A message names every failed component: `component=<id> state=<…> part=<…> serial=<…> detail=<free text>`, several of
them separated by `; `. It changes only when the facts do: readings that move all the time are no part of it, because
node-problem-detector writes every new message to the Node as a new transition.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum

MESSAGE_LIMIT = 2048
"""Characters of a message. The NPD configuration allows as many bytes; NPD itself reads no more than 4096."""


class Verdict(IntEnum):
    """The exit codes of a plug-in of node-problem-detector."""

    FINE = 0
    PROBLEM = 1
    UNKNOWN = 2


class CantTellError(Exception):
    """Nothing can be said of a component; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A failed component. Unknown fields are `-`."""

    component: str
    state: str
    detail: str
    part: str = "-"
    serial: str = "-"

    def __str__(self) -> str:
        words = (
            f"{name}={_word(value)}"
            for name, value in (
                ("component", self.component),
                ("state", self.state),
                ("part", self.part),
                ("serial", self.serial),
            )
        )
        return f"{' '.join(words)} detail={_line(self.detail)}"


@dataclass(frozen=True, slots=True)
class Finding:
    """The verdict on all components of one kind, and the line that explains it."""

    verdict: Verdict
    message: str


def conclude(faults: Callable[[], Sequence[Fault]], fine: str) -> Finding:
    """The verdict of one look, which may raise CantTellError."""
    try:
        found = faults()
    except CantTellError as doubt:
        return Finding(Verdict.UNKNOWN, _clipped(_line(str(doubt))))
    return Finding(Verdict.PROBLEM, _joined(found)) if found else Finding(Verdict.FINE, fine)


def collect(looks: Iterable[Callable[[], Sequence[Fault]]]) -> list[Fault]:
    """The faults of several looks, each of which may raise CantTellError.

    A fault is a fault whatever else cannot be told. Without one, a single doubt is enough: raises CantTellError.
    """
    faults: list[Fault] = []
    doubts: list[str] = []
    for look in looks:
        try:
            faults += look()
        except CantTellError as doubt:
            doubts.append(str(doubt))
    if doubts and not faults:
        raise CantTellError(", and ".join(dict.fromkeys(doubts)))
    return faults


def _joined(faults: Sequence[Fault]) -> str:
    """Whole components only: half a one would be read as another component."""
    texts = [str(fault) for fault in sorted(faults, key=lambda fault: fault.component)]
    for count in range(len(texts), 0, -1):
        left = len(texts) - count
        message = "; ".join(texts[:count]) + (f" (and {left} more)" if left else "")
        if len(message.encode()) <= MESSAGE_LIMIT:
            return message
    return _clipped(texts[0])


def _clipped(text: str) -> str:
    return text.encode()[:MESSAGE_LIMIT].decode(errors="ignore")


def _word(text: str) -> str:
    return re.sub(r"[\s;]+", "-", text.strip()) or "-"


def _line(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace(";", ",").strip()
