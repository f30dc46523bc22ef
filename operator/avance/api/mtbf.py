"""How often a component may fail before it is trusted no more, and what is remembered of its faults."""

from typing import Annotated, Literal

from pydantic import Field

from avance.api.base import ApiModel, ListOf, MapBy, Rule
from avance.api.health import ComponentKind
from avance.api.meta import Message, Time

RebootPolicy = Literal["Threshold", "Never", "Always"]

_Threshold = Annotated[int, Field(ge=60, le=31536000)]
_Faults = Annotated[int, Field(ge=2, le=30)]
_Attempts = Annotated[int, Field(ge=0, le=10)]
_Window = Annotated[int, Field(ge=600, le=31536000)]
_Forgiveness = Annotated[int, Field(ge=0, le=31536000)]
_RebootAfter = Annotated[int, Field(ge=0, le=3600)]


class ComponentMtbf(ApiModel):
    """What is different for one kind of component; what is absent is as for all kinds."""

    rules = (
        Rule(
            "has(self.policy) || has(self.thresholdSeconds) || has(self.minimumFaults) || has(self.attempts) || "
            "has(self.windowSeconds) || has(self.forgivenessSeconds) || has(self.rebootAfterSeconds)",
            "say what is different for this kind: policy, thresholdSeconds, minimumFaults, attempts, windowSeconds, "
            "forgivenessSeconds or rebootAfterSeconds",
        ),
    )

    kind: ComponentKind
    """Kind of component; Server stands for crashes of the server itself."""
    policy: RebootPolicy | None = None
    """As for all kinds."""
    threshold_seconds: _Threshold | None = None
    """As for all kinds."""
    minimum_faults: _Faults | None = None
    """As for all kinds."""
    attempts: _Attempts | None = None
    """As for all kinds."""
    window_seconds: _Window | None = None
    """As for all kinds."""
    forgiveness_seconds: _Forgiveness | None = None
    """As for all kinds."""
    reboot_after_seconds: _RebootAfter | None = None
    """As for all kinds."""


class Mtbf(ApiModel):
    """When a component that keeps failing is declared failed, and its node, if useless without it, declared down. The
    MTBF is the mean time between the recorded faults of one component of one node.
    """

    policy: RebootPolicy = "Threshold"
    """Threshold: a serious fault of the backup is answered with reboots, until the MTBF is below the threshold. \
Never: its first fault declares a component failed, and nothing is rebooted for it. Always: reboots are tried without \
end, ever more slowly, and nothing is declared failed."""
    threshold_seconds: _Threshold = 43200
    """An MTBF below this is too short: the component is declared failed."""
    minimum_faults: _Faults = 4
    """With fewer faults than this in the window nothing is declared failed, however close together they are."""
    attempts: _Attempts = 3
    """How many reboots are tried for a serious fault that stays, before the node is declared down."""
    window_seconds: _Window = 604800
    """Faults older than this, when the newest one came, count no more."""
    forgiveness_seconds: _Forgiveness = 0
    """A component that has been without a fault for so long is trusted again; 0: only a ResetMTBF ends it."""
    reboot_after_seconds: _RebootAfter = 10
    """How long a serious fault must have been there before the backup is rebooted for it."""
    components: Annotated[ListOf[ComponentMtbf], Field(max_length=15), MapBy("kind")] = ()
    """Kinds of components for which something is different."""


# --- status -----------------------------------------------------------------------------------------------------------


class RecordedFault(ApiModel):
    """One fault on record."""

    condition: Annotated[str, Field(max_length=316)]
    """The Node condition that reported it; Crash for a crash of the server."""
    since: Time
    """When it began, by the clock of the node: together with the condition its name."""
    at: Time
    """When the operator first saw it."""
    until: Time | None = None
    """When the operator saw it gone; absent while it is there."""


class ComponentStatus(ApiModel):
    """What is remembered of one component that has failed before."""

    kind: ComponentKind
    """Kind of the component; Server stands for crashes of the server itself."""
    component: Annotated[str, Field(max_length=253)] = ""
    """The component, for example PSU2; empty where its detector names none."""
    fault_count: Annotated[int, Field(ge=0)] = 0
    """How many of its faults count: those in the window, since the MTBF was last reset."""
    mtbf_seconds: Annotated[int, Field(ge=0)] | None = None
    """Mean time between these faults; absent with fewer than two."""
    at_risk_until: Time | None = None
    """The time left to the threshold ends then: one further fault before would declare the component failed. Absent \
where one further fault alone would not."""
    failed_since: Time | None = None
    """Since when it is declared failed; absent while it is trusted."""
    counted_from: Time | None = None
    """Faults up to then count no more: the MTBF was reset, or they were forgiven."""
    faults: Annotated[ListOf[RecordedFault], Field(max_length=64)] = ()
    """Its faults on record, oldest first."""


class DeclaredDown(ApiModel):
    """Why a node is out of service until its MTBF is reset."""

    since: Time
    """Since when."""
    message: Message = ""
    """Why."""
    kind: ComponentKind | None = None
    """Kind of the component that made it useless; absent when a person declared it down."""
    component: Annotated[str, Field(max_length=253)] = ""
    """The component."""
