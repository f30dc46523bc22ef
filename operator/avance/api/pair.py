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
from avance.api.health import ComponentKind, Health, Severity
from avance.api.meta import (
    Condition,
    Evidence,
    Message,
    NodeName,
    ObjectMeta,
    ObjectName,
    Quantity,
    Time,
)

NodeState = Literal["Unknown", "InService", "Degraded", "Suspect", "Fencing", "Fenced", "Rejoining", "Closed"]

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


class FenceNode(ApiModel):
    """How one node is powered off and on: through its management controller (BMC)."""

    name: NodeName
    """Name of the node."""
    agent: Literal["redfish"] = "redfish"
    """The protocol that the management controller speaks."""
    address: Annotated[
        str,
        Field(min_length=1, max_length=253),
        Rule(
            "self.startsWith('https://')",
            "write https://<host> or https://<host>:<port>: passwords are never sent over http",
        ),
        Rule(
            "!self.startsWith('https://') || (isURL(self) && url(self).getHostname() != '')",
            "this is no address: write https://<host> or https://<host>:<port>",
        ),
        Rule(
            "!isURL(self) || (url(self).getEscapedPath() in ['', '/'] && !self.matches('[?#]'))",
            "leave the path out of the address and write it to systemPath",
        ),
        Rule(
            "!self.contains('@')",
            "leave user and password out of the address: they belong in the Secret of credentialsSecretName",
        ),
    ]
    """Address of the management controller: https://<host> or https://<host>:<port>."""
    system_path: (
        Annotated[
            str,
            Field(max_length=253),
            Rule(
                "self.matches('^/redfish/v1/Systems/[^/?#]+/?$')",
                "write the path of one system, for example /redfish/v1/Systems/1",
            ),
        ]
        | None
    ) = None
    """Path of the node's system, for example /redfish/v1/Systems/1; needed when the controller governs several."""
    credentials_secret_name: ObjectName
    """Secret in the operator's namespace with the keys username and password, and ca.crt for a private authority."""
    verify_tls: bool = Field(default=True)
    """Whether the certificate of the management controller is verified. Leave it on wherever you can."""


class Fencing(ApiModel):
    """How a dead node is made sure to be dead. Without it a crash is reported, and its VMs wait for a person."""

    nodes: Annotated[
        ListOf[FenceNode],
        Field(max_length=2),
        Rule(
            "self.all(a, self.all(b, a.name == b.name || a.address != b.address || "
            "(has(a.systemPath) && has(b.systemPath) && a.systemPath != b.systemPath)))",
            "both nodes name one machine: give each its own address, or its own systemPath of a shared one",
        ),
        MapBy("name"),
    ] = ()
    """How each of the two nodes is fenced."""
    request_timeout_seconds: Annotated[int, Field(ge=1, le=60)] = 5
    """How long one request to a management controller may take."""
    confirm_seconds: Annotated[int, Field(ge=1, le=60)] = 1
    """Off is believed when it is read twice, at least this long apart."""
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


class Restart(ApiModel):
    """How VMs are restarted after a crash: the highest tier first."""

    ready_gate_seconds: Annotated[int, Field(ge=0, le=3600)] = 60
    """How long a tier waits at most until the VMs of the tier before it are ready."""
    start_timeout_seconds: Annotated[int, Field(ge=30, le=3600)] = 300
    """How long one VM may take to run."""


class Migration(ApiModel):
    """How patient live migrations are."""

    timeout_seconds: Annotated[int, Field(ge=30, le=7200)] = 600
    """How long one migration may take."""
    unschedulable_seconds: Annotated[int, Field(ge=10, le=600)] = 30
    """How long the target of a migration may wait for room on the other node."""
    retry_backoff_seconds: Annotated[int, Field(ge=5, le=600)] = 20
    """How long to wait before a failed migration is tried again; doubles with every failure."""


class Limits(ApiModel):
    """What a node must be able to hold, so that either can hold everything."""

    max_vms: Annotated[int, Field(ge=1, le=64)] = 8
    """How many ProtectedVMs the pair protects at most."""
    reserved_cpu: Quantity = "1"
    """Processors of each node that no VM gets."""
    reserved_memory: Quantity = "2Gi"
    """Memory of each node that no VM gets."""


class Retention(ApiModel):
    """How much of the past is kept."""

    actions: Annotated[int, Field(ge=50, le=10000)] = 500
    """How many finished AvanceActions of this pair are kept; the oldest go first."""


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
    health: Health = Health()
    """How the health of a node is judged, and when a difference is worth a move."""
    detection: Detection = Detection()
    """When a silent node is suspected to have crashed."""
    fencing: Fencing = Fencing()
    """How a dead node is made sure to be dead. Without it a crash is reported, and its VMs wait for a person."""
    placement: Placement = Placement()
    """Where VMs start when they are free to choose."""
    recovery: Recovery = Recovery()
    """How a node comes back into service after a crash."""
    restart: Restart = Restart()
    """How VMs are restarted after a crash: the highest tier first."""
    migration: Migration = Migration()
    """How patient live migrations are."""
    limits: Limits = Limits()
    """What a node must be able to hold, so that either can hold everything."""
    retention: Retention = Retention()
    """How much of the past is kept."""


# --- status -----------------------------------------------------------------------------------------------------------


class ActiveFault(ApiModel):
    """A fault that is there now."""

    kind: ComponentKind
    """Kind of the component."""
    component: Annotated[str, Field(max_length=253)]
    """The component, for example PSU2."""
    severity: Severity
    """What it means for the node."""
    condition: Annotated[str, Field(max_length=316)]
    """The Node condition that reports it."""
    since: Time
    """When it began."""
    message: Message = ""
    """The condition's own words."""
    part: Annotated[str, Field(max_length=253)] | None = None
    """Part number, when the condition names it."""
    serial: Annotated[str, Field(max_length=253)] | None = None
    """Serial number, when the condition names it."""


class FencePath(ApiModel):
    """Whether the node could be fenced now."""

    state: Literal["Healthy", "Failed", "Unknown"]
    """Healthy: the management controller answered, and it is the right one."""
    checked_at: Time | None = None
    """When it was asked last."""
    message: Message = ""
    """What it answered, or why it did not, and what to do."""


class FenceStatus(ApiModel):
    """What is known about the fencing of a node."""

    path: FencePath | None = None
    """Whether the node could be fenced now."""
    evidence: Evidence | None = None
    """The last proof that the node was off."""


class NodeStatus(ApiModel):
    """One of the two nodes, as the operator sees it."""

    name: NodeName
    """Name of the node."""
    state: NodeState
    """InService and Degraded nodes serve. Suspect: maybe dead. Fencing: being powered off. Fenced: proved off. \
Rejoining: back, not yet trusted. Closed: takes no VMs."""
    score: Annotated[int, Field(ge=0, le=100)] | None = None
    """Health score: 100 without a fault, 0 when the node is gone."""
    explanation: Message = ""
    """How the score came about, for example 92 = 100 - 8 (power supply PSU2 of node-a failed)."""
    faults: Annotated[ListOf[ActiveFault], Field(max_length=64)] = ()
    """The faults that are there now."""
    boot_id: Annotated[str, Field(max_length=128)] | None = None
    """The boot that the node runs in."""
    system_uuid: Annotated[str, Field(max_length=128)] | None = None
    """UUID of the machine."""
    fence: FenceStatus | None = None
    """What is known about its fencing."""


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
crash now would be survived without a person), PrivateLinkHealthy."""
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
