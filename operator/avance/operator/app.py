"""The operator process: watch, wait for leadership, lead, and end rather than act in doubt.

A process that has lost the Lease ends at once: whatever it was about to do is its successor's now, and a new process
starts as a standby with nothing in its head.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any

import kopf

from avance.kube.client import Kube
from avance.kube.lease import LeaderLease, LeadershipLost
from avance.kube.resources import LEASES
from avance.operator.clock import Clock
from avance.operator.heartbeats import follow_heartbeats
from avance.operator.leading import Leading
from avance.operator.metrics import Metrics
from avance.operator.patience import patiently
from avance.operator.probes import HttpServer
from avance.operator.resync import resync
from avance.operator.store import Store
from avance.operator.watching import registry, settings

log = logging.getLogger(__name__)

LEASE_NAME = "avance-operator"
EXIT_LOST = 3
"""Exit status of a leader that was replaced, or that could not renew its Lease in time."""
RELEASE_SECONDS = 8.0
"""Within which a leader that was told to stop gives up its Lease: the rest of its promise, and one request."""
ORDERLY_END_SECONDS = 10.0
"""Within which the rest of the process ends when one part of it has."""
DEAF_SECONDS = 60.0
"""Node Leases change every 10 s a node: a watch that has shown none for this long is broken."""


@dataclass(frozen=True, slots=True)
class Options:
    """How the process is run."""

    namespace: str
    """Where the leader's Lease and the BMC credentials are."""
    identity: str
    """Names this process in the Lease, in Events and in the actions that it works on."""
    host: str
    probe_port: int
    metrics_port: int
    edits_stamped: bool = False
    """The API server notes who edits pairs and VMs, and lets nobody else write that."""


class Operator:
    """One operator process."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._clock = Clock()
        self._store = Store(self._clock)
        self._metrics = Metrics()
        self._stop = asyncio.Event()
        self._filled = asyncio.Event()
        self._watching = asyncio.Event()
        self._leading: Leading | None = None
        self._http = HttpServer(self._why_not_alive, self._why_not_ready, self._metrics.exposition)

    async def run(self) -> int:
        """Serve until told to stop; returns the exit status."""
        asyncio.get_running_loop().set_exception_handler(at_the_end_without(self._stop))
        kube = await Kube.connect()
        # The Lease has connections of its own: however many requests wait elsewhere, its renewal never queues.
        kube_of_lease = await Kube.connect()
        await self._http.start(self._options.host, self._options.probe_port, self._options.metrics_port)
        watching = asyncio.create_task(self._watch(kube))
        leading = asyncio.create_task(self._lead(kube, kube_of_lease))
        beside = {asyncio.create_task(each) for each in (self._obey_signals(), self._metrics.measure_delay())}
        try:
            done, _ = await asyncio.wait({watching, leading}, return_when=asyncio.FIRST_COMPLETED)
            self._stop.set()
            if not (leading in done and isinstance(_error(leading), LeadershipLost)):
                # kopf closes its connections only if it may come to its end.
                await asyncio.wait({watching, leading}, timeout=ORDERLY_END_SECONDS)
            return _exit_status(watching, leading)
        finally:
            for task in (watching, leading, *beside):
                task.cancel()
            await asyncio.wait({watching, leading, *beside}, timeout=5)
            await self._http.close()
            await kube.close()
            await kube_of_lease.close()

    async def _watch(self, kube: Kube) -> None:
        """Watch by kopf, and the kubelets' Leases beside it; neither goes on without the other."""
        watches = {
            asyncio.create_task(self._watch_by_kopf()),
            asyncio.create_task(follow_heartbeats(kube, self._store, self._wake, self._metrics, self._clock)),
        }
        try:
            done, _ = await asyncio.wait(watches, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for watch in watches:
                watch.cancel()
        for watch in done:
            watch.result()

    async def _watch_by_kopf(self) -> None:
        """Once the store is full: kopf lists everything again, object by object, at many times the cost of a plain
        listing, and no pair shall wait for that.
        """
        filled, stopping = asyncio.create_task(self._filled.wait()), asyncio.create_task(self._stop.wait())
        await asyncio.wait({filled, stopping}, return_when=asyncio.FIRST_COMPLETED)
        for task in (filled, stopping):
            task.cancel()
        if not self._stop.is_set():
            await kopf.operator(
                registry=registry(self._store, self._wake, self._metrics),
                settings=settings(),
                clusterwide=True,
                standalone=True,
                stop_flag=self._stop,
                ready_flag=self._watching,
            )

    async def _obey_signals(self) -> None:
        """SIGTERM and SIGINT give the Lease up without delay. kopf takes them at its start; they are taken back."""
        self._take_signals()
        await self._watching.wait()
        self._take_signals()

    def _take_signals(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._stop.set)

    async def _lead(self, kube: Kube, kube_of_lease: Kube) -> None:
        options = self._options
        lease = LeaderLease(kube_of_lease, options.namespace, LEASE_NAME, options.identity)
        self._metrics.follow(lease.age, self._silence)
        acquiring = asyncio.create_task(self._compete(kube, lease))
        stopping = asyncio.create_task(self._stop.wait())
        await asyncio.wait({acquiring, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not acquiring.done():
            acquiring.cancel()
            return
        acquiring.result()
        term = self._leading = Leading(
            kube,
            self._store,
            self._clock,
            self._metrics,
            lease,
            options.namespace,
            options.identity,
            partial(self._fill, kube),
            edits_stamped=options.edits_stamped,
        )
        await serve_while_leading(term.run(), lease, self._stop)

    async def _compete(self, kube: Kube, lease: LeaderLease) -> None:
        """Behind a leader only with a full store: at a takeover there are better things to do than to list a large
        cluster. A Lease that nobody holds is taken at once, and everything is listed once instead of twice.
        """
        if not await lease.is_free():
            await self._fill(kube)
        await lease.acquire()

    async def _fill(self, kube: Kube) -> None:
        """List everything."""
        await patiently(lambda: resync(kube, self._store, self._wake))
        self._filled.set()

    def _wake(self, pair: str) -> None:
        if self._leading is not None:
            self._leading.wake(pair)

    def _why_not_alive(self) -> str:
        """Deaf is dead: an operator whose watches have gone silent must be restarted, however well it feels."""
        silence = self._silence()
        return f"no node has been heard for {silence:.0f} s: the watches are broken" if silence > DEAF_SECONDS else ""

    def _silence(self) -> float:
        """Seconds since any node has been heard; NaN while none is known."""
        heard = [self._store.first_seen(LEASES, lease, "renewTime") for lease in self._store.all(LEASES)]
        return self._clock.now() - max(heard, default=math.nan)

    def _why_not_ready(self) -> str:
        if not self._watching.is_set():
            return "the watches have not begun"
        return self._why_not_alive()


def at_the_end_without(stop: asyncio.Event) -> Callable[[asyncio.AbstractEventLoop, dict[str, Any]], None]:
    """An exception handler of the loop that makes no error of what kopf leaves open once `stop` is set.

    kopf abandons the generators of its watches, and the loop closes them at its end in whatever state they are.
    """

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if stop.is_set() and "asyncgen" in context:
            log.info("a watch was left open at the end: %s", context.get("exception"))
        else:
            loop.default_exception_handler(context)

    return handle


async def serve_while_leading(serve: Coroutine[Any, Any, None], lease: LeaderLease, stop: asyncio.Event) -> None:
    """Serve until `stop` is set or the leadership ends; raises LeadershipLost, and whatever ended `serve`.

    Once told to stop, the Lease is given up as soon as no effect is under way, so that a successor need not wait for it
    to run out. That nothing new may begin meanwhile is no loss.
    """
    serving, holding = asyncio.create_task(serve), asyncio.create_task(lease.hold(stop))
    try:
        await asyncio.wait({serving, holding}, return_when=asyncio.FIRST_COMPLETED)
        if stop.is_set():
            await asyncio.wait({holding}, timeout=RELEASE_SECONDS)
    finally:
        for task in (serving, holding):
            task.cancel()
        await asyncio.wait({serving, holding}, timeout=5)
    for task in (holding, serving):
        error = _error(task)
        if error is not None and not (task is serving and stop.is_set() and isinstance(error, LeadershipLost)):
            raise error


def _error(task: asyncio.Task[None]) -> BaseException | None:
    return task.exception() if task.done() and not task.cancelled() else None


def _exit_status(watching: asyncio.Task[None], leading: asyncio.Task[None]) -> int:
    lost = _error(leading)
    if isinstance(lost, LeadershipLost):
        log.error("leadership lost, ending: %s", lost)
        # At once, whatever else is under way: somebody else may lead already.
        sys.stderr.flush()
        os._exit(EXIT_LOST)
    for task in (leading, watching):
        error = _error(task)
        # kopf ends by ending every task of the loop, and raises what they raised: a loop that found the Lease given up
        # is no error of the watches.
        if error is not None and not isinstance(error, LeadershipLost):
            log.error("ending on an error nobody foresaw", exc_info=error)
            return 1
    return 0


def run(options: Options) -> int:
    """Run the operator in this process."""
    return asyncio.run(Operator(options).run())
