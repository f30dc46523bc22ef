"""What is remembered of the components of a node: every recorded fault, kept in the pair's status.

A fault is one False-to-True transition of a condition, named by condition, component and the transition's time, so
that reading it again counts nothing twice; nor does a detector that says Unknown in between, or moves the time. The
memory survives reboots of the node and restarts of the operator.
"""

from __future__ import annotations

from dataclasses import dataclass

from avance.core.components import ComponentKind
from avance.core.power import same_system

SAME_SECONDS = 0.001
"""Times of transitions that differ by less are the same one, written and read again."""


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One recorded fault."""

    condition: str
    since: float
    """Its transition by the clock of the node: a name, never compared with now."""
    at: float
    """When the operator first saw it."""
    until: float | None = None
    """When the operator saw it gone; None while it is there."""

    def is_of(self, condition: str, since: float) -> bool:
        return self.condition == condition and abs(self.since - since) < SAME_SECONDS


@dataclass(frozen=True, slots=True)
class ComponentHistory:
    """The recorded faults of one component of one node."""

    kind: ComponentKind
    component: str
    """Empty where the detector names none: the kind as a whole."""
    faults: tuple[Occurrence, ...] = ()
    """Oldest first."""
    counted_from: float = 0.0
    """Faults up to then count no more: somebody reset the MTBF, or they were forgiven."""
    failed_since: float | None = None
    """Since when it is declared failed; None while it is trusted."""

    @property
    def counted(self) -> tuple[Occurrence, ...]:
        return tuple(fault for fault in self.faults if fault.at > self.counted_from)

    def lasting(self, condition: str) -> Occurrence | None:
        """The fault by this condition that has not been seen gone."""
        return next((fault for fault in self.faults if fault.condition == condition and fault.until is None), None)

    @property
    def active(self) -> bool:
        return any(fault.until is None for fault in self.faults)


@dataclass(frozen=True, slots=True)
class Declaration:
    """A node is declared down: out of service until somebody resets its MTBF or its fault is forgiven."""

    at: float
    because: str
    """A sentence for people."""
    kind: str = ""
    component: str = ""
    """The component that made the node useless; both empty when a person declared it down."""


@dataclass(frozen=True, slots=True)
class Maintenance:
    """A person works on a node: closed, without VMs, and left alone until somebody asks for a LeaveMaintenance."""

    since: float
    by: str
    because: str
    """A sentence for people."""
    empty: bool = True
    """It is known to hold no VM of the pair; while it is not, its death is one like any other."""


@dataclass(frozen=True, slots=True)
class NodeHistory:
    """What is remembered of one node."""

    components: tuple[ComponentHistory, ...] = ()
    declared_down: Declaration | None = None
    lifted_at: float = 0.0
    """When its MTBF was last reset or its last declaration forgiven: declarations up to then are void."""
    system_uuid: str = ""
    """The server that is known by this name: the first one that was seen, or that a person has accepted."""
    identified_at: float = 0.0
    """When a person accepted it; what was recorded before is about another server."""
    maintenance: Maintenance | None = None
    maintenance_ended_at: float = 0.0
    """When its last maintenance ended: what was on record by then is void."""
    heard_peer_in: str = ""
    """The last boot of it in which it has heard the other node."""
    cordoned_at: float = 0.0
    """When it was first seen cordoned by somebody else, until it is taken back after that; 0 if it was not."""

    def is_of_another(self, system_uuid: str) -> bool:
        """Whether this is another server than the one that is remembered; never, where a UUID is not known."""
        if not self.system_uuid or not system_uuid or self.system_uuid == system_uuid:
            return False
        return not same_system(self.system_uuid, system_uuid)

    def of(self, kind: ComponentKind, component: str) -> ComponentHistory:
        """The history of one component; an empty one if nothing is recorded."""
        found = (each for each in self.components if (each.kind, each.component) == (kind, component))
        return next(found, ComponentHistory(kind, component))


NOTHING_REMEMBERED = NodeHistory()
