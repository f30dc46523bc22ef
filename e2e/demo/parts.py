"""What a story consists of: steps, and the parts that a step is told in. Data only; `runner` carries them out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from e2e.demo.tables import Ledger, Table
from e2e.demo.world import World

Condition = Callable[[World], str]
"""Why something does not hold, in words; empty when it does. Asked after every change: no passing moment is missed."""


@dataclass(frozen=True)
class Say:
    """Words to the reader."""

    text: str


@dataclass(frozen=True)
class BringUp:
    """The cluster comes up, without the operator."""


@dataclass(frozen=True)
class Do:
    """One verb of the lab; `text` says what happens."""

    text: str
    verb: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Apply:
    """`kubectl apply` of a manifest, shown as applied."""

    manifest: str


@dataclass(frozen=True)
class Kubectl:
    """A kubectl command, shown with what it prints; `refused` when the API server is meant to say no."""

    arguments: tuple[str, ...]
    refused: bool = False


@dataclass(frozen=True)
class Programs:
    """The programs that the lab has started, with their versions."""


@dataclass(frozen=True)
class Rights:
    """What a role allows, in one line. `role`: how kubectl gets it."""

    where: str
    role: tuple[str, ...]


@dataclass(frozen=True)
class Expectation:
    """Something that has to become true within `seconds` of the deed before it."""

    text: str
    seconds: float
    condition: Condition


@dataclass(frozen=True)
class Expect:
    """Expectations that are awaited together, in whatever order they come true."""

    expectations: tuple[Expectation, ...]

    def __init__(self, *expectations: Expectation) -> None:
        object.__setattr__(self, "expectations", expectations)


@dataclass(frozen=True)
class Show:
    """A table of what was measured; the step fails when the table says that something is not as it must be."""

    build: Callable[[World, Ledger], Table]


Part = Say | BringUp | Do | Apply | Kubectl | Programs | Rights | Expect | Show


@dataclass(frozen=True)
class Step:
    """A chapter of the story. It has passed when all its expectations came true and no VM ran twice."""

    title: str
    parts: tuple[Part, ...]

    def __init__(self, title: str, *parts: Part) -> None:
        object.__setattr__(self, "title", title)
        object.__setattr__(self, "parts", parts)
