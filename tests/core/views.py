"""Short ways to say what the rules see. Time starts at NOW; everything is fine unless a test says otherwise."""

from dataclasses import replace
from typing import Any

from avance.core.components import COMPONENT_CLASSES, CONDITION_KINDS
from avance.core.faults import Fault
from avance.core.kubevirt_health import KubeVirtHealth
from avance.core.model import (
    ActionPhase,
    ActionType,
    ActionView,
    FenceEvidence,
    InstanceView,
    NodeView,
    PairView,
    PodView,
    VmPhase,
    VmView,
)
from avance.core.policy import PairPolicy
from avance.core.power import PowerReading
from avance.core.resources import Resources
from avance.core.storage import Connection, DiskState, ReplicaView, StorageView, VolumeView
from avance.core.surroundings import Surroundings

NOW = 1_000_000.0
GIB = 1024**3
UUIDS = {"node-a": "1c5f2a52-3a4e-4d8a-9b41-0d1f5f6e7a01", "node-b": "2d6f3b63-4b5f-4e9b-8c52-1e2f6f7f8b02"}


def node(name: str = "node-a", **fields: Any) -> NodeView:
    sound: dict[str, Any] = {
        "uid": f"uid-{name}",
        "ready": "True",
        "heard_at": NOW - 1,
        "heartbeat": "beat",
        "boot_id": f"{name}-boot-1",
        "system_uuid": UUIDS[name],
        "hears_peer": True,
        "allocatable": Resources(16000, 64 * GIB),
        "fence_agent": True,
    }
    return NodeView(name=name, **(sound | fields))


def pair(
    a: NodeView | None = None,
    b: NodeView | None = None,
    vms: tuple[VmView, ...] = (),
    pods: tuple[PodView, ...] = (),
    actions: tuple[ActionView, ...] = (),
    policy: PairPolicy | None = None,
) -> PairView:
    nodes = (a or node("node-a"), b or node("node-b"))
    around = Surroundings(kubevirt=KubeVirtHealth())
    return PairView("pair", nodes, vms, pods, actions, policy or PairPolicy(), surroundings=around)


def reads(state: str, name: str = "node-a", at: float = NOW, uuid: str | None = None, error: str = "") -> PowerReading:
    return PowerReading(state, UUIDS[name] if uuid is None else uuid, at, error, f"bmc-{name}")


def running(name: str = "web", on: str = "node-a", **fields: Any) -> VmView:
    instance = fields.pop("instance", None) or InstanceView(f"{name}-1", VmPhase.RUNNING, on, ready=True)
    sound = {"needs": Resources(100, 4 * GIB), "prefers": on, "last_node": on, "should_run": True}
    return VmView("default", name, instance=instance, **(sound | fields))


def ended(name: str = "web", on: str = "node-a", at: float = NOW, phase: VmPhase = VmPhase.FAILED) -> VmView:
    return running(name, on, instance=InstanceView(f"{name}-1", phase, on, ready=False, ended_at=at))


def launcher(vm: VmView, on: str = "node-a", phase: str = "Running", **fields: Any) -> PodView:
    instance = vm.instance.uid if vm.instance else ""
    pod = PodView("default", f"launcher-{vm.name}-{on}", f"uid-{vm.name}-{on}", vm.key, instance, on, phase)
    return replace(pod, **fields)


def fault(condition: str, component: str = "", on: str = "node-a", since: float = NOW - 10, **fields: Any) -> Fault:
    kind = CONDITION_KINDS[condition]
    its = COMPONENT_CLASSES[kind]
    sound: dict[str, Any] = {"weight": its.weight, "severity": its.severity, "message": "detail"}
    return Fault(on, kind, component, its.noun, spare_part=its.spare_part, condition=condition, since=since,
                 observed_at=since, **(sound | fields))  # fmt: skip


def evidence(of: NodeView, at: float = NOW, **fields: Any) -> FenceEvidence:
    proof = FenceEvidence(of.name, f"bmc-{of.name}", of.system_uuid, of.boot_id, of.heartbeat, at, "read twice as Off")
    return replace(proof, **fields)


def action(type_: ActionType, target: str, phase: ActionPhase = ActionPhase.SUCCEEDED, **fields: Any) -> ActionView:
    sound = {"incident": "incident-1", "reason": "Test", "message": "a test", "created_at": NOW}
    return ActionView(name=f"{type_}-{target}", type=type_, target=target, phase=phase, **(sound | fields))


def disks(
    a: DiskState = DiskState.UP_TO_DATE,
    b: DiskState = DiskState.UP_TO_DATE,
    link: Connection = Connection.CONNECTED,
    link_of_b: Connection | None = None,
    name: str = "disk-0",
) -> StorageView:
    """One volume with a copy on each node; `link` is what the end of node-a says, and that of node-b unless told."""
    ends = (ReplicaView("node-a", a, link), ReplicaView("node-b", b, link if link_of_b is None else link_of_b))
    return StorageView((VolumeView(name, ends),))
