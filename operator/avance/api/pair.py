"""AvancePair: two nodes that look like one server, how their health is judged, and how far the operator may go."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from avance.api.base import (
    ApiModel,
    Column,
    ListOf,
    MapBy,
    Names,
    Resource,
    Rule,
    column_of_condition,
)
from avance.api.crash import LastCrash
from avance.api.fence_node import FenceNode
from avance.api.health import Health
from avance.api.meta import (
    Condition,
    Message,
    NodeName,
    ObjectMeta,
    ObjectName,
    Quantity,
    Time,
)
from avance.api.mtbf import Mtbf
from avance.api.node_status import NodeStatus
from avance.api.notifications import ChannelStatus, Notifications
from avance.api.pause import Pause
from avance.api.retention import RecordedSpec, Retention
from avance.api.storage import Storage

_LABEL_VALUES = Rule(
    "self.all(key, self[key].matches('^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$'))",
    "write values of labels: letters, digits, '-', '_' and '.', beginning and ending with a letter or digit",
)


# --- detection and fencing --------------------------------------------------------------------------------------


class Detection(ApiModel):
    """When a silent node is suspected to have crashed."""

    lease_silence_seconds: Annotated[int, Field(ge=12, le=300)] = 14
    """How long a node's Lease must have gone without renewal. A healthy kubelet renews it every 10 s."""
    peer_confirmation_seconds: Annotated[int, Field(ge=1, le=60)] = 2
    """How long the other node must have reported that it reaches its peer no more."""
    quiet_seconds: Annotated[int, Field(ge=0, le=60)] = 5
    """For how long an operator that has just taken over begins no fence. What its predecessor has begun goes on."""
    storm_cooldown_seconds: Annotated[int, Field(ge=0, le=600)] = 30
    """When both nodes, several nodes of the cluster or the API itself look bad, nothing new is begun; so long after \
that has passed, neither."""


class Fencing(ApiModel):
    """How a dead node is made sure to be dead. Without it a crash is reported, and its VMs wait for a person."""

    nodes: Annotated[
        ListOf[FenceNode],
        Field(max_length=2),
        Rule(
            "self.all(a, self.all(b, a.name == b.name || !has(a.address) || !has(b.address) || "
            "a.address != b.address || (has(a.systemPath) && has(b.systemPath) && a.systemPath != b.systemPath)))",
            "both nodes name one machine: give each its own address, or its own systemPath of a shared one",
        ),
        Rule(
            "self.all(a, self.all(b, a.name == b.name || a.agent != b.agent || !has(a.parameters) || "
            "!has(b.parameters) || a.parameters != b.parameters))",
            "both nodes name one machine: the parameters of their fence agents must differ",
        ),
        Rule(
            "self.all(a, self.all(b, a.name == b.name || !has(a.systemUUID) || !has(b.systemUUID) || "
            "a.systemUUID != b.systemUUID))",
            "both nodes name one machine: give each its own systemUUID",
        ),
        MapBy("name"),
    ] = ()
    """How each of the two nodes is fenced."""
    request_timeout_seconds: Annotated[int, Field(ge=1, le=60)] = 5
    """How long one request to a management controller may take."""
    confirm_seconds: Annotated[int, Field(ge=1, le=60)] = 1
    """Off is believed when it is read twice, at least this long apart."""
    attestation_seconds: Annotated[int, Field(ge=60, le=86400)] = 600
    """How long the word of a person that a node is off (AttestOff) may be used."""
    check_interval_seconds: Annotated[int, Field(ge=10, le=3600)] = 60
    """How often each management controller is asked for its state: a broken one must be known before it is needed."""


# --- the rest of the spec ---------------------------------------------------------------------------------------------


class Placement(ApiModel):
    """Where VMs start when they are free to choose."""

    policy: Literal["Consolidated", "Balanced"] = "Consolidated"
    """Consolidated: all on one node, the other is the spare. Balanced: spread over both."""


class Recovery(ApiModel):
    """How a node comes back into service after a crash."""

    power_on: Literal["Automatic", "Manual"] = "Automatic"
    """Whether the operator powers a fenced node on again, or a person does."""
    stabilisation_seconds: Annotated[int, Field(ge=0, le=86400)] = 60
    """How long a node that came back must stay healthy before it serves again."""
    failback: Literal["Automatic", "Manual", "Never"] = "Automatic"
    """Whether VMs go back to a node that has rejoined: those that prefer it, and with Balanced placement as many as \
spread them evenly. Manual: when a person asks for it by a Failback. Never: not even then."""
    healthy_delay_seconds: Annotated[int, Field(ge=0, le=86400)] = 120
    """How long a node must have served again, without a fault, before VMs go back to it."""


class Restart(ApiModel):
    """How VMs are restarted: after a crash the highest tier first, and one that keeps failing not for ever."""

    ready_gate_seconds: Annotated[int, Field(ge=0, le=3600)] = 60
    """How long a tier waits at most until the VMs of the tier before it are ready."""
    start_timeout_seconds: Annotated[int, Field(ge=30, le=3600)] = 300
    """How long one VM may take to run."""
    max_restarts: Annotated[int, Field(ge=1, le=100)] = 3
    """How often a VM that fails is restarted on one node within the window. Then the other node is tried as often; \
then it is given up, until its spec changes or a person asks for a Restart."""
    max_cold_restarts: Annotated[int, Field(ge=1, le=1000)] = 30
    """How often a VM is booted anew within the window because its server was lost. Then it is given up: it may be \
what its servers die of."""
    window_seconds: Annotated[int, Field(ge=60, le=86400)] = 3600
    """How long a restart counts."""


class Migration(ApiModel):
    """How patient live migrations are."""

    timeout_seconds: Annotated[int, Field(ge=30, le=7200)] = 600
    """How long one migration may take."""
    unschedulable_seconds: Annotated[int, Field(ge=10, le=600)] = 30
    """How long the target of a migration may wait for room on the other node."""
    retry_backoff_seconds: Annotated[int, Field(ge=5, le=600)] = 20
    """How long to wait before a failed migration is tried again; doubles with every failure."""
    apply_recommended_settings: bool = False
    """Whether the operator raises KubeVirt's parallelMigrationsPerCluster and parallelOutboundMigrationsPerNode to \
limits.maxVMs, for the whole cluster. Needs rbac.kubevirtSettings of the chart. The condition MigrationsReady says \
what else to change."""


class Limits(ApiModel):
    """What a node must be able to hold, so that either can hold everything."""

    max_vms: Annotated[int, Field(ge=1, le=64)] = 8
    """How many ProtectedVMs the pair protects at most."""
    reserved_cpu: Quantity = "1"
    """Processors of each node that no VM gets."""
    reserved_memory: Quantity = "2Gi"
    """Memory of each node that no VM gets."""


class PairSpec(ApiModel):
    """The two nodes, and how they are looked after. Everything but nodeSelector has a default that serves."""

    node_selector: Annotated[
        dict[str, Annotated[str, Field(max_length=63)]],
        Field(max_length=8),
        Rule("self.size() > 0", "name a label that exactly two nodes carry, for example avance.dev/pair: site"),
        _LABEL_VALUES,
    ]
    """Labels that exactly two nodes carry, for example avance.dev/pair: site."""
    mode: Literal["Automatic", "Observe"] = "Automatic"
    """Automatic: the operator acts. Observe: it plans and reports, and changes nothing."""
    pause: Pause | None = None
    """Begin nothing for the pair, its nodes and its VMs for a while: they are unprotected until then."""
    health: Health = Health()
    """How the health of a node is judged, and when a difference is worth a move."""
    mtbf: Mtbf = Mtbf()
    """When a component that keeps failing is declared failed, and its node declared down."""
    detection: Detection = Detection()
    """When a silent node is suspected to have crashed."""
    fencing: Fencing = Fencing()
    """How a dead node is made sure to be dead. Without it a crash is reported, and its VMs wait for a person."""
    placement: Placement = Placement()
    """Where VMs start when they are free to choose."""
    recovery: Recovery = Recovery()
    """How a node comes back into service after a crash."""
    restart: Restart = Restart()
    """How VMs are restarted: after a crash the highest tier first, and one that keeps failing not for ever."""
    migration: Migration = Migration()
    """How patient live migrations are."""
    limits: Limits = Limits()
    """What a node must be able to hold, so that either can hold everything."""
    storage: Storage = Storage()
    """Whether each node has a copy of its own of every VM's disks, and who tells how good it is."""
    retention: Retention = Retention()
    """How much of the past is kept."""
    notifications: Notifications = Notifications()
    """Who is told what happens. Nobody, unless channels are named."""


# --- status -----------------------------------------------------------------------------------------------------------


class VMStatus(ApiModel):
    """One VM of the pair."""

    namespace: Annotated[ObjectName, Field(max_length=63)]
    """Namespace of the ProtectedVM."""
    name: ObjectName
    """Name of the ProtectedVM."""
    primary: NodeName | None = None
    """Node that it runs on."""
    backup: NodeName | None = None
    """The other node."""
    phase: Annotated[str, Field(max_length=64)] | None = None
    """Phase of the ProtectedVM."""
    protected: bool = False
    """Whether it would survive the loss of its primary."""


class Incident(ApiModel):
    """Something that is being dealt with."""

    id: Annotated[str, Field(max_length=128)]
    """Name of the incident; the AvanceActions that belong to it carry it."""
    since: Time
    """When it began."""
    message: Message = ""
    """What happened, as a sentence."""


class PairStatus(ApiModel):
    """Whether the pair is all right, and if not, why."""

    observed_generation: Annotated[int, Field(ge=0)] | None = None
    """The generation of the spec that this status is about."""
    conditions: Annotated[ListOf[Condition], Field(max_length=32), MapBy("type")] = ()
    """Ready (two nodes found, the spec is followed), Redundant (either node can hold every VM), FailoverReady (a \
crash now would be survived without a person), PrivateLinkHealthy, FencingClear (no dead node waits in vain for the \
proof that it is off), SolePowerAuthority (no other controller is seen that switches a node's power), Calm (no storm: \
new actions may begin), KubeVirtReady (KubeVirt itself could start and move VMs), MigrationsReady \
(KubeVirt lets all VMs move at once), Paused; Observing in mode Observe; \
NotificationsDelivered where there are channels."""
    primary: NodeName | None = None
    """The node that holds more of the pair's VMs."""
    scores: Annotated[str, Field(max_length=600)] = ""
    """Both health scores at a glance."""
    vm_count: Annotated[str, Field(max_length=16)] = ""
    """How many VMs are protected, of how many at most."""
    nodes: Annotated[ListOf[NodeStatus], Field(max_length=8), MapBy("name")] = ()
    """The nodes that the selector finds; two, if all is well."""
    vms: Annotated[ListOf[VMStatus], Field(max_length=128), MapBy("namespace", "name")] = ()
    """The VMs of the pair."""
    incident: Incident | None = None
    """What is being dealt with now."""
    last_crash: LastCrash | None = None
    """How long the last crash of a node took."""
    would_do: Annotated[ListOf[Message], Field(max_length=16)] = ()
    """While the pair is paused or its mode is Observe: what would be done now."""
    notifications: Annotated[ListOf[ChannelStatus], Field(max_length=8), MapBy("name")] = ()
    """What is kept of the channels by which people are told."""
    recorded: Annotated[ListOf[RecordedSpec], Field(max_length=256), MapBy("uid")] | None = None
    """The specs of the pair and its VMs that the log of actions has; absent until the operator has begun to keep it."""


class AvancePair(Resource):
    """Two ordinary nodes that look like one server that does not fail. Label two nodes, name the label here, say how
    to power them off for certain, and the ProtectedVMs that refer to this pair survive the loss of either.
    """

    names: ClassVar = Names("AvancePair", "avancepairs", "avancepair", "pair", "Cluster")
    columns: ClassVar = (
        column_of_condition("Ready"),
        column_of_condition("Redundant"),
        column_of_condition("FailoverReady"),
        Column("Primary", ".status.primary"),
        Column("Scores", ".status.scores"),
        Column("VMs", ".status.vmCount"),
        Column("Incident", ".status.incident.message", priority=1),
        Column("Age", ".metadata.creationTimestamp", type="date"),
    )
    rules = (
        Rule(
            "self.metadata.name.size() <= 40",
            "choose a name of at most 40 characters: it is used in labels and in the names of other objects",
        ),
    )

    metadata: ObjectMeta
    """Standard metadata."""
    spec: PairSpec
    """The two nodes, and how they are looked after."""
    status: PairStatus = PairStatus()
    """Whether the pair is all right, and if not, why."""
