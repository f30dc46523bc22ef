"""The frozen view of one pair that every rule decides on.

A view says what was seen, never what should be done. Times are seconds since the epoch on the operator's own clock,
which only ever goes forward; whatever a node's or BMC's clock says is kept as a name for an occurrence and never
compared with now.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

from avance.core.action_types import BESIDE as BESIDE
from avance.core.action_types import RECORDS_ONLY as RECORDS_ONLY
from avance.core.action_types import ActionPhase as ActionPhase
from avance.core.action_types import ActionType as ActionType
from avance.core.channels import Notification, Post
from avance.core.custody import AVANCES_OWN, Custody
from avance.core.edits import Edit
from avance.core.faults import Fault
from avance.core.guest import GuestSigns, HealthCheck
from avance.core.history import NOTHING_REMEMBERED, NodeHistory
from avance.core.ledger import Ledger
from avance.core.policy import PairPolicy, Pause
from avance.core.power import PowerReading
from avance.core.provisioning import Provisioning
from avance.core.resources import NOTHING
from avance.core.resources import Resources as Resources
from avance.core.storage import StorageView, Written
from avance.core.surroundings import Surroundings
from avance.core.upgrade_request import UpgradeWord


@dataclass(frozen=True, slots=True)
class NodeView:
    """One server of the pair, as the API and its BMC show it."""

    name: str
    uid: str
    ready: str
    """The Ready condition: `True`, `False`, `Unknown`, or empty when the kubelet has never reported."""
    heard_at: float
    """When the operator last saw a sign of life of the node; before the first one, when it began to listen."""
    heartbeat: str
    """The renewal time that the node itself wrote into its Lease: the name of its last sign of life."""
    boot_id: str
    system_uuid: str
    faults: tuple[Fault, ...] = ()
    untold: frozenset[str] = frozenset()
    """Conditions that are Unknown: their detector cannot tell at the moment."""
    hears_peer: bool | None = None
    """What this node's detector says of the other node: None without a detector, or when it cannot tell."""
    heard: bool = True
    """This operator has seen a sign of life of the node itself; what its predecessors saw proves nothing now."""
    heard_since: float = 0.0
    """Since when it has been in contact without a break; a kubelet that has only just come back is behind the API."""
    peer_unreachable_since: float | None = None
    """When the operator first saw this node report that it hears its peer on no path; None otherwise."""
    cordoned: bool = False
    """Closed to scheduling, by whomever."""
    closed: bool = False
    """Closed by avance and not opened again."""
    out_of_service: bool = False
    """Carries the out-of-service taint: its pods and volume attachments are given up."""
    accepts_vms: bool = True
    """virt-handler reports the node schedulable for VMs."""
    allocatable: Resources = NOTHING
    power: PowerReading | None = None
    """The newest answer of its BMC; None before the first."""
    fence_agent: bool = False
    """A way to fence it is configured."""
    history: NodeHistory = NOTHING_REMEMBERED
    """What is remembered of it: read from the pair's status, brought up to date by `remember`."""
    bmc_lied: bool = False
    """Its BMC has read `Off` while it was alive, and has not read `On` since: kept in the pair's status."""
    shutting_down: bool = False
    """The last word of its kubelet was that the node is shutting down in order."""
    versions: tuple[tuple[str, str], ...] = ()
    """The versions that its kubelet reports, by their names in Node.status.nodeInfo."""
    other_authorities: tuple[str, ...] = ()
    """Marks on it of other controllers that switch its power."""

    @property
    def replaced(self) -> bool:
        """Another server than the one that is known by this name."""
        return self.history.is_of_another(self.system_uuid)


class VmPhase(StrEnum):
    """Phases of a KubeVirt VirtualMachineInstance."""

    PENDING = "Pending"
    SCHEDULING = "Scheduling"
    SCHEDULED = "Scheduled"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    UNKNOWN = "Unknown"

    @property
    def final(self) -> bool:
        return self in (VmPhase.SUCCEEDED, VmPhase.FAILED)


class RestartPriority(IntEnum):
    """The tier in which a VM is restarted after a crash; a lower number goes first."""

    HIGH = 0
    MEDIUM = 1
    LOW = 2


@dataclass(frozen=True, slots=True)
class InstanceView:
    """A VirtualMachineInstance: one life of a VM."""

    uid: str
    phase: VmPhase
    node: str
    """The node it runs on; empty until it is scheduled."""
    ready: bool
    ended_at: float | None = None
    """When the operator first saw it Succeeded or Failed."""
    migratable: bool | None = None
    """None before virt-handler has said."""
    not_migratable_because: str = ""
    evacuate_from: str = ""
    """The node that somebody's eviction wants it off."""
    paused: bool = False
    signs: GuestSigns = field(default_factory=GuestSigns)


@dataclass(frozen=True, slots=True)
class PodView:
    """A launcher pod: where an instance of a VM may physically run, whatever else the API says."""

    namespace: str
    name: str
    uid: str
    vm: str
    """`namespace/name` of its VM."""
    instance_uid: str
    node: str
    """Empty while it is not scheduled."""
    phase: str
    unschedulable: str = ""
    """The scheduler's message when no node takes it."""
    ended_by_kubelet: bool = False
    """Its own kubelet has reported that every container of it has ended; others can set its phase too."""

    @property
    def final(self) -> bool:
        return self.phase in ("Succeeded", "Failed")


@dataclass(frozen=True, slots=True)
class MigrationView:
    """A VirtualMachineInstanceMigration, whoever made it."""

    name: str
    phase: str
    failure: str = ""
    by: str = ""
    """Which part of KubeVirt made it by itself, in words; empty if another hand did."""
    ended_at: float | None = None
    """When the operator first saw it Succeeded or Failed."""

    @property
    def queued(self) -> bool:
        """Nothing has been copied yet."""
        return self.phase in ("", "Pending", "Scheduling")

    @property
    def final(self) -> bool:
        return self.phase in ("Succeeded", "Failed")


@dataclass(frozen=True, slots=True)
class VmView:
    """A protected VM with what KubeVirt has of it."""

    namespace: str
    name: str
    should_run: bool
    priority: RestartPriority = RestartPriority.MEDIUM
    preferred_node: str = ""
    needs: Resources = NOTHING
    """What its launcher pod requests, the overhead included."""
    exists: bool = True
    """Its VirtualMachine has been made."""
    prefers: str = ""
    """The node that its VirtualMachine prefers now."""
    up_to_date: bool = True
    """Its VirtualMachine is what its spec asks for, the preferred node aside."""
    instance: InstanceView | None = None
    migrations: tuple[MigrationView, ...] = ()
    last_node: str = ""
    """The last node on which it was seen to run, kept in its status."""
    vanished_at: float = 0.0
    """When its last instance went without its kubelet's word that it had ended; the operator's start if nobody saw it
    go, 0 if it ended in order."""
    moved_at: float | None = None
    """When it last became the guest of its present node, kept in its status."""
    admitted: bool = False
    """The pair has taken it on, kept in its status until its spec says that it shall not run."""
    pause: Pause | None = None
    """A person's order to begin nothing for it."""
    storage: StorageView | None = None
    """What is known of the copies of its disks; None with storage that both servers share."""
    written: Written | None = None
    """Which copies hold what it wrote last, kept in its status; None before that was ever known."""
    provisioning: Provisioning = field(default_factory=Provisioning)
    """How far the disks are that are made with it."""
    start_blocked: str = ""
    """Why KubeVirt cannot start it (a missing claim, an image), in words."""
    health_check: HealthCheck | None = None
    """How a hung guest of it is noticed; None if nobody asks it."""
    answered: str = ""
    """The last instance that has answered its health check, kept in its status; empty if none ever did."""
    depends_on: tuple[str, ...] = ()
    """Names, in its namespace, of the VMs that have to be ready before it is started."""
    generation: int = 0
    """Counts the changes of its spec."""
    seen_at: float = 0.0
    """When the operator saw it first."""
    created_at: float | None = None
    ledger: Ledger | None = None
    """Its outages that have ended, kept in its status."""
    custody: Custody = AVANCES_OWN

    @property
    def key(self) -> str:
        return f"{self.namespace}/{self.name}"

    @property
    def node(self) -> str:
        """Where its instance is; empty when there is none or it is not scheduled."""
        return self.instance.node if self.instance and not self.instance.phase.final else ""

    @property
    def running(self) -> bool:
        return self.instance is not None and self.instance.phase is VmPhase.RUNNING


@dataclass(frozen=True, slots=True)
class FenceEvidence:
    """The recorded proof that a node ran nothing at `observed_at`; the only licence to restart its VMs elsewhere.

    Of an AttestOff it is only what a person says; it proves something once a Fence has taken it over.
    """

    node: str
    source: str
    """The BMC that was asked, the kubelet that took its leave, or the person who attests it."""
    system_uuid: str
    boot_id: str
    """The life of the node that ended; another boot id is another life."""
    heartbeat: str
    """The node's last sign of life when this was recorded; a later one contradicts it."""
    observed_at: float
    message: str
    kind: str = "PowerOffConfirmed"


@dataclass(frozen=True, slots=True)
class StepView:
    name: str
    started_at: float
    attempts: int = 0
    """Failed tries of the step's effects."""
    message: str = ""


@dataclass(frozen=True, slots=True)
class ActionView:
    """An AvanceAction: an intent written before it was acted on, and the log of how far it came.

    `incident` is never empty: what belongs to none is one of its own.
    """

    name: str
    type: ActionType
    target: str
    """A node's name, `namespace/name` of a VM, or of a Notify or an Edit the pair's name."""
    incident: str
    reason: str
    message: str
    created_at: float
    phase: ActionPhase = ActionPhase.PENDING
    destination: str = ""
    instance_uid: str = ""
    """The life of the VM that it is about, for actions on a VM."""
    current: str = ""
    """The name of the step it is at; empty before the first."""
    steps: tuple[StepView, ...] = ()
    """Every step it has entered, once; a step that was entered again holds its last entry."""
    evidence: FenceEvidence | None = None
    started_at: float | None = None
    """When an operator took it up."""
    finished_at: float | None = None
    result: str = ""
    report: tuple[tuple[str, str], ...] = ()
    """Of a CallHome: what is known of the part, by name."""
    requested_by: str = ""
    notification: Notification | None = None
    upgrade: UpgradeWord | None = None
    """What tells a RollingUpgrade that the work on a server is done, beside a person."""
    notes: tuple[tuple[str, str], ...] = ()
    """What it has noted for later, by name."""

    @property
    def open(self) -> bool:
        return not self.phase.final

    @property
    def step(self) -> StepView | None:
        """The step it is at; None before the first."""
        return next((step for step in self.steps if step.name == self.current), None)

    def started(self, name: str) -> float | None:
        """When it last entered a step; None if it never did."""
        return next((step.started_at for step in self.steps if step.name == name), None)


@dataclass(frozen=True, slots=True)
class PairView:
    """Everything that the rules may know of one pair at one moment."""

    name: str
    nodes: tuple[NodeView, ...] = ()
    """In the order of their names; a pair that serves has exactly two."""
    vms: tuple[VmView, ...] = ()
    pods: tuple[PodView, ...] = ()
    actions: tuple[ActionView, ...] = ()
    policy: PairPolicy = field(default_factory=PairPolicy)
    rivals: tuple[str, ...] = ()
    """Other pairs whose selectors match a node of this one."""
    surroundings: Surroundings = field(default_factory=Surroundings)
    control_plane: tuple[str, ...] = ()
    """Names of all nodes of the cluster that run its control plane; empty when none is a node."""
    post: Post = field(default_factory=Post)
    edits: tuple[Edit, ...] = ()
    """Specs that are not as the log of actions has them."""
    candidates: tuple[VmView, ...] = ()
    """VMs that are not taken on, or not yet: no rule knows them, and nothing is done to them."""

    def node(self, name: str) -> NodeView | None:
        return next((node for node in self.nodes if node.name == name), None)

    def peer(self, name: str) -> NodeView | None:
        """The other node of the pair; None unless both are known."""
        return next((node for node in self.nodes if node.name != name), None) if self.node(name) else None

    def vm(self, key: str) -> VmView | None:
        return next((vm for vm in self.vms if vm.key == key), None)

    def pods_of(self, vm: str) -> tuple[PodView, ...]:
        return tuple(pod for pod in self.pods if pod.vm == vm)

    def live_pods_on(self, node: str) -> tuple[PodView, ...]:
        """Launcher pods that have not ended, Pending and Terminating ones and both ends of migrations included."""
        return tuple(pod for pod in self.pods if pod.node == node and not pod.final)

    def open_action(self, target: str) -> ActionView | None:
        """What is being done to a node or VM now; a record alone does nothing to anybody."""
        found = (each for each in self.actions if each.open and each.target == target)
        return next((action for action in found if action.type not in BESIDE), None)

    def actions_on(self, target: str, type_: ActionType) -> tuple[ActionView, ...]:
        """Recorded actions of one type on one target, oldest first."""
        return tuple(action for action in self.actions if action.target == target and action.type is type_)
