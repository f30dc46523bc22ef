"""What a pair's spec asks for, as plain values. Times are seconds; every default is the one of the published schema."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from avance.core.components import COMPONENT_CLASSES, CONDITION_KINDS, ComponentClass, ComponentKind


class Mode(StrEnum):
    AUTOMATIC = "Automatic"
    OBSERVE = "Observe"
    """Plan and report, change nothing."""


class PlacementPolicy(StrEnum):
    CONSOLIDATED = "Consolidated"
    """Every VM on the pair's primary; the other server is the spare."""
    BALANCED = "Balanced"
    """VMs spread over both servers."""


@dataclass(frozen=True, slots=True)
class HealthPolicy:
    classes: dict[ComponentKind, ComponentClass] = field(default_factory=lambda: dict(COMPONENT_CLASSES))
    conditions: dict[str, ComponentKind] = field(default_factory=lambda: dict(CONDITION_KINDS))
    condition_classes: dict[str, ComponentClass] = field(default_factory=dict)
    """Conditions whose severity or weight differs from their kind's."""
    margin: int = 5
    """Points by which the other node must be healthier before a VM moves."""
    dwell_seconds: float = 0.0
    minimum_stay_seconds: float = 60.0

    def class_of(self, condition: str) -> ComponentClass:
        """The severity and weight of a mapped condition; raises KeyError for one that is not mapped."""
        return self.condition_classes.get(condition) or self.classes[self.conditions[condition]]


@dataclass(frozen=True, slots=True)
class DetectionPolicy:
    lease_silence_seconds: float = 14.0
    """Kubelets renew their Lease every 10 s; silence beyond this is the first opinion that a node is dead."""
    peer_confirmation_seconds: float = 2.0
    """How long the survivor must have reported the peer unreachable before its report counts."""


@dataclass(frozen=True, slots=True)
class FencingPolicy:
    confirm_seconds: float = 1.0
    """`Off` must be read a second time at least this long after the first."""
    check_interval_seconds: float = 60.0
    """How often the fence path of a healthy node is tried."""


@dataclass(frozen=True, slots=True)
class RecoveryPolicy:
    power_on: bool = True
    stabilisation_seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    ready_gate_seconds: float = 60.0
    """The longest that one tier waits for the tier before it."""
    start_timeout_seconds: float = 300.0


@dataclass(frozen=True, slots=True)
class MigrationPolicy:
    timeout_seconds: float = 600.0
    unschedulable_seconds: float = 30.0
    retry_backoff_seconds: float = 20.0


@dataclass(frozen=True, slots=True)
class Limits:
    max_vms: int = 8
    reserved_cpu_milli: int = 1000
    reserved_memory_bytes: int = 2 * 1024**3


@dataclass(frozen=True, slots=True)
class PairPolicy:
    mode: Mode = Mode.AUTOMATIC
    health: HealthPolicy = field(default_factory=HealthPolicy)
    detection: DetectionPolicy = field(default_factory=DetectionPolicy)
    fencing: FencingPolicy = field(default_factory=FencingPolicy)
    placement: PlacementPolicy = PlacementPolicy.CONSOLIDATED
    recovery: RecoveryPolicy = field(default_factory=RecoveryPolicy)
    restart: RestartPolicy = field(default_factory=RestartPolicy)
    migration: MigrationPolicy = field(default_factory=MigrationPolicy)
    limits: Limits = field(default_factory=Limits)
    retained_actions: int = 500
