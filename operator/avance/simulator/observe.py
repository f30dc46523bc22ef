"""From a snapshot of the simulated API to the frozen view of the core, with the memory of one operator process."""

from __future__ import annotations

from collections.abc import Mapping

from avance.core.components import PEER_UNREACHABLE
from avance.core.faults import NodeCondition, active_faults
from avance.core.liveness import CONTACT_SECONDS
from avance.core.model import InstanceView, MigrationView, NodeView, PairView, PodView, VmView
from avance.core.policy import PairPolicy
from avance.core.power import PowerReading
from avance.simulator.objects import Instance, NodeObject, Snapshot, VmObject
from avance.simulator.records import Records


class Observer:
    """When this process first saw what; a successor begins with none of it."""

    def __init__(self, policy: PairPolicy, started_at: float) -> None:
        self._policy = policy
        self._started_at = started_at
        self._heard: dict[str, tuple[float, float, float]] = {}
        """Of each node: its last renewal, when that was seen, since when it has been in contact."""
        self._first_seen: dict[tuple[str, ...], tuple[str, float]] = {}

    def view(self, seen: Snapshot, records: Records, power: Mapping[str, PowerReading], now: float) -> PairView:
        return PairView(
            name="pair",
            nodes=tuple(self._node(seen.nodes[name], power.get(name), now) for name in sorted(seen.nodes)),
            vms=tuple(self._vm(vm, seen, now) for vm in seen.vms.values()),
            pods=tuple(
                PodView("default", pod.name, pod.uid, pod.vm, pod.instance_uid, pod.node, pod.phase, pod.unschedulable)
                for pod in seen.pods.values()
            ),
            actions=records.all(),
            policy=self._policy,
        )

    def _node(self, node: NodeObject, power: PowerReading | None, now: float) -> NodeView:
        conditions = {type_: self._condition(node, type_, now) for type_ in node.conditions}
        peer = conditions.get(PEER_UNREACHABLE)
        return NodeView(
            name=node.name,
            uid=f"uid-{node.name}",
            ready=node.ready,
            heard_at=self._heard_at(node, now),
            heard=self._heard_at(node, now) != self._started_at,
            heard_since=self._heard[node.name][2],
            heartbeat=str(node.renewed_at),
            boot_id=node.boot_id,
            system_uuid=node.system_uuid,
            faults=active_faults(node.name, conditions.values(), self._policy.health),
            hears_peer=peer.status == "False" if peer else None,
            peer_unreachable_since=peer.observed_at if peer and peer.status == "True" else None,
            cordoned=node.cordoned,
            closed=node.closed,
            out_of_service=node.out_of_service,
            accepts_vms=node.vms_label,
            allocatable=node.allocatable,
            power=power,
            fence_agent=True,
        )

    def _heard_at(self, node: NodeObject, now: float) -> float:
        known = self._heard.get(node.name)
        if known is None:
            known = self._heard[node.name] = (node.renewed_at, self._started_at, self._started_at)
        elif known[0] != node.renewed_at:
            in_contact = known[1] != self._started_at and now - known[1] < CONTACT_SECONDS
            since = known[2] if in_contact else now
            known = self._heard[node.name] = (node.renewed_at, now, since)
        return known[1]

    def _condition(self, node: NodeObject, type_: str, now: float) -> NodeCondition:
        condition = node.conditions[type_]
        seen_at = self._seen(("condition", node.name, type_), condition.status, now)
        return NodeCondition(type_, condition.status, condition.since, seen_at, condition.message)

    def _seen(self, what: tuple[str, ...], value: str, now: float) -> float:
        """When it was first seen to have this value."""
        known = self._first_seen.get(what)
        if known is None or known[0] != value:
            known = self._first_seen[what] = (value, now)
        return known[1]

    def _vm(self, vm: VmObject, seen: Snapshot, now: float) -> VmView:
        instance = seen.instances.get(vm.key)
        return VmView(
            namespace=vm.namespace,
            name=vm.name,
            should_run=vm.should_run,
            priority=vm.priority,
            preferred_node=vm.preferred_node,
            needs=vm.needs,
            exists=vm.exists,
            prefers=vm.prefers,
            instance=self._instance(instance, now) if instance else None,
            migrations=tuple(
                MigrationView(m.name, m.phase, m.failure) for m in seen.migrations.values() if m.vm == vm.key
            ),
            last_node=vm.last_node,
            moved_at=vm.moved_at,
        )

    def _instance(self, instance: Instance, now: float) -> InstanceView:
        seen_at = self._seen(("instance", instance.uid), instance.phase, now)
        return InstanceView(
            uid=instance.uid,
            phase=instance.phase,
            node=instance.node,
            ready=instance.ready,
            ended_at=seen_at if instance.phase.final else None,
            migratable=instance.migratable,
            not_migratable_because="" if instance.migratable else "a disk of it cannot be shared",
            evacuate_from=instance.evacuate_from,
        )
