"""What the API server holds: frozen objects, replaced when they change, so that a snapshot of all of them is cheap."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from avance.core.guest import HealthCheck
from avance.core.model import RestartPriority, VmPhase
from avance.core.policy import PairPolicy, Pause
from avance.core.resources import Resources
from avance.core.storage import Written
from avance.simulator.surroundings import Around


@dataclass(frozen=True, slots=True)
class Condition:
    status: str
    since: float
    message: str = ""


@dataclass(frozen=True, slots=True)
class NodeObject:
    name: str
    system_uuid: str
    allocatable: Resources
    boot_id: str
    renewed_at: float
    """When its kubelet last renewed its Lease."""
    heartbeat: float = 0.0
    """The time that it wrote there, by the clock of the node."""
    ready: str = "True"
    conditions: Mapping[str, Condition] = field(default_factory=dict)
    kubelet_version: str = "v1"
    cordoned: bool = False
    cordoned_by_us: bool = False
    closed: bool = False
    out_of_service: bool = False
    vms_label: bool = True
    """kubevirt.io/schedulable, which virt-handler sets and every launcher pod selects on."""
    unready_since: float | None = None
    shutting_down: bool = False
    """The kubelet's last word on Ready is that the node is shutting down."""
    labelled: bool = True
    """The pair's selector matches it."""
    deleted_at: float | None = None
    """There is no such Node at the moment."""
    registrations: int = 1
    fence_agent: bool = True
    """A way to fence it is configured."""


@dataclass(frozen=True, slots=True)
class VmObject:
    """A ProtectedVM with its VirtualMachine."""

    namespace: str
    name: str
    needs: Resources
    should_run: bool = True
    priority: RestartPriority = RestartPriority.MEDIUM
    preferred_node: str = ""
    exists: bool = False
    prefers: str = ""
    last_node: str = ""
    moved_at: float | None = None
    admitted: bool = False
    written: Written | None = None
    pause: Pause | None = None
    health_check: HealthCheck | None = None
    answered: str = ""
    watchdog: str = ""
    """Reset or PowerOff; empty without one."""
    panic_device: bool = False
    depends_on: tuple[str, ...] = ()
    generation: int = 1
    start_asked: bool = False
    """KubeVirt has accepted a start and not carried it out yet."""

    @property
    def key(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Instance:
    """A VirtualMachineInstance."""

    uid: str
    vm: str
    phase: VmPhase
    entered_at: float
    """When it entered its phase."""
    node: str = ""
    ready: bool = False
    migratable: bool = True
    not_migratable_because: str = ""
    evacuate_from: str = ""
    paused: bool = False
    """By a person, as KubeVirt has it."""
    stop_asked_at: float | None = None
    agent: bool = False
    probe_failed: bool = False
    frozen: bool = False


@dataclass(frozen=True, slots=True)
class Pod:
    """A virt-launcher pod."""

    uid: str
    name: str
    vm: str
    instance_uid: str
    needs: Resources
    entered_at: float
    node: str = ""
    boot_id: str = ""
    """The life of the node in which it was bound: a pod does not survive a reboot."""
    only_node: str = ""
    """Set for the target of a migration."""
    phase: str = "Pending"
    deleted_at: float | None = None
    unschedulable: str = ""

    @property
    def final(self) -> bool:
        return self.phase in ("Succeeded", "Failed")


@dataclass(frozen=True, slots=True)
class Migration:
    name: str
    vm: str
    instance_uid: str
    source: str
    destination: str
    unschedulable_seconds: float
    phase: str
    entered_at: float
    target_pod: str = ""
    failure: str = ""
    by: str = ""

    @property
    def final(self) -> bool:
        return self.phase in ("Succeeded", "Failed")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything in the API at one moment."""

    nodes: Mapping[str, NodeObject]
    vms: Mapping[str, VmObject]
    instances: Mapping[str, Instance]
    pods: Mapping[str, Pod]
    migrations: Mapping[str, Migration]
    policy: PairPolicy
    around: Around
    strangers: Mapping[str, NodeObject]
    """Nodes that the pair's selector matches beside its two servers."""


Object = TypeVar("Object")


class Api:
    """The API server: nodes by name, VMs and instances by the VM's key, pods by uid, migrations by name."""

    def __init__(self) -> None:
        self.nodes: dict[str, NodeObject] = {}
        self.vms: dict[str, VmObject] = {}
        self.instances: dict[str, Instance] = {}
        self.pods: dict[str, Pod] = {}
        self.migrations: dict[str, Migration] = {}
        self.policy = PairPolicy()
        self.around = Around()
        self.strangers: dict[str, NodeObject] = {}
        self.version = 0
        self.deleted: Callable[[Pod], None] = lambda pod: None
        self._uids = 0

    def change(self, shelf: dict[str, Object], key: str, **fields: Any) -> Object:
        """Write some fields of an object; a write that says nothing new changes no version."""
        old = shelf[key]
        if all(getattr(old, name) == value for name, value in fields.items()):
            return old
        shelf[key] = replace(old, **fields)  # type: ignore[type-var]
        self.version += 1
        return shelf[key]

    def put(self, shelf: dict[str, Object], key: str, obj: Object) -> None:
        shelf[key] = obj
        self.version += 1

    def remove(self, shelf: dict[str, Object], key: str) -> None:
        if shelf.pop(key, None) is not None:
            self.version += 1

    def look_around(self, around: Around) -> None:
        """What is around the pair has changed."""
        self.around = around
        self.version += 1

    def edit_pair(self, policy: PairPolicy) -> None:
        """What a person writes into the pair's spec."""
        self.policy = policy
        self.version += 1

    def uid(self, what: str) -> str:
        """A name that no other object has, the same in every run."""
        self._uids += 1
        return f"{what}-{self._uids:04d}"

    def pods_of(self, vm: str) -> list[Pod]:
        return [pod for pod in self.pods.values() if pod.vm == vm]

    def snapshot(self) -> Snapshot:
        shelves = (dict(self.nodes), dict(self.vms), dict(self.instances), dict(self.pods), dict(self.migrations))
        return Snapshot(*shelves, self.policy, self.around, dict(self.strangers))
