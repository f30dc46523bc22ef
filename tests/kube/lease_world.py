"""A world for the leader election: one store of Leases, and candidates behind networks and clocks of their own.

The store does what the API server does with resourceVersions (e2e/tests/test_lease.py runs against a real one). It is
here because a real one can't be made to commit a write at a chosen moment after its sender has given up.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from avance.kube.errors import AlreadyExists, Conflict, NotFound, Unavailable
from avance.kube.lease import LeaderLease, LeadershipLost
from avance.kube.resources import Resource

FOR_EVER = float("inf")
DURATION, RENEW_EVERY, MARGIN = 6.0, 1.5, 1.5


@dataclass(frozen=True)
class Passage:
    """What becomes of one request: seconds until it arrives and until its answer does; `FOR_EVER` for never."""

    there: float = 0.01
    back: float = 0.01
    refused: bool = False


@dataclass
class Store:
    """One Lease."""

    lease: dict[str, Any] | None = None
    version: int = 0
    on_change: Callable[[], None] = lambda: None

    def get(self) -> dict[str, Any]:
        if self.lease is None:
            raise NotFound(404, "NotFound", "no such lease")
        return copy.deepcopy(self.lease)

    def create(self, body: dict[str, Any]) -> dict[str, Any]:
        if self.lease is not None:
            raise AlreadyExists(409, "AlreadyExists", "there is one")
        return self._put(body)

    def replace(self, body: dict[str, Any]) -> dict[str, Any]:
        if body["metadata"]["resourceVersion"] != self.get()["metadata"]["resourceVersion"]:
            raise Conflict(409, "Conflict", "changed meanwhile")
        return self._put(body)

    def _put(self, body: dict[str, Any]) -> dict[str, Any]:
        self.version += 1
        self.lease = copy.deepcopy(body)
        self.lease["metadata"]["resourceVersion"] = str(self.version)
        self.on_change()
        return self.get()


@dataclass
class Network:
    """The way of one candidate to the store. A request that was sent arrives, whether or not its sender still waits."""

    store: Store
    passages: Iterator[Passage] = field(default_factory=lambda: iter(()))
    down: bool = False
    _in_flight: set[asyncio.Task[Any]] = field(default_factory=set)

    async def get(self, resource: Resource, name: str, namespace: str = "") -> dict[str, Any]:
        return await self._send(self.store.get)

    async def create(self, resource: Resource, body: dict[str, Any], namespace: str = "") -> dict[str, Any]:
        return await self._send(lambda: self.store.create(body))

    async def replace(self, resource: Resource, body: dict[str, Any]) -> dict[str, Any]:
        return await self._send(lambda: self.store.replace(body))

    async def _send(self, request: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        passage = Passage(FOR_EVER) if self.down else next(self.passages, Passage())
        if passage.refused:
            await asyncio.sleep(passage.there)
            raise Unavailable(503, "Unavailable", "not now")
        task = asyncio.create_task(self._arrive(passage.there, request))
        self._in_flight.add(task)
        task.add_done_callback(self._in_flight.discard)
        answer = await asyncio.shield(task)
        await _pause(passage.back)
        if isinstance(answer, Exception):
            raise answer
        return answer

    @staticmethod
    async def _arrive(delay: float, request: Callable[[], dict[str, Any]]) -> dict[str, Any] | Exception:
        await _pause(delay)
        try:
            return request()
        except (NotFound, AlreadyExists, Conflict) as error:
            return error


async def _pause(seconds: float) -> None:
    await (asyncio.Event().wait() if seconds == FOR_EVER else asyncio.sleep(seconds))


class Candidate:
    """A LeaderLease with its network, its clock, and a worker that has a guarded effect running all the time."""

    def __init__(
        self, world: World, name: str, *, passages: Iterable[Passage] = (), offset: float = 0.0, rate: float = 1.0
    ) -> None:
        loop = asyncio.get_running_loop()
        self.network = Network(world.store, iter(passages))
        self.lease = LeaderLease(
            self.network,
            "avance-system",
            "avance-operator",
            name,
            DURATION,
            RENEW_EVERY,
            MARGIN,
            monotonic=lambda: loop.time() * rate + offset,
        )
        self.led_at: float | None = None
        self.lost: LeadershipLost | None = None
        self.stop = asyncio.Event()
        self._world = world
        self.life = asyncio.create_task(self._live())
        world.candidates.append(self)

    async def _live(self) -> None:
        await self.lease.acquire()
        self.led_at = asyncio.get_running_loop().time()
        self._world.epochs.append(self.lease.epoch)
        self._world.check()
        worker = asyncio.create_task(self._work())
        try:
            await self.lease.hold(self.stop)
        except LeadershipLost as lost:
            self.lost = lost
        finally:
            worker.cancel()

    async def _work(self) -> None:
        while True:
            async with self.lease.guard():
                self._world.effects.add(self)
                self._world.check()
                try:
                    await asyncio.sleep(0.3)
                finally:
                    self._world.effects.discard(self)


class World:
    """Everything that exists in one run; `check()` asserts what must hold at every instant."""

    def __init__(self, *, lease: dict[str, Any] | None = None) -> None:
        self.store = Store(on_change=self.check)
        self.candidates: list[Candidate] = []
        self.effects: set[Candidate] = set()
        self.epochs: list[int] = []
        if lease is not None:
            self.store.create(lease)

    def check(self) -> None:
        leaders = [candidate.lease.holder for candidate in self.candidates if candidate.lease.remaining() > 0]
        assert len(leaders) <= 1, f"two leaders: {leaders}"
        assert len(self.effects) <= 1, "effects of two leaders at a time"

    def check_epochs(self) -> None:
        """Each leader's is greater than its predecessor's, unless the Lease was deleted."""
        assert self.epochs == sorted(set(self.epochs)), f"an epoch came twice or went back: {self.epochs}"

    async def go_on(self, seconds: float) -> None:
        """Let time pass, checking the invariant all the while."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while loop.time() < end:
            self.check()
            await asyncio.sleep(0.25)

    async def close(self) -> None:
        for candidate in self.candidates:
            candidate.life.cancel()
        await asyncio.gather(*(candidate.life for candidate in self.candidates), return_exceptions=True)


def free_lease() -> dict[str, Any]:
    """A Lease as a chart installs it: nobody holds it."""
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "avance-operator"}}
