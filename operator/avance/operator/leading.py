"""What only the leader does: a loop for every pair, from a full store, until it leads no more."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from avance.core.power import PowerReading
from avance.fencing.credentials import FenceAgents
from avance.kube.client import Kube
from avance.kube.errors import ApiError
from avance.kube.lease import LeaderLease, LeadershipLost
from avance.kube.resources import AVANCE_PAIRS, PROTECTED_VMS
from avance.operator.actions import ActionLog
from avance.operator.adopting import Adopting
from avance.operator.clock import Clock
from avance.operator.edits import EditWatch
from avance.operator.effects import Effects
from avance.operator.events import EventPoster
from avance.operator.instance_types import InstanceTypes
from avance.operator.journal import Journal
from avance.operator.kubevirt_watch import KubeVirtWatch
from avance.operator.metrics import Metrics
from avance.operator.migration_settings import MigrationSettingsWatch
from avance.operator.observe import Observer
from avance.operator.orphans import tell_orphans
from avance.operator.pacing import Pacing
from avance.operator.pair_loop import PairLoop
from avance.operator.patience import patiently
from avance.operator.policy import policy_of
from avance.operator.postman import Postman
from avance.operator.power import NodeKey, PowerWatch
from avance.operator.resync import resync_for_ever
from avance.operator.storage import StorageWatch
from avance.operator.store import Store
from avance.operator.surroundings import SurroundingsWatch

Object = dict[str, Any]

log = logging.getLogger(__name__)

ORPHANS_SECONDS = 30.0
"""How often VMs without a pair are looked at, whatever happens: one may wait to be let go."""


class Leading:
    """One term of leadership."""

    def __init__(
        self,
        kube: Kube,
        store: Store,
        clock: Clock,
        metrics: Metrics,
        lease: LeaderLease,
        namespace: str,
        identity: str,
        fill: Callable[[], Awaitable[None]],
        *,
        edits_stamped: bool = False,
    ) -> None:
        """`fill` lists everything into the store; `edits_stamped`: what is noted of who edits can be believed."""
        self._fill = fill
        self._kube = kube
        self._store = store
        self._clock = clock
        self._metrics = metrics
        self._lease = lease
        self._identity = identity
        self._agents = FenceAgents(kube, namespace, clock.now)
        self._events = EventPoster(kube, identity)
        self._loops: dict[str, tuple[PairLoop, asyncio.Task[None]]] = {}
        self._new_pair = asyncio.Event()
        self._pacing = Pacing()
        readings: dict[NodeKey, PowerReading] = {}
        self._types = InstanceTypes(kube, clock)
        self._observer = Observer(store, ActionLog(store), readings, self._types.answers)
        self._migrations = MigrationSettingsWatch(
            kube, store, clock, lambda pair: policy_of(self._observer.pair(pair).spec), lease.guard, self.wake
        )
        self._kubevirt = KubeVirtWatch(kube, clock, self._look_again)
        self._surroundings = SurroundingsWatch(store, clock, self._migrations.of_pair, lambda: self._kubevirt.health)
        self._edits = EditWatch(store, stamped=edits_stamped)
        self._postman = Postman(kube, namespace, clock, self.wake)
        self._adopting = Adopting(kube, store, clock, self._tell_of_a_vm)
        self._effects = Effects(kube, store, self._observer, self._agents, self._postman, self._adopting)
        self._power = PowerWatch(self._effects, clock, self.wake, readings)
        self._storage = StorageWatch(kube, namespace, store, clock, self.wake)

    def _tell_of_a_vm(self, obj: Object, reason: str, message: str) -> None:
        self._events.tell(PROTECTED_VMS, obj, reason, message)

    def wake(self, pair: str) -> None:
        """Have a pair looked at; one that has no loop yet gets one."""
        known = self._loops.get(pair)
        if known is not None and not known[1].done():
            known[0].wake()
        else:
            self._new_pair.set()

    def _look_again(self) -> None:
        """KubeVirt's state has changed: it may have been installed, too, and its settings can be read."""
        self._migrations.look_soon()
        for pair in self._store.all(AVANCE_PAIRS):
            self.wake(pair["metadata"]["name"])

    async def run(self) -> None:
        """Serve all pairs until cancelled. Raises LeadershipLost, and whatever error a loop did not foresee."""
        user = await patiently(self._kube.whoami)
        await self._fill()
        # What the store holds is there to stay: the garbage collector need not walk it again and again.
        gc.collect()
        gc.freeze()
        journal = Journal(self._kube, self._store, self._clock, user, self._identity, self._lease.epoch)
        background = [
            asyncio.create_task(self._events.run()),
            asyncio.create_task(resync_for_ever(self._kube, self._store, self.wake)),
            asyncio.create_task(self._migrations.run()),
            asyncio.create_task(self._kubevirt.run()),
        ]
        self._surroundings.in_charge_since = self._clock.now()
        self._metrics.leading.set(1)
        log.info("leading: epoch %d, %d pairs", self._lease.epoch, len(list(self._store.all(AVANCE_PAIRS))))
        try:
            await self._keep_loops(journal, background)
        finally:
            self._metrics.leading.set(0)
            await self._close(background)

    async def _keep_loops(self, journal: Journal, background: list[asyncio.Task[None]]) -> None:
        while True:
            self._new_pair.clear()
            for pair in [obj["metadata"]["name"] for obj in self._store.all(AVANCE_PAIRS)]:
                if pair not in self._loops or self._loops[pair][1].done():
                    self._start_loop(pair, journal)
            await self._tell_orphans()
            waiting = asyncio.create_task(self._new_pair.wait())
            loops = {task for _, task in self._loops.values() if not task.done()}
            await asyncio.wait(
                {waiting, *loops, *background}, timeout=ORPHANS_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
            waiting.cancel()
            for task in background:
                if task.done():
                    task.result()
            for name, (_, task) in list(self._loops.items()):
                if task.done():
                    del self._loops[name]
                    task.result()

    async def _tell_orphans(self) -> None:
        try:
            async with self._lease.guard():
                await tell_orphans(self._kube, self._store, self._clock, self._adopting)
        except ApiError as error:
            log.warning("could not tell a VM or action that its pair is missing: %s", error)

    def _start_loop(self, pair: str, journal: Journal) -> None:
        loop = PairLoop(
            pair,
            kube=self._kube,
            store=self._store,
            observer=self._observer,
            journal=journal,
            effects=self._effects,
            power=self._power,
            storage=self._storage,
            events=self._events,
            metrics=self._metrics,
            clock=self._clock,
            leadership=self._lease,
            pacing=self._pacing,
            surroundings=self._surroundings,
            postman=self._postman,
            edits=self._edits,
            types=self._types,
        )
        self._migrations.look_soon()
        self._loops[pair] = (loop, asyncio.create_task(loop.run(), name=f"pair {pair}"))

    async def _close(self, background: list[asyncio.Task[None]]) -> None:
        tasks = [task for _, task in self._loops.values()] + background
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError, LeadershipLost):
                await task
        await self._postman.close()
        await self._power.close()
        await self._storage.close()
        await self._types.close()
        await self._agents.close()
