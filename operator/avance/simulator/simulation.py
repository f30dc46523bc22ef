"""One simulated pair: world, API and operator on one clock, with the invariants checked after every tick."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from avance.core.effects import ClearOutOfService, CloseNode, Effect, MarkOutOfService, OpenNode, PowerOff
from avance.core.model import ActionView, PairView, VmPhase
from avance.core.policy import PairPolicy
from avance.core.resources import Resources
from avance.core.storage import StorageProvider
from avance.simulator import invariants
from avance.simulator.cluster import Cluster
from avance.simulator.disk_invariants import of_an_effect_on_disks
from avance.simulator.disks import RESYNC_SECONDS, Disks
from avance.simulator.guest_health import AGENT_SECONDS
from avance.simulator.kubevirt import KubeVirt
from avance.simulator.leadership import DURATION_SECONDS, Leadership, Lease
from avance.simulator.objects import Api, Condition, Instance, NodeObject, Pod, VmObject
from avance.simulator.operator import Killed, LeadershipLost, Operator, Site, StandsStill
from avance.simulator.post_office import PostOffice
from avance.simulator.records import Records
from avance.simulator.world import Mind, Server, World

TICK = 0.25
"""Seconds of virtual time between two looks at everything."""
EPOCH = 1767225600.0
"""Virtual time begins at midnight, so that a time of day in a message is the time on the timeline."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the timeline; `at` in seconds since the beginning."""

    at: float
    who: str
    what: str


@dataclass(frozen=True, slots=True)
class Guest:
    """A VM that is there when the simulation begins, and the node it runs on then; on none if that is empty."""

    vm: VmObject
    on: str


class Simulation:
    def __init__(
        self,
        servers: Sequence[tuple[Server, Resources]],
        guests: Sequence[Guest],
        policy: PairPolicy | None = None,
        lag: float = 0.25,
        begins_at: float = EPOCH,
        resync_seconds: float = RESYNC_SECONDS,
    ) -> None:
        self.now = self._began_at = begins_at
        self.timeline: list[Entry] = []
        self.violations: list[str] = []
        self.world = World([server for server, _ in servers], self.tell)
        self.api = Api()
        self.cluster = Cluster(self.api, self.world)
        self.api.policy = policy or PairPolicy()
        self.world.now = self.now
        replicated = self.api.policy.storage.provider is not StorageProvider.NONE
        self.disks = Disks(self.world, resync_seconds) if replicated else None
        self.kubevirt = KubeVirt(self.cluster, self.world, self.disks)
        self.records = Records()
        self.post_office = PostOffice(self.tell)
        self.lag = lag
        self.boundary: Callable[[str], None] = lambda where: None
        self.operator: Operator | None = None
        """The process that leads, or last led."""
        self._acting: Operator | None = None
        self.standing_still: list[Operator] = []
        self.operator_may_run = True
        self.next_clock_ahead = 0.0
        """Seconds by which the clock of the next operator's machine will be ahead."""
        self.held_up: dict[str, float] = {}
        """Types of effects whose next request is held up on its way, and for how many seconds."""
        self._on_their_way: list[tuple[float, Callable[[float], None]]] = []
        self.lease = Lease(begins_at - DURATION_SECONDS)
        for server, allocatable in servers:
            self._register(server, allocatable)
        for guest in guests:
            self._settle(guest)

    @property
    def elapsed(self) -> float:
        return self.now - self._began_at

    def tell(self, who: str, what: str) -> None:
        self.timeline.append(Entry(self.elapsed, who, what))

    def step(self) -> None:
        """One tick of everything, then the invariants."""
        self.now += TICK
        self.world.tick(self.now)
        self.cluster.tick(self.now)
        self.kubevirt.tick(self.now)
        if self.disks is not None:
            self.disks.tick(self.now)
        self._arrive()
        self._run_operator()
        for broken in invariants.after_each_step(self.world, self.records, self.operator, self.now):
            self._violated(broken)
        for broken in self.disks.stale_starts if self.disks is not None else ():
            self._violated(broken)

    def kill_operator(self) -> None:
        """Its process ends; a successor takes over when the Lease has run out."""
        if self.operator is not None:
            self.operator = None
            self.lease.renewed_at = self.now
            self.tell("hardware", "the operator dies")

    def stop_process(self) -> None:
        """The leader's process stands still: it does nothing, and knows nothing of it."""
        if self.operator is not None:
            self.standing_still.append(self.operator)
            self.operator = None
            self.tell("hardware", "the operator stands still")

    def let_go_on(self) -> None:
        """Every process that stood still goes on, as if nothing had been."""
        going, self.standing_still = self.standing_still, []
        for process in going:
            if self._let_act(process):
                self.operator = process

    def _run_operator(self) -> None:
        if self.operator is None:
            if not self.lease.free(self.now) or not self.operator_may_run:
                return
            self.operator = self._successor()
        self._let_act(self.operator)

    def _let_act(self, process: Operator) -> bool:
        """One tick of a process; False if it has ended or stands still."""
        self._acting = process
        try:
            process.tick(self.now)
        except LeadershipLost:
            self.operator = None if self.operator is process else self.operator
        except StandsStill:
            self.operator = process
            self.stop_process()
        except Killed:
            self.kill_operator()
        else:
            return True
        return False

    def _successor(self) -> Operator:
        site = Site(
            self.api,
            self.kubevirt,
            self.world,
            self.disks,
            self.records,
            self.post_office,
            self.tell,
            self._at_boundary,
            self._audit,
            self._deliver,
        )
        leadership = Leadership(self.lease, self.now)
        return Operator(site, leadership, self.now, self.lag, self.next_clock_ahead)

    # ── requests on their way ──

    def _deliver(self, effect: Effect, request: Callable[[float], None]) -> None:
        word = type(effect).__name__
        delay = self.held_up.pop(word, 0.0)
        if not delay:
            request(self.now)
            return
        self.tell("hardware", f"the request for {word} is held up for {delay:g} s")
        if isinstance(effect, CloseNode | OpenNode | MarkOutOfService | ClearOutOfService):
            request = self._unless_changed(effect.node, request)
        self._on_their_way.append((self.now + delay, request))

    def _unless_changed(self, node: str, request: Callable[[float], None]) -> Callable[[float], None]:
        """Writes of a Node name the version that they were decided on."""
        known = replace(self.api.nodes[node], renewed_at=0.0, heartbeat=0.0)

        def write(now: float) -> None:
            if replace(self.api.nodes[node], renewed_at=0.0, heartbeat=0.0) == known:
                request(now)

        return write

    def _arrive(self) -> None:
        due = [request for at, request in self._on_their_way if at <= self.now]
        self._on_their_way = [(at, request) for at, request in self._on_their_way if at > self.now]
        for request in due:
            request(self.now)

    def _at_boundary(self, where: str) -> None:
        self.boundary(where)

    def _audit(self, view: PairView, action: ActionView | None, effect: Effect) -> None:
        for broken in invariants.only_the_leader_acts(self.lease, self._acting, self.now):
            self._violated(broken)
        for broken in invariants.of_an_effect(self.world, self.api, self.records, view, action, effect):
            self._violated(broken)
        if self.disks is not None:
            for broken in of_an_effect_on_disks(self.disks, self.world, self.api, view, effect):
                self._violated(broken)
        if isinstance(effect, PowerOff):
            self.world.servers[effect.node].killed_by_us = True

    def _violated(self, broken: str) -> None:
        if broken not in self.violations:
            self.violations.append(broken)
            self.tell("INVARIANT", broken)

    def _register(self, server: Server, allocatable: Resources) -> None:
        fine = {"PeerUnreachable": Condition("False", self.now), "PrivateLinkProblem": Condition("False", self.now)}
        node = NodeObject(
            server.name, server.system_uuid, allocatable, server.boot_id, self.now, self.now, conditions=fine
        )
        self.api.put(self.api.nodes, server.name, node)

    def _settle(self, guest: Guest) -> None:
        """Put a VM there as it would be after it had been started a while ago."""
        vm = guest.vm
        self.api.put(self.api.vms, vm.key, vm)
        if self.disks is not None:
            self.disks.add(vm.key)
        if not guest.on:
            return
        instance = Instance(
            self.api.uid(f"{vm.name}-instance"), vm.key, VmPhase.RUNNING, self.now, guest.on, ready=True, agent=True
        )
        answered = instance.uid if vm.health_check else ""
        self.api.change(self.api.vms, vm.key, exists=True, prefers=guest.on, last_node=guest.on, answered=answered)
        uid = self.api.uid("virt-launcher")
        boot_id = self.world.servers[guest.on].boot_id
        pod = Pod(uid, uid, vm.key, instance.uid, vm.needs, self.now, guest.on, boot_id, phase="Running")
        self.api.put(self.api.instances, vm.key, instance)
        self.api.put(self.api.pods, uid, pod)
        self.world.start_guest(vm.key, instance.uid, uid, guest.on, Mind(up_at=self.now - AGENT_SECONDS, answered=True))
