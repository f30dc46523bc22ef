"""What a pair's spec asks for, as plain values. Times are seconds; every default is the one of the published schema."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from math import inf

from avance.core.channels import NotificationPolicy
from avance.core.components import COMPONENT_CLASSES, CONDITION_KINDS, ComponentClass, ComponentKind
from avance.core.storage import StorageProvider


class Mode(StrEnum):
    AUTOMATIC = "Automatic"
    OBSERVE = "Observe"
    """Plan and report, change nothing."""


class PlacementPolicy(StrEnum):
    CONSOLIDATED = "Consolidated"
    """Every VM on the pair's primary; the other server is the spare."""
    BALANCED = "Balanced"
    """VMs spread over both servers."""


class Failback(StrEnum):
    """Whether VMs go back to a server that has rejoined."""

    AUTOMATIC = "Automatic"
    MANUAL = "Manual"
    """When a person asks for it with a Failback."""
    NEVER = "Never"


@dataclass(frozen=True, slots=True)
class Pause:
    """A person's order to begin nothing; it ends by itself."""

    until: float
    reason: str


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
    flap_faults: int = 3
    """So many faults of one component within the window: it flaps, and keeps its weight until it has been quiet."""
    flap_window_seconds: float = 600.0

    def class_of(self, condition: str) -> ComponentClass:
        """The severity and weight of a mapped condition; raises KeyError for one that is not mapped."""
        return self.condition_classes.get(condition) or self.classes[self.conditions[condition]]


class RebootPolicy(StrEnum):
    THRESHOLD = "Threshold"
    """A reboot may mend it, until its MTBF falls below the threshold."""
    NEVER = "Never"
    """Its first fault declares it failed."""
    ALWAYS = "Always"
    """A reboot is tried again and again; it is never declared failed."""


@dataclass(frozen=True, slots=True)
class MtbfPolicy:
    """When a component that keeps failing is trusted no more. Defaults suit an unattended site.

    Four faults within a day and a half (a mean of less than 12 h) are no accident. A component that fails once a week
    is annoying, but each time a reboot brings redundancy back without a visit.
    """

    policy: RebootPolicy = RebootPolicy.THRESHOLD
    threshold_seconds: float = 43200.0
    minimum_faults: int = 4
    attempts: int = 3
    """Reboots that may be tried for a fault that stays."""
    window_seconds: float = 604800.0
    forgiveness_seconds: float = 0.0
    """A component without a fault for so long is trusted again; 0: only a person lifts the declaration."""
    reboot_after_seconds: float = 10.0
    """How long a fault must have been there before the server is rebooted for it."""
    kinds: Mapping[ComponentKind, MtbfPolicy] = field(default_factory=dict)
    """Kinds of components with settings of their own."""

    def of(self, kind: ComponentKind) -> MtbfPolicy:
        """The settings for one kind of component."""
        return self.kinds.get(kind, self)


@dataclass(frozen=True, slots=True)
class DetectionPolicy:
    lease_silence_seconds: float = 14.0
    """Kubelets renew their Lease every 10 s; silence beyond this is the first opinion that a node is dead."""
    peer_confirmation_seconds: float = 2.0
    """How long the survivor must have reported the peer unreachable before its report counts."""
    quiet_seconds: float = 5.0
    """After this operator has begun to lead it begins no fence for so long."""
    storm_cooldown_seconds: float = 30.0
    """Once a storm has passed, nothing that it held back is begun for so long."""


@dataclass(frozen=True, slots=True)
class FencingPolicy:
    confirm_seconds: float = 1.0
    """`Off` must be read a second time at least this long after the first."""
    check_interval_seconds: float = 60.0
    """How often the fence path of a healthy node is tried."""
    attestation_seconds: float = 600.0
    """How long a person's word that a node is off may be used."""


@dataclass(frozen=True, slots=True)
class RecoveryPolicy:
    power_on: bool = True
    stabilisation_seconds: float = 60.0
    failback: Failback = Failback.AUTOMATIC
    healthy_delay_seconds: float = 120.0
    """How long a server must have served again before VMs go back to it."""


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    ready_gate_seconds: float = 60.0
    """The longest that one tier waits for the tier before it."""
    start_timeout_seconds: float = 300.0
    max_restarts: int = 3
    """How often a VM that fails is restarted on one node within the window, before the other one is tried."""
    max_cold_restarts: int = 30
    """How often a VM is booted anew within the window because its server was lost."""
    window_seconds: float = 3600.0


@dataclass(frozen=True, slots=True)
class MigrationPolicy:
    timeout_seconds: float = 600.0
    unschedulable_seconds: float = 30.0
    retry_backoff_seconds: float = 20.0
    apply_recommended: bool = False
    """Raise KubeVirt's limits so that all VMs of the pair can move at once."""


@dataclass(frozen=True, slots=True)
class Limits:
    max_vms: int = 8
    reserved_cpu_milli: int = 1000
    reserved_memory_bytes: int = 2 * 1024**3


@dataclass(frozen=True, slots=True)
class StoragePolicy:
    provider: StorageProvider = StorageProvider.NONE
    only_copy_patience_seconds: float = 300.0
    """How long a server that holds the only good copy must have been silent before it is fenced."""


@dataclass(frozen=True, slots=True)
class PairPolicy:
    mode: Mode = Mode.AUTOMATIC
    health: HealthPolicy = field(default_factory=HealthPolicy)
    mtbf: MtbfPolicy = field(default_factory=MtbfPolicy)
    detection: DetectionPolicy = field(default_factory=DetectionPolicy)
    fencing: FencingPolicy = field(default_factory=FencingPolicy)
    placement: PlacementPolicy = PlacementPolicy.CONSOLIDATED
    recovery: RecoveryPolicy = field(default_factory=RecoveryPolicy)
    restart: RestartPolicy = field(default_factory=RestartPolicy)
    migration: MigrationPolicy = field(default_factory=MigrationPolicy)
    limits: Limits = field(default_factory=Limits)
    storage: StoragePolicy = field(default_factory=StoragePolicy)
    retained_actions: int = 500
    retained_seconds: float = inf
    pause: Pause | None = None
    notifications: NotificationPolicy = field(default_factory=NotificationPolicy)
