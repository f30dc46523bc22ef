"""What the faults of a node's components mean for its health, and when a difference in health is worth a move."""

from typing import Annotated, Literal

from pydantic import Field

from avance.api.base import ApiModel, ListOf, MapBy, Rule

ComponentKind = Literal[
    "PowerSupply",
    "Fan",
    "Temperature",
    "Disk",
    "Raid",
    "Memory",
    "CPU",
    "PublicNetwork",
    "PrivateLink",
    "ReplicaStorage",
    "Kernel",
    "Kubelet",
    "ContainerRuntime",
    "VirtHandler",
    "Server",
]
Severity = Literal["Benign", "Serious", "Fatal"]

_Weight = Annotated[int, Field(ge=0, le=100)]

_FATAL_TAKES_ALL = Rule(
    "!has(self.severity) || self.severity != 'Fatal' || !has(self.weight) || self.weight == 100",
    "a Fatal fault takes the whole health score: leave weight out or set it to 100",
)


class ComponentHealth(ApiModel):
    """What a fault of one kind of component means for the health of its node."""

    rules = (
        _FATAL_TAKES_ALL,
        Rule("has(self.severity) || has(self.weight)", "say what to change for this kind: severity, weight, or both"),
    )

    kind: ComponentKind
    """Kind of component."""
    severity: Severity | None = None
    """Benign: redundancy is lost, service is kept. Serious: a service of the node is lost. Fatal: the node is gone. \
The built-in severity of the kind when absent."""
    weight: _Weight | None = None
    """What such a fault takes from the score of 100. The built-in weight of the kind when absent."""


class ConditionMapping(ApiModel):
    """A further Node condition that counts as a fault while it is True."""

    rules = (_FATAL_TAKES_ALL,)

    type: Annotated[str, Field(min_length=1, max_length=316)]
    """Type of the Node condition, for example FrequentKubeletRestart."""
    kind: ComponentKind
    """Kind of component that the condition speaks of."""
    severity: Severity | None = None
    """Severity of this fault; that of the kind when absent."""
    weight: _Weight | None = None
    """What this fault takes from the score; the weight of the kind when absent."""


class Health(ApiModel):
    """How the health of a node is judged, and when a difference is worth a move."""

    components: Annotated[ListOf[ComponentHealth], Field(max_length=15), MapBy("kind")] = ()
    """Kinds of components that shall weigh otherwise than they do by default."""
    conditions: Annotated[ListOf[ConditionMapping], Field(max_length=32), MapBy("type")] = ()
    """Node conditions, beyond the built-in ones, that count as faults."""
    margin: Annotated[int, Field(ge=1, le=100)] = 5
    """VMs move for their health's sake only to a node whose score is higher by at least this much."""
    dwell_seconds: Annotated[int, Field(ge=0, le=3600)] = 0
    """How long the other node must have been healthier before VMs move to it."""
    minimum_stay_seconds: Annotated[int, Field(ge=0, le=86400)] = 60
    """How long a VM stays where it has moved to before another comparison of health may move it again."""
    flap_faults: Annotated[int, Field(ge=2, le=30)] = 3
    """So many faults of one component within flapWindowSeconds: it flaps. It keeps its weight until it has been quiet \
for as long, and a node with a flapping component gets no VMs for their health's sake."""
    flap_window_seconds: Annotated[int, Field(ge=10, le=86400)] = 600
    """In how short a time so many faults are flapping, and how long it must be quiet before it counts as sound."""
