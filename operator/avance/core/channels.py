"""How people are told of a pair: the channels, what a message holds, and what is known of its delivery."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum


class MessageKind(StrEnum):
    CALL_HOME = "CallHome"
    """A part is to be replaced."""
    FAILOVER = "Failover"
    """VMs were moved or restarted, a server crashed or is rebooted."""
    PERSON_NEEDED = "PersonNeeded"
    """Nothing goes on without a person."""
    RECOVERED = "Recovered"
    """What had been told is over."""


class MessageSeverity(IntEnum):
    INFO = 0
    """Redundancy did its work."""
    WARNING = 1
    """Redundancy is lost."""
    CRITICAL = 2
    """A server or a VM is lost, or VMs wait for a person."""

    @property
    def word(self) -> str:
        """As the API spells it."""
        return self.name.capitalize()


@dataclass(frozen=True, slots=True)
class ChannelPolicy:
    """One way to tell somebody, and what is told by it."""

    name: str
    tells: frozenset[MessageKind] = frozenset(MessageKind)
    minimum_severity: MessageSeverity = MessageSeverity.INFO
    max_messages_per_hour: int = 12
    subject: str = ""
    """Its own template (see `message_template`); empty: as avance writes it."""
    text: str = ""
    """Likewise."""


@dataclass(frozen=True, slots=True)
class NotificationPolicy:
    channels: tuple[ChannelPolicy, ...] = ()
    group_seconds: float = 30.0
    """What happens within this time goes into one message; the first word of what is urgent does not wait for it."""
    failover_not_ready_seconds: float = 900.0
    remind_seconds: float = 86400.0
    """A person who is needed is reminded so often; 0: never."""
    give_up_seconds: float = 86400.0

    def channel(self, name: str) -> ChannelPolicy | None:
        return next((channel for channel in self.channels if channel.name == name), None)


@dataclass(frozen=True, slots=True)
class SparePart:
    """A part that has failed, or works again, with everything that whoever brings another one has to know."""

    node: str
    name: str
    """`power supply PSU2`."""
    component: str
    """`PSU2`; empty where the detector names none."""
    kind: str
    """`PowerSupply`."""
    incident: str
    """The same for everything that is told about one fault."""
    part: str = ""
    """Part number; empty where it is not known, as are those below."""
    serial: str = ""
    severity: str = ""
    condition: str = ""
    """Of the node, by which the detector told."""
    detail: str = ""
    """The detector's words."""
    faults: tuple[tuple[float, float | None], ...] = ()
    """When its latest faults were seen and seen gone (None: still there), oldest first; epoch seconds."""
    fault_count: int = 0
    """How many are on record."""
    mtbf_seconds: float | None = None
    """Mean time between them; None with fewer than two."""


@dataclass(frozen=True, slots=True)
class Notification:
    """What a Notify tells, and by which channel; of a person's test only the channel is given."""

    channel: str
    kind: MessageKind | None = None
    """Of the gravest of what it tells; None in a test."""
    severity: MessageSeverity = MessageSeverity.INFO
    subject: str = ""
    text: str = ""
    about: tuple[str, ...] = ()
    """The keys of what it tells (see `topics`), so that nothing is told twice."""
    parts: tuple[SparePart, ...] = ()
    """The parts that it tells of, the gravest first."""

    @property
    def urgent(self) -> bool:
        """Somebody is needed, or a server or VM is lost."""
        grave = self.severity is MessageSeverity.CRITICAL and self.kind is not MessageKind.RECOVERED
        return self.kind is MessageKind.PERSON_NEEDED or grave


@dataclass(frozen=True, slots=True)
class Delivery:
    """What this operator knows of its tries to deliver one message."""

    under_way: bool = False
    tries: int = 0
    """Those that have ended."""
    ended_at: float = 0.0
    error: str = ""
    """Why the last one failed."""
    receipt: str = ""
    """What the receiver said when it took the message; empty while it has not."""
    refused: str = ""
    """The recipients for whom it did not take it, and why; empty if it took it for all."""


NOT_TRIED = Delivery()


@dataclass(frozen=True, slots=True)
class Standing:
    """A condition of the pair as its status has it."""

    type: str
    holds: bool | None
    reason: str
    message: str
    since: float


@dataclass(frozen=True, slots=True)
class Post:
    """What is known about telling people, beside the Notify actions on record."""

    since: Mapping[str, float] = field(default_factory=dict)
    """Since when each channel is there: what happened before is not told by it."""
    standing: tuple[Standing, ...] = ()
    deliveries: Mapping[str, Delivery] = field(default_factory=dict)
    """By the name of the Notify."""

    def condition(self, type_: str) -> Standing | None:
        return next((each for each in self.standing if each.type == type_), None)
