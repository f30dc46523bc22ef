"""One simulated pair: world, API and operator on one clock, with the invariants checked after every tick."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from avance.core.effects import Effect, PowerOff
from avance.core.model import ActionView, PairView, Resources, VmPhase
from avance.core.policy import PairPolicy
from avance.simulator import invariants
from avance.simulator.cluster import Cluster
from avance.simulator.kubevirt import KubeVirt
from avance.simulator.objects import Api, Condition, Instance, NodeObject, Pod, VmObject
from avance.simulator.operator import Killed, Operator, Site
from avance.simulator.records import Records
from avance.simulator.world import Server, World

TICK = 0.25
"""Seconds of virtual time between two looks at everything."""
EPOCH = 1767225600.0
"""Virtual time begins at midnight, so that a time of day in a message is the time on the timeline."""
TAKEOVER_SECONDS = 6.0
"""From an operator's death to its successor's first look."""


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
    ) -> None:
        self.now = EPOCH
        self.timeline: list[Entry] = []
        self.violations: list[str] = []
        self.world = World([server for server, _ in servers], self.tell)
        self.api = Api()
        self.cluster = Cluster(self.api, self.world)
        self.kubevirt = KubeVirt(self.cluster, self.world)
        self.records = Records()
        self.policy = policy or PairPolicy()
        self.lag = lag
        self.boundary: Callable[[str], None] = lambda where: None
        self.operator: Operator | None = None
        self.operator_may_run = True
        self._takeover_at = EPOCH
        self.world.now = self.now
        for server, allocatable in servers:
            self._register(server, allocatable)
        for guest in guests:
            self._settle(guest)

    @property
    def elapsed(self) -> float:
        return self.now - EPOCH

    def tell(self, who: str, what: str) -> None:
        self.timeline.append(Entry(self.elapsed, who, what))

    def step(self) -> None:
        """One tick of everything, then the invariants."""
        self.now += TICK
        self.world.tick(self.now)
        self.cluster.tick(self.now)
        self.kubevirt.tick(self.now)
        self._run_operator()
        for broken in invariants.after_each_step(self.world, self.records):
            self._violated(broken)

    def kill_operator(self) -> None:
        """Its process ends; a successor takes over when the Lease has run out."""
        if self.operator is not None:
            self.operator = None
            self._takeover_at = self.now + TAKEOVER_SECONDS
            self.tell("hardware", "the operator dies")

    def _run_operator(self) -> None:
        if self.operator is None:
            if self.now < self._takeover_at or not self.operator_may_run:
                return
            site = Site(self.api, self.kubevirt, self.world, self.records, self.tell, self._at_boundary, self._audit)
            self.operator = Operator(site, self.policy, self.now, self.lag)
        try:
            self.operator.tick(self.now)
        except Killed:
            self.kill_operator()

    def _at_boundary(self, where: str) -> None:
        self.boundary(where)

    def _audit(self, view: PairView, action: ActionView | None, effect: Effect) -> None:
        for broken in invariants.of_an_effect(self.world, self.api, self.records, view, action, effect):
            self._violated(broken)
        if isinstance(effect, PowerOff):
            self.world.servers[effect.node].killed_by_us = True

    def _violated(self, broken: str) -> None:
        if broken not in self.violations:
            self.violations.append(broken)
            self.tell("INVARIANT", broken)

    def _register(self, server: Server, allocatable: Resources) -> None:
        fine = {"PeerUnreachable": Condition("False", self.now), "PrivateLinkProblem": Condition("False", self.now)}
        node = NodeObject(server.name, server.system_uuid, allocatable, server.boot_id, self.now, conditions=fine)
        self.api.put(self.api.nodes, server.name, node)

    def _settle(self, guest: Guest) -> None:
        """Put a VM there as it would be after it had been started a while ago."""
        vm = guest.vm
        self.api.put(self.api.vms, vm.key, vm)
        if not guest.on:
            return
        self.api.change(self.api.vms, vm.key, exists=True, prefers=guest.on, last_node=guest.on)
        instance = Instance(
            self.api.uid(f"{vm.name}-instance"), vm.key, VmPhase.RUNNING, self.now, guest.on, ready=True
        )
        uid = self.api.uid("virt-launcher")
        boot_id = self.world.servers[guest.on].boot_id
        pod = Pod(uid, uid, vm.key, instance.uid, vm.needs, self.now, guest.on, boot_id, phase="Running")
        self.api.put(self.api.instances, vm.key, instance)
        self.api.put(self.api.pods, uid, pod)
        self.world.start_guest(vm.key, instance.uid, uid, guest.on)
