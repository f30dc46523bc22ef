"""ProtectedVM: a virtual machine that survives the loss of its node. The operator owns one VirtualMachine for each."""

from typing import Annotated, Any, ClassVar, Literal

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
from avance.api.disk import Disk
from avance.api.guest import Guest
from avance.api.health_checks import HealthChecks
from avance.api.meta import Condition, DnsLabel, NodeName, ObjectMeta, ObjectName, PairRef, Quantity, Time
from avance.api.pause import Pause

Priority = Literal["High", "Medium", "Low"]
VMPhase = Literal[
    "Pending", "Provisioning", "Starting", "Running", "Migrating", "Restarting", "Stopped", "Failed", "Unknown"
]
FailoverKind = Literal["Graceful", "ColdRestart", "Restart"]


# --- networks ---------------------------------------------------------------------------------------------------------


class Network(ApiModel):
    """A network interface of the VM."""

    rules = (
        Rule(
            "(has(self.pod) && self.pod) != has(self.networkAttachment)",
            "say what the interface is connected to: either pod: true or networkAttachment",
        ),
    )

    name: DnsLabel
    """Name of the interface."""
    pod: bool | None = None
    """True: the cluster's pod network."""
    network_attachment: (
        Annotated[
            str,
            Field(max_length=317),
            Rule(
                "self.matches('^([-a-z0-9]+/)?[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",
                "write <namespace>/<name> of a NetworkAttachmentDefinition",
            ),
        ]
        | None
    ) = None
    """<namespace>/<name> of the NetworkAttachmentDefinition that the interface is connected to."""
    model: Literal["virtio", "e1000e", "rtl8139"] = "virtio"
    """How the guest sees the interface: virtio is fastest, e1000e needs no driver."""
    mac_address: (
        Annotated[
            str,
            Field(max_length=17),
            Rule(
                "self.matches('^[0-9A-Fa-f][02468ACEace](:[0-9A-Fa-f]{2}){5}$')",
                "write the address of one interface, such as 02:00:00:12:34:56: six bytes, the first one even",
            ),
        ]
        | None
    ) = None
    """Hardware address that the interface keeps; one is made up when absent."""


# --- the kind ---------------------------------------------------------------------------------------------------------


class VmRef(ApiModel):
    """A VirtualMachine that exists already."""

    name: Annotated[ObjectName, Field(max_length=52)]
    """Its name, which is the ProtectedVM's name too."""


class ProtectedVMSpec(ApiModel):
    """The VM, and how it is protected."""

    rules = (
        Rule(
            "has(self.vmRef) || (has(self.disks) && size(self.disks) > 0)",
            "say what the VM consists of: add disks, or adopt a VirtualMachine that exists with vmRef",
        ),
        Rule(
            "!has(self.vmRef) || !(has(self.cores) || has(self.memory) || (has(self.disks) && size(self.disks) > 0) || "
            "has(self.template) || has(self.guest.instanceType) || "
            "has(self.guest.preference) || has(self.guest.cloudInit) || has(self.guest.sysprep) || "
            "!(size(self.networks) == 1 && self.networks[0].name == 'default'))",
            "an adopted VirtualMachine keeps its own definition: remove cores, memory, disks, networks, guest and "
            "template, or vmRef",
        ),
        Rule(
            "!has(self.vmRef) || !(has(self.healthChecks.probe) || self.healthChecks.panicDevice || "
            "self.healthChecks.watchdog != 'None')",
            "a probe, a watchdog and a panic device are part of the adopted VirtualMachine's own definition: only "
            "healthChecks.guestAgentPing can be asked for beside vmRef",
        ),
        Rule(
            "has(self.vmRef) == has(oldSelf.vmRef)",
            "a VM is either adopted or defined here, for good: let an adopted one go by deleting its ProtectedVM, "
            "which leaves the VirtualMachine as it was",
        ),
        Rule(
            "has(self.vmRef) || has(self.cores) || has(self.guest.instanceType)",
            "say how many processors the VM gets: add cores, or guest.instanceType",
        ),
        Rule(
            "has(self.vmRef) || has(self.memory) || has(self.guest.instanceType)",
            "say how much memory the VM gets: add memory, for example 4Gi, or guest.instanceType",
        ),
        Rule(
            "!has(self.guest.instanceType) || !(has(self.cores) || has(self.memory))",
            "the instance type says how large the VM is: remove cores and memory, or guest.instanceType",
        ),
        Rule(
            "!has(self.healthChecks.probe) || has(self.healthChecks.probe.exec) || "
            "self.networks.exists(network, has(network.pod) && network.pod)",
            "httpGet and tcpSocket reach the guest by the pod network: add a network with pod: true, or use exec",
        ),
    )

    pair_ref: Annotated[
        PairRef,
        Rule("self == oldSelf", "a VM stays with its pair: delete it, and create it again for the other one"),
    ]
    """The pair that protects the VM. It never changes."""
    vm_ref: VmRef | None = None
    """Adopt this VirtualMachine of the namespace instead of defining one: it keeps its definition, and is left as it \
was when the ProtectedVM is deleted."""
    cores: Annotated[int, Field(ge=1, le=256)] | None = None
    """Processors of the VM. Needed unless guest.instanceType or vmRef is given."""
    memory: (
        Annotated[
            Quantity,
            Rule(
                "!isQuantity(string(self)) || quantity(string(self)).compareTo(quantity('64Mi')) >= 0",
                "a VM needs at least 64Mi of memory; mind the unit: 4Gi, not 4",
            ),
        ]
        | None
    ) = None
    """Memory of the VM, for example 4Gi; at least 64Mi. Needed unless guest.instanceType or vmRef is given."""
    disks: Annotated[
        ListOf[Disk],
        Field(max_length=16),
        Rule(
            "self.all(a, !has(a.bootOrder) || self.exists_one(b, has(b.bootOrder) && b.bootOrder == a.bootOrder))",
            "two disks have the same bootOrder: give each its own number",
        ),
        MapBy("name"),
    ] = ()
    """The disks: at least one, unless the VM is adopted by vmRef."""
    networks: Annotated[
        ListOf[Network],
        Field(max_length=8),
        Rule(
            "self.filter(network, has(network.pod) && network.pod).size() <= 1",
            "only one interface can be on the pod network: connect the others by networkAttachment",
        ),
        Rule(
            "self.all(a, !has(a.macAddress) || self.exists_one(b, has(b.macAddress) && "
            "b.macAddress.lowerAscii() == a.macAddress.lowerAscii()))",
            "two interfaces have the same macAddress: give each its own, or leave it out",
        ),
        MapBy("name"),
    ] = (Network(name="default", pod=True),)
    """The network interfaces; by default one, on the pod network."""
    guest: Guest = Guest()
    """What runs inside."""
    restart_priority: Priority = "Medium"
    """After a crash, High is restarted before Medium, and Medium before Low."""
    depends_on: Annotated[
        ListOf[Annotated[ObjectName, Field(max_length=52)]],
        Field(max_length=16),
        Rule("self.all(a, self.exists_one(b, b == a))", "name each VM once"),
    ] = ()
    """ProtectedVMs of this namespace and pair that must be ready before this VM is started. One that is not to run, \
or is paused or given up, is not waited for, and none longer than restart.readyGateSeconds of the pair."""
    preferred_node: NodeName | None = None
    """Node of the pair that the VM runs on when both are equally fit."""
    running: bool = True
    """Whether the VM shall run. False shuts it down."""
    pause: Pause | None = None
    """Begin nothing for this VM for a while: it is unprotected until then."""
    health_checks: HealthChecks = HealthChecks()
    """How a hung or crashed guest is noticed."""
    template: Annotated[dict[str, Any], Field(json_schema_extra={"x-kubernetes-preserve-unknown-fields": True})] = (
        Field(default_factory=dict)
    )
    """What this API does not name: merged onto spec.template of the KubeVirt VirtualMachine as it is, lists of named \
items by their names."""


class LastFailover(ApiModel):
    """How the VM changed its node or was restarted last."""

    time: Time
    """When it was done."""
    kind: FailoverKind
    """Graceful: it kept running. ColdRestart: it was booted on the other node. Restart: it was booted where it was."""
    from_: NodeName | None = None
    """Node that it ran on before."""
    to: NodeName | None = None
    """Node that it ran on afterwards."""
    seconds: Annotated[int, Field(ge=0)] = 0
    """How long it took, from the cause to a running VM."""


class Downtime(ApiModel):
    """How long the VM was down in a year, though it should have run."""

    year: Annotated[int, Field(ge=2000)]
    """The year (UTC)."""
    planned_seconds: Annotated[int, Field(ge=0)] = 0
    """Because someone asked for it."""
    unplanned_seconds: Annotated[int, Field(ge=0)] = 0
    """Because something broke."""


class Outage(ApiModel):
    """A time in which the VM was down though it should have run."""

    since: Time
    """When it went down."""
    until: Time | None = None
    """When it ran again; absent while it is down."""
    seconds: Annotated[int, Field(ge=0)] | None = None
    """How long it lasted."""
    cause: Annotated[str, Field(max_length=64)] | None = None
    """The reason of the action that ended it, as in the log of actions."""
    incident: Annotated[str, Field(max_length=253)] | None = None
    """What was done about it, and about everything else that the same thing broke, carries this incident."""
    planned: bool = False
    """Somebody asked for it."""


class LastWritten(ApiModel):
    """Which copies of the disks are the newest. Kept here because it has to outlive both nodes."""

    generation: Annotated[int, Field(ge=1)]
    """Goes up each time the VM begins to write without one of the copies."""
    nodes: Annotated[ListOf[NodeName], Field(max_length=8)]
    """Nodes whose copies hold all of it."""


class DiskCopy(ApiModel):
    """The copy of the VM's disks on one node: the worst of its volumes, by the worse of what both ends say."""

    node: NodeName
    """Name of the node."""
    state: Literal["UpToDate", "Consistent", "Unknown", "Outdated", "Inconsistent", "Diskless", "Failed"]
    """UpToDate alone is good. Consistent: whole, but nobody vouches that it is the newest. Inconsistent: being \
resynchronised."""
    connection: Literal["Connected", "Unknown", "Disconnected", "Split"]
    """Its link to the other copy. Split: both were written apart from each other (split brain)."""
    synced_percent: Annotated[int, Field(ge=0, le=100)] | None = None
    """How far it is resynchronised."""


class ProtectedVMStatus(ApiModel):
    """Where the VM is, and whether it would survive a crash now."""

    observed_generation: Annotated[int, Field(ge=0)] | None = None
    """The generation of the spec that this status is about."""
    phase: VMPhase | None = None
    """What the VM does at the moment."""
    conditions: Annotated[ListOf[Condition], Field(max_length=32), MapBy("type")] = ()
    """Ready (the guest runs), Admitted (either node can hold it beside the others), Protected (it would survive the \
loss of its node), Migratable (it can move while it runs), Synced (both nodes have its data), Provisioned (the disks \
that are made with it are there), Stable (it does not keep failing), Ordered (what it depends on is there), \
RestartNeeded (what was changed takes effect at its next restart)."""
    primary: NodeName | None = None
    """Node that the VM runs on."""
    backup: NodeName | None = None
    """The other node of the pair."""
    last_failover: LastFailover | None = None
    """How the VM changed its node or was restarted last."""
    downtime: Downtime | None = None
    """Downtime in this year."""
    last_written: LastWritten | None = None
    """Which nodes hold what the VM wrote last, where disks are replicated: it is started from their copies alone."""
    disks: Annotated[ListOf[DiskCopy], Field(max_length=8), MapBy("node")] = ()
    """The copy of its disks on each node, as the storage tells it; absent while it tells nothing."""
    guest_answered: Annotated[str, Field(max_length=64)] | None = None
    """UID of the last instance whose guest has answered its health check; one that never did is not held to hang."""
    outages: Annotated[ListOf[Outage], Field(max_length=16)] = ()
    """The latest outages, oldest first."""
    outage_since: Time | None = None
    """Since when the VM is down though it should run; absent while it runs."""


class ProtectedVM(Resource):
    """A virtual machine that survives the loss of its node: it moves away while it runs when its node weakens, and is
    restarted on the other node when its node crashes.
    """

    names: ClassVar = Names("ProtectedVM", "protectedvms", "protectedvm", "pvm", "Namespaced")
    columns: ClassVar = (
        Column("Phase", ".status.phase"),
        Column("Primary", ".status.primary"),
        Column("Backup", ".status.backup"),
        column_of_condition("Protected"),
        Column("Priority", ".spec.restartPriority"),
        column_of_condition("Reason", type_="Protected", field="reason"),
        Column("Age", ".metadata.creationTimestamp", type="date"),
    )
    rules = (
        Rule(
            "self.metadata.name.size() <= 52",
            "choose a name of at most 52 characters: it becomes part of the names of pods and labels",
        ),
        Rule(
            "!has(self.spec.dependsOn) || !(self.metadata.name in self.spec.dependsOn)",
            "a VM cannot wait for itself: remove its own name from dependsOn",
        ),
        Rule(
            "!has(self.spec.vmRef) || self.spec.vmRef.name == self.metadata.name",
            "a ProtectedVM has the name of the VirtualMachine that it adopts: make metadata.name and vmRef.name "
            "the same",
        ),
    )

    metadata: ObjectMeta
    """Standard metadata."""
    spec: ProtectedVMSpec
    """The VM, and how it is protected."""
    status: ProtectedVMStatus = ProtectedVMStatus()
    """Where it is, and whether it would survive a crash now."""
