"""From the store to the frozen view of one pair.

Parsing is strict where it matters and lenient where others write: a VirtualMachine with unknown fields is fine, a phase
that KubeVirt has just invented is `Unknown`, and what is absent is empty, never guessed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from avance.api.health_checks import HealthChecks
from avance.api.meta import bytes_of, milli_cpu_of
from avance.api.pair import AvancePair
from avance.api.protected_vm import ProtectedVM
from avance.core.components import PEER_UNREACHABLE
from avance.core.faults import NodeCondition, active_faults
from avance.core.history import NOTHING_REMEMBERED
from avance.core.model import InstanceView, MigrationView, NodeView, PairView, PodView, RestartPriority, VmPhase, VmView
from avance.core.policy import HealthPolicy
from avance.core.power import PowerReading
from avance.core.resources import Resources
from avance.core.upgrade_request import VERSIONS
from avance.kube.resources import AVANCE_PAIRS, MIGRATIONS, NODES, PODS, PROTECTED_VMS, VIRTUAL_MACHINES, VMIS
from avance.kubevirt.disks import striped_classes
from avance.kubevirt.overlay import holds
from avance.kubevirt.probes import health_check
from avance.kubevirt.virtual_machine import virtual_machine
from avance.operator.actions import ActionLog
from avance.operator.clock import from_api
from avance.operator.custody import custody_of, hostnames_of, is_candidate, is_in_order, prefers_of
from avance.operator.disk_status import written_of
from avance.operator.guests import guest_signs, signs_of
from avance.operator.history import history_of
from avance.operator.instance_types import Key, TypeAnswers
from avance.operator.ledger import ledger_of
from avance.operator.marks import OUT_OF_SERVICE_TAINT, VMS_LABEL, is_closed, marks_of_others
from avance.operator.new_disks import provisioning_of
from avance.operator.parsing import Parsed
from avance.operator.policy import pause_of, policy_of
from avance.operator.sizing import needs_of, sized_by
from avance.operator.store import PEER_HEARTBEAT, Store, ended_by_kubelet, key_of

Object = dict[str, Any]

MADE_BY = {
    "kubevirt.io/workloadUpdateMigration": "KubeVirt's workload update",
    "kubevirt.io/evacuationMigration": "KubeVirt's evacuation",
}
"""Annotations by which virt-controller marks the migrations that it makes by itself."""

PEER_WATCH_SECONDS = 900.0
"""Three heartbeats of a detector, which are five minutes apart."""

CONTROL_PLANE_LABELS = tuple(
    f"node-role.kubernetes.io/{role}={value}"
    for role in ("control-plane", "master", "etcd", "arbiter")
    for value in ("", "true")
)
"""Distributions disagree on the value, older ones on the name; a node that only runs etcd (an arbiter) counts."""


class Observer:
    """Builds views; remembers parsed specs, so that a look at a quiet pair costs little."""

    def __init__(
        self,
        store: Store,
        actions: ActionLog,
        power: Mapping[tuple[str, str], PowerReading],
        types: TypeAnswers = MappingProxyType({}),
    ) -> None:
        """`types`: what is known of KubeVirt's instance types."""
        self._store = store
        self._actions = actions
        self._power = power
        self._types = types
        self._pairs = Parsed(AvancePair, store)
        self._vms = Parsed(ProtectedVM, store)

    def pair(self, obj: Object) -> AvancePair:
        """The parsed AvancePair; raises pydantic.ValidationError if it does not fit this release's schema."""
        return self._pairs.of(obj)

    def protected_vm(self, obj: Object) -> ProtectedVM:
        """The parsed ProtectedVM; raises pydantic.ValidationError likewise."""
        return self._vms.of(obj)

    def node_objects(self, pair: AvancePair) -> list[Object]:
        """The Node objects that the pair's selector matches, by name."""
        wanted = pair.spec.node_selector
        some_label = next(f"{key}={value}" for key, value in wanted.items())
        return [
            node
            for node in self._store.members(NODES, some_label)
            if wanted.items() <= (node["metadata"].get("labels") or {}).items()
        ]

    def view(self, pair: AvancePair) -> PairView:
        """Everything that the rules may know of the pair now."""
        policy = policy_of(pair.spec)
        nodes = self.node_objects(pair)
        objects = list(self._store.members(PROTECTED_VMS, pair.metadata.name))
        views = [(self._vm(obj, nodes, striped_offer(pair)), self.protected_vm(obj)) for obj in objects]
        vms = tuple(vm for vm, pvm in views if not is_candidate(pvm, vm.custody))
        return PairView(
            name=pair.metadata.name,
            nodes=tuple(self._node(pair, node, policy.health) for node in nodes),
            vms=vms,
            candidates=tuple(vm for vm, pvm in views if is_candidate(pvm, vm.custody)),
            pods=tuple(pod for vm in vms for pod in self._pods(vm.key)),
            actions=self._actions.of_pair(pair.metadata.name),
            policy=policy,
            rivals=tuple(sorted({rival for node in nodes for rival in self._pairs_of(node)} - {pair.metadata.name})),
            control_plane=self._control_plane(),
        )

    def instance_types(self, pair: AvancePair) -> set[Key]:
        """The instance types that have to be known to tell how large the pair's VMs are."""
        found = set()
        for obj in self._store.members(PROTECTED_VMS, pair.metadata.name):
            namespace, name = key_of(obj)
            found.add(sized_by(self.protected_vm(obj), self._store.get(VIRTUAL_MACHINES, name, namespace)))
        return {key for key in found if key is not None}

    def _control_plane(self) -> tuple[str, ...]:
        labelled = (self._store.members(NODES, label) for label in CONTROL_PLANE_LABELS)
        return tuple(sorted({node["metadata"]["name"] for nodes in labelled for node in nodes}))

    def _pairs_of(self, node: Object) -> Iterator[str]:
        """Pairs whose selectors match a node."""
        labels = (node["metadata"].get("labels") or {}).items()
        for key, value in labels:
            for pair in self._store.members(AVANCE_PAIRS, f"{key}={value}"):
                if pair["spec"]["nodeSelector"].items() <= labels:
                    yield pair["metadata"]["name"]

    def _node(self, pair: AvancePair, node: Object, health: HealthPolicy) -> NodeView:
        name, spec, status = node["metadata"]["name"], node.get("spec", {}), node.get("status", {})
        labels, info = node["metadata"].get("labels") or {}, status.get("nodeInfo", {})
        taints = {taint["key"] for taint in spec.get("taints") or ()}
        conditions = {condition.type: condition for condition in self._conditions(node)}
        allocatable = status.get("allocatable", {})
        peer = None if self._peer_watch_is_silent(node) else conditions.get(PEER_UNREACHABLE)
        known = next((entry for entry in pair.status.nodes if entry.name == name), None)
        return NodeView(
            name=name,
            uid=node["metadata"]["uid"],
            ready=conditions["Ready"].status if "Ready" in conditions else "",
            heard_at=self._store.heard_at(node),
            heard=self._store.heard_at(node) > self._store.started_at,
            heard_since=self._store.heard_since(node),
            heartbeat=self._store.heartbeat(node),
            boot_id=info.get("bootID", ""),
            system_uuid=info.get("systemUUID", ""),
            faults=active_faults(name, conditions.values(), health),
            untold=frozenset(type_ for type_, condition in conditions.items() if condition.status == "Unknown"),
            hears_peer={"True": False, "False": True}.get(peer.status) if peer else None,
            peer_unreachable_since=peer.observed_at if peer and peer.status == "True" else None,
            cordoned=bool(spec.get("unschedulable")),
            closed=is_closed(node),
            out_of_service=OUT_OF_SERVICE_TAINT in taints,
            accepts_vms=labels.get(VMS_LABEL) == "true",
            allocatable=Resources(milli_cpu_of(allocatable.get("cpu", "0")), bytes_of(allocatable.get("memory", "0"))),
            power=self._power.get((pair.metadata.name, name)),
            fence_agent=any(entry.name == name for entry in pair.spec.fencing.nodes),
            history=history_of(known) if known else NOTHING_REMEMBERED,
            bmc_lied=bool(known and known.fence and known.fence.path and known.fence.path.lied_at),
            shutting_down=_shuts_down(conditions.get("Ready")),
            versions=tuple((field, info[field]) for field in VERSIONS if info.get(field)),
            other_authorities=tuple(marks_of_others(node)),
        )

    def _peer_watch_is_silent(self, node: Object) -> bool:
        """A detector that was killed leaves its last word behind, and that says nothing of the peer any more.

        It wrote a heartbeat now and then; a condition that somebody has set by hand never had one.
        """
        found = node.get("status", {}).get("conditions") or ()
        said: Object = next((each for each in found if each["type"] == PEER_UNREACHABLE), {})
        beats = said.get("lastHeartbeatTime") not in (None, said.get("lastTransitionTime"))
        return beats and self._store.seconds_unchanged(NODES, node, PEER_HEARTBEAT) > PEER_WATCH_SECONDS

    def _conditions(self, node: Object) -> Iterator[NodeCondition]:
        for condition in node.get("status", {}).get("conditions") or ():
            yield NodeCondition(
                type=condition["type"],
                status=condition["status"],
                since=from_api(condition.get("lastTransitionTime") or ""),
                observed_at=self._store.first_seen(NODES, node, condition["type"]),
                message=condition.get("message", ""),
            )

    def _vm(self, obj: Object, nodes: list[Object], offered: Mapping[int, str]) -> VmView:
        pvm = self.protected_vm(obj)
        namespace, name = key_of(obj)
        machine = self._store.get(VIRTUAL_MACHINES, name, namespace)
        vmi = self._store.get(VMIS, name, namespace)
        needs, unsized = needs_of(pvm, machine, vmi, self._store.members(PODS, f"{namespace}/{name}"), self._types)
        striped = striped_classes(pvm, offered, machine)
        migrations = self._store.members(MIGRATIONS, f"{namespace}/{name}")
        last = pvm.status.last_failover
        return VmView(
            namespace=namespace,
            name=name,
            should_run=pvm.spec.running,
            priority=RestartPriority[pvm.spec.restart_priority.upper()],
            preferred_node=pvm.spec.preferred_node or "",
            needs=needs,
            exists=machine is not None,
            prefers=prefers_of(machine),
            up_to_date=_is_up_to_date(pvm, obj, machine, nodes, striped),
            instance=self._instance(vmi, pvm.spec.health_checks),
            migrations=tuple(self._migration(migration) for migration in migrations),
            last_node=pvm.status.primary or "",
            vanished_at=self._store.vanished_at(f"{namespace}/{name}"),
            written=written_of(pvm.status),
            moved_at=last.time.timestamp() if last and last.to == pvm.status.primary else None,
            admitted=any(each.type == "Admitted" and each.status == "True" for each in pvm.status.conditions),
            pause=pause_of(pvm.spec.pause),
            start_blocked=_start_blocked(machine),
            provisioning=provisioning_of(self._store, pvm, machine, offered),
            health_check=health_check(pvm.spec.health_checks),
            answered=pvm.status.guest_answered or "",
            depends_on=pvm.spec.depends_on,
            generation=obj["metadata"].get("generation", 0),
            seen_at=self._store.first_seen(PROTECTED_VMS, obj, "uid"),
            created_at=pvm.metadata.creation_timestamp.timestamp() if pvm.metadata.creation_timestamp else None,
            ledger=ledger_of(pvm.status),
            custody=custody_of(pvm, obj, machine, vmi, nodes, unsized),
        )

    def _instance(self, vmi: Object | None, checks: HealthChecks) -> InstanceView | None:
        if vmi is None:
            return None
        status = vmi.get("status", {})
        conditions = {condition["type"]: condition for condition in status.get("conditions") or ()}
        phase = VmPhase(status["phase"]) if status.get("phase") in set(VmPhase) else _odd_phase(status)
        seen_at = self._store.first_seen(VMIS, vmi, "phase")
        movable = conditions.get("LiveMigratable", {})
        return InstanceView(
            uid=vmi["metadata"]["uid"],
            phase=phase,
            node=status.get("nodeName", ""),
            ready=conditions.get("Ready", {}).get("status") == "True",
            ended_at=seen_at if phase.final else None,
            migratable={"True": True, "False": False}.get(movable.get("status", "")),
            not_migratable_because=movable.get("message", "") or movable.get("reason", ""),
            evacuate_from=status.get("evacuationNodeName", ""),
            paused=conditions.get("Paused", {}).get("status") == "True",
            signs=guest_signs(
                vmi,
                {sign: self._store.first_seen(VMIS, vmi, sign) for sign, _ in signs_of(vmi)},
                health_check(checks),
            ),
        )

    def _migration(self, migration: Object) -> MigrationView:
        status = migration.get("status", {})
        state = status.get("migrationState") or {}
        annotations = migration["metadata"].get("annotations") or {}
        phase, ended_at = status.get("phase", ""), self._store.first_seen(MIGRATIONS, migration, "phase")
        return MigrationView(
            name=migration["metadata"]["name"],
            phase=phase,
            failure=state.get("failureReason", ""),
            by=next((words for mark, words in MADE_BY.items() if mark in annotations), ""),
            ended_at=ended_at if phase in ("Succeeded", "Failed") else None,
        )

    def _pods(self, vm: str) -> Iterator[PodView]:
        for pod in self._store.members(PODS, vm):
            namespace, name = key_of(pod)
            labels, status = pod["metadata"].get("labels") or {}, pod.get("status", {})
            yield PodView(
                namespace=namespace,
                name=name,
                uid=pod["metadata"]["uid"],
                vm=vm,
                instance_uid=labels.get("kubevirt.io/created-by", ""),
                node=pod["spec"].get("nodeName", ""),
                phase=status.get("phase", ""),
                unschedulable=_unschedulable(status),
                ended_by_kubelet=ended_by_kubelet(pod),
            )


def _is_up_to_date(
    pvm: ProtectedVM, obj: Object, machine: Object | None, nodes: list[Object], striped: Mapping[str, str]
) -> bool:
    """Whether a VirtualMachine is as it should be, the preferred node aside."""
    if machine is None or pvm.spec.vm_ref is not None:
        return machine is not None and is_in_order(pvm, obj, machine, nodes)
    return holds(machine, manifest(pvm, obj, nodes, prefers_of(machine), striped))


def manifest(
    pvm: ProtectedVM,
    obj: Object,
    nodes: list[Object],
    prefer: str,
    striped: Mapping[str, str] = MappingProxyType({}),
) -> Object:
    """The VirtualMachine that a ProtectedVM asks for, on these nodes, preferring the one of this name."""
    return virtual_machine(pvm, obj["metadata"]["uid"], hostnames_of(nodes), prefer, striped)


def striped_offer(pair: AvancePair) -> Mapping[int, str]:
    """The StorageClasses that the pair offers, by spindles."""
    return {each.spindles: each.storage_class_name for each in pair.spec.storage.classes}


def _shuts_down(ready: NodeCondition | None) -> bool:
    """The kubelet's own words while it shuts its node down in order; the node controller overwrites them later."""
    return ready is not None and ready.status == "False" and "node is shutting down" in ready.message


def _odd_phase(status: Object) -> VmPhase:
    """No phase yet is Pending; one that this release does not know is Unknown, which nothing is done about."""
    return VmPhase.UNKNOWN if status.get("phase") else VmPhase.PENDING


def _start_blocked(machine: Object | None) -> str:
    """What KubeVirt has against starting it, in its own words."""
    status = (machine or {}).get("status", {})
    printable, conditions = str(status.get("printableStatus", "")), status.get("conditions") or ()
    failed: Object = next((each for each in conditions if each["type"] == "Failure" and each["status"] == "True"), {})
    if failed.get("message"):
        return f"KubeVirt reports {failed.get('reason') or 'a failure'}: {failed['message']}"
    refused: Object = next((each for each in conditions if each["type"] == "Synchronized"), {})
    if printable == "Starting" and refused.get("status") == "False" and refused.get("message"):
        return f"KubeVirt reports {refused.get('reason') or 'a failure'}: {refused['message']}"
    if "Err" not in printable and printable != "CrashLoopBackOff":
        return ""
    messages = [each["message"] for each in conditions if each.get("status") == "False" and each.get("message")]
    return f"KubeVirt reports {printable}" + "".join(f": {message}" for message in messages[:1])


def _unschedulable(status: Object) -> str:
    for condition in status.get("conditions") or ():
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return str(condition.get("message", ""))
    return ""
