"""From a snapshot of the simulated API to the frozen view of the core, with the memory of one operator process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from avance.core.components import PEER_UNREACHABLE
from avance.core.faults import NodeCondition, active_faults
from avance.core.guest import GuestSigns, HealthCheck, read_signs
from avance.core.history import NOTHING_REMEMBERED
from avance.core.liveness import CONTACT_SECONDS
from avance.core.model import InstanceView, MigrationView, NodeView, PairView, PodView, VmPhase, VmView
from avance.core.policy import PairPolicy
from avance.core.power import PowerReading
from avance.core.remember import remember
from avance.core.storage import StorageView
from avance.simulator.objects import Instance, Migration, NodeObject, Snapshot, VmObject
from avance.simulator.records import Records


class Observer:
    """When this process first saw what; a successor begins with none of it."""

    def __init__(self, started_at: float) -> None:
        self._started_at = started_at
        self._heard: dict[str, tuple[float, float, float]] = {}
        """Of each node: its last renewal, when that was seen, since when it has been in contact."""
        self._first_seen: dict[tuple[str, ...], tuple[str, float]] = {}

    def view(
        self,
        seen: Snapshot,
        records: Records,
        power: Mapping[str, PowerReading],
        storage: Mapping[str, StorageView],
        now: float,
    ) -> PairView:
        view = PairView(
            name="pair",
            nodes=tuple(
                replace(
                    self._node(node, seen.policy, power, now),
                    history=records.histories.get(node.name, NOTHING_REMEMBERED),
                    bmc_lied=node.name in records.liars,
                )
                for node in sorted(_matched(seen), key=lambda node: node.name)
            ),
            vms=tuple(self._vm(vm, seen, storage.get(vm.key), now) for vm in seen.vms.values()),
            pods=tuple(
                PodView(
                    "default",
                    pod.name,
                    pod.uid,
                    pod.vm,
                    pod.instance_uid,
                    pod.node,
                    pod.phase,
                    pod.unschedulable,
                    ended_by_kubelet=pod.final,
                )
                for pod in seen.pods.values()
            ),
            actions=records.all(),
            policy=seen.policy,
        )
        return remember(view, now)

    def _node(self, node: NodeObject, policy: PairPolicy, power: Mapping[str, PowerReading], now: float) -> NodeView:
        conditions = {type_: self._condition(node, type_, now) for type_ in node.conditions}
        peer = conditions.get(PEER_UNREACHABLE)
        return NodeView(
            name=node.name,
            uid=f"uid-{node.name}-{node.registrations}",
            ready=node.ready,
            heard_at=self._heard_at(node, now),
            heard=self._heard_at(node, now) != self._started_at,
            heartbeat=str(node.heartbeat),
            heard_since=max(self._heard[node.name][2], self._first_heard(node, now)),
            shutting_down=node.shutting_down,
            boot_id=node.boot_id,
            system_uuid=node.system_uuid,
            faults=active_faults(node.name, conditions.values(), policy.health),
            hears_peer=peer.status == "False" if peer else None,
            peer_unreachable_since=peer.observed_at if peer and peer.status == "True" else None,
            cordoned=node.cordoned,
            closed=node.closed,
            out_of_service=node.out_of_service,
            accepts_vms=node.vms_label,
            allocatable=node.allocatable,
            power=power.get(node.name),
            fence_agent=node.fence_agent,
            versions=(("kubeletVersion", node.kubelet_version),),
        )

    def _heard_at(self, node: NodeObject, now: float) -> float:
        known = self._heard.get(node.name)
        if known is None:
            known = self._heard[node.name] = (node.heartbeat, self._started_at, self._started_at)
        elif known[0] != node.heartbeat:
            in_contact = known[1] != self._started_at and now - known[1] < CONTACT_SECONDS
            since = known[2] if in_contact else now
            known = self._heard[node.name] = (node.heartbeat, now, since)
        return known[1]

    def _first_heard(self, node: NodeObject, now: float) -> float:
        """When this life of it was seen first; it may have begun long before this process."""
        is_news = ("boot", node.name) in self._first_seen
        return self._seen(("boot", node.name), node.boot_id, now if is_news else self._started_at)

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

    def _vm(self, vm: VmObject, seen: Snapshot, storage: StorageView | None, now: float) -> VmView:
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
            instance=self._instance(instance, vm.health_check, now) if instance else None,
            migrations=tuple(self._migration(m, now) for m in seen.migrations.values() if m.vm == vm.key),
            last_node=vm.last_node,
            moved_at=vm.moved_at,
            admitted=vm.admitted,
            storage=storage,
            written=vm.written,
            pause=vm.pause,
            health_check=vm.health_check,
            answered=vm.answered,
            depends_on=vm.depends_on,
            generation=vm.generation,
            seen_at=self._seen(("vm", vm.key), "", now),
        )

    def _migration(self, migration: Migration, now: float) -> MigrationView:
        seen_at = self._seen(("migration", migration.name), migration.phase, now)
        ended_at = seen_at if migration.final else None
        return MigrationView(migration.name, migration.phase, migration.failure, migration.by, ended_at)

    def _instance(self, instance: Instance, check: HealthCheck | None, now: float) -> InstanceView:
        seen_at = self._seen(("instance", instance.uid), instance.phase, now)
        return InstanceView(
            uid=instance.uid,
            phase=instance.phase,
            node=instance.node,
            ready=instance.ready,
            ended_at=seen_at if instance.phase.final else None,
            migratable=instance.migratable,
            not_migratable_because=instance.not_migratable_because,
            evacuate_from=instance.evacuate_from,
            paused=instance.paused,
            signs=self._signs(instance, check, now),
        )

    def _signs(self, instance: Instance, check: HealthCheck | None, now: float) -> GuestSigns:
        signs = {
            "phase": instance.phase,
            "agent": instance.agent,
            "probe": instance.probe_failed,
            "paused": instance.paused,
            "frozen": instance.frozen,
            "node": instance.node,
        }
        return read_signs(
            check,
            running=instance.phase is VmPhase.RUNNING,
            ready=instance.ready,
            probe_failed=instance.probe_failed,
            agent=instance.agent,
            frozen=instance.frozen,
            since={sign: self._seen(("guest", instance.uid, sign), str(is_), now) for sign, is_ in signs.items()},
        )


def _matched(seen: Snapshot) -> list[NodeObject]:
    """The nodes that there are and that the pair's selector matches."""
    servers = [node for node in seen.nodes.values() if node.labelled and node.deleted_at is None]
    return [*servers, *seen.strangers.values()]
