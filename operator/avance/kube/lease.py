"""Leader election by a coordination.k8s.io Lease, strict enough to fence by.

Invariant: **at any instant at most one `LeaderLease` has `remaining() > 0`**, provided that monotonic clocks of two
machines don't drift apart by more than `margin` in one `duration`. Why it holds:

* A leader counts its time from *before* it sent a write that was confirmed: it is certain of leading until
  sent + duration, and stops `margin` earlier. A write whose answer is lost or late prolongs nothing.
* A candidate takes a held Lease over only after it has itself seen the same holder and renewTime for the whole
  duration, by its own monotonic clock. What it saw was written after the leader had started to count, so its wait ends
  after the leader's certainty. Wall clocks are written for people and never compared.
* Every write carries the resourceVersion that it was decided on: of two candidates one wins, and a leader that was
  replaced learns it from the conflict.
* A Lease that is missing may just have been deleted under a leader: the candidate puts up one that a placeholder
  holds, and then waits for that like for any other holder. (A chart that installs the Lease with an empty holder
  saves the first operator this wait.)

Limits: a process that stands still (SIGSTOP, a paused virtual machine) inside an effect can't know it. Hence effects
are bounded by `guard()`, and carry `epoch`, which grows with each leader, wherever the other side can check it.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any, Protocol

from avance.kube.errors import AlreadyExists, ApiError, Conflict, NotFound
from avance.kube.resources import LEASES, Resource

log = logging.getLogger(__name__)

Object = dict[str, Any]
_MISSING = "lease-was-missing"
"""Holder of a Lease that a candidate put up where there was none."""


class LeadershipLost(Exception):
    """Another leads, or may lead by now. Stop all effects; the process had best end and start as a candidate."""


class LeaseStore(Protocol):
    """The part of `Kube` that the election needs."""

    async def get(self, resource: Resource, name: str, namespace: str = "") -> Object:
        """As `Kube.get`."""
        ...

    async def create(self, resource: Resource, body: Object, namespace: str = "") -> Object:
        """As `Kube.create`."""
        ...

    async def replace(self, resource: Resource, body: Object) -> Object:
        """As `Kube.replace`."""
        ...


class LeaderLease:
    """One candidate. `acquire()`, then `hold()`; effects inside `guard()`."""

    def __init__(
        self,
        kube: LeaseStore,
        namespace: str,
        name: str,
        identity: str,
        duration: float = 6.0,
        renew_every: float = 1.5,
        margin: float = 1.5,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`identity` is for people (the pod's name); a random suffix tells two lives of one pod apart. Seconds all."""
        if not 0 < renew_every < duration - margin or margin <= 0:
            raise ValueError(f"0 < renew_every < duration - margin needed, got {renew_every=} {duration=} {margin=}")
        self.holder = f"{identity}_{uuid.uuid4().hex[:8]}"
        self._kube = kube
        self._namespace, self._name = namespace, name
        self._duration, self._renew_every, self._margin = duration, renew_every, margin
        self._monotonic = monotonic
        self._record: Object = {}
        self._deadline = -math.inf
        self._seen: tuple[Any, ...] = ()
        self._seen_since = -math.inf
        self._guards: set[asyncio.Timeout] = set()
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def epoch(self) -> int:
        """The Lease's leaseTransitions at the time of `acquire()`; each leader's is greater than its predecessor's.
        0 before. (Deleting the Lease by hand starts it anew.)
        """
        return int(_spec(self._record).get("leaseTransitions") or 0)

    def remaining(self) -> float:
        """Seconds for which this candidate certainly leads, less the margin; zero or less when it doesn't lead."""
        return self._deadline - self._margin - self._monotonic()

    def age(self) -> float:
        """Seconds since this candidate saw the Lease renewed, by itself or another; NaN before it has."""
        renewed = max(self._deadline - self._duration, self._seen_since)
        return self._monotonic() - renewed if math.isfinite(renewed) else math.nan

    async def is_free(self) -> bool:
        """Whether nobody holds the Lease, as far as the API server tells; one that it does not tell of is not free."""
        try:
            record = await self._call(self._kube.get(LEASES, self._name, self._namespace))
        except NotFound:
            return True
        except (ApiError, TimeoutError):
            return False
        return not _spec(record).get("holderIdentity")

    async def acquire(self) -> None:
        """Return once this candidate leads. Errors of the API are waited out."""
        while True:
            try:
                wait = await self._try_to_take()
            except (ApiError, TimeoutError) as error:
                log.warning("leader election: %s", str(error) or "no answer in time")
                wait = self._renew_every / 3
            if self.remaining() > 0:
                log.info("leading as %s, epoch %d", self.holder, self.epoch)
                return
            await asyncio.sleep(wait)

    async def hold(self, stop: asyncio.Event) -> None:
        """Renew until `stop` is set, then let the guarded effects end, and release the Lease for the next candidate.

        Raises `LeadershipLost` as soon as another leads, or when no renewal succeeded in time.
        """
        stopping = asyncio.create_task(stop.wait())
        try:
            while not stopping.done():
                await self._renew()
                await asyncio.wait({stopping}, timeout=self._renew_every)
            await self._release()
        finally:
            stopping.cancel()
            self._end()

    @asynccontextmanager
    async def guard(self) -> AsyncIterator[None]:
        """Run an effect only while leading: raises `LeadershipLost` at once when not, and cancels the effect and
        raises it when the leadership ends before the effect does. Renewals prolong it.
        """
        remaining = self.remaining()
        if remaining <= 0:
            raise LeadershipLost(f"{self.holder} does not lead")
        timeout = asyncio.timeout(remaining)
        try:
            async with timeout:
                self._guards.add(timeout)
                self._idle.clear()
                try:
                    yield
                finally:
                    self._guards.discard(timeout)
                    if not self._guards:
                        self._idle.set()
        except TimeoutError:
            if timeout.expired():
                raise LeadershipLost(f"{self.holder} could not renew its Lease in time") from None
            raise

    # Taking over

    async def _try_to_take(self) -> float:
        """Take the Lease if it is free; else the seconds after which to look again."""
        poll = self._renew_every / 3
        try:
            record = await self._call(self._kube.get(LEASES, self._name, self._namespace))
        except NotFound:
            with suppress(AlreadyExists):
                await self._call(self._kube.create(LEASES, self._new_lease(), self._namespace))
            return 0.0
        free_in = self._free_in(_spec(record))
        if free_in > 0:
            return min(poll, free_in)
        with suppress(Conflict, NotFound):  # someone else was faster
            transitions = int(_spec(record).get("leaseTransitions") or 0) + 1
            await self._write(record, acquireTime=_now(), leaseTransitions=transitions)
        return poll

    def _free_in(self, spec: Object) -> float:
        """Seconds until this candidate may take the Lease over; zero or less: now."""
        now = self._monotonic()
        seen = (spec.get("holderIdentity"), spec.get("renewTime"), spec.get("leaseTransitions"))
        if seen != self._seen:
            self._seen, self._seen_since = seen, now
        if spec.get("holderIdentity") in (None, "", self.holder):
            return 0.0
        # The holder's promise counts, not ours: another release may use another duration.
        promised = float(spec.get("leaseDurationSeconds") or self._duration)
        return self._seen_since + promised - now

    def _new_lease(self) -> Object:
        return {
            "apiVersion": LEASES.api_version,
            "kind": LEASES.kind,
            "metadata": {"name": self._name, "namespace": self._namespace},
            "spec": {
                "holderIdentity": _MISSING,
                "leaseDurationSeconds": math.ceil(self._duration),
                "renewTime": _now(),
            },
        }

    # Staying, and going

    async def _renew(self) -> None:
        """Return after one confirmed renewal; raises LeadershipLost when the leadership ends before that."""
        try:
            async with asyncio.timeout(self.remaining()):
                await self._write_until_confirmed()
        except TimeoutError:
            raise LeadershipLost(f"{self.holder} could not renew its Lease in time") from None

    async def _write_until_confirmed(self) -> None:
        record = self._record
        while self.remaining() > 0:
            try:
                return await self._write(record)
            except Conflict:
                record = await self._reread()
            except NotFound:
                raise LeadershipLost("the Lease was deleted") from None
            except TimeoutError:
                log.warning("Lease not renewed, %.1f s of leadership left: no answer in time", self.remaining())
            except ApiError as error:
                log.warning("Lease not renewed, %.1f s of leadership left: %s", self.remaining(), error)
                await asyncio.sleep(self._renew_every / 3)
        raise TimeoutError

    async def _reread(self) -> Object:
        """The Lease after a conflict, if it is still ours: a write whose answer was lost, or a foreign label."""
        try:
            record = await self._call(self._kube.get(LEASES, self._name, self._namespace))
        except NotFound:
            raise LeadershipLost("the Lease was deleted") from None
        except (ApiError, TimeoutError):
            return self._record
        spec = _spec(record)
        if spec.get("holderIdentity") != self.holder or spec.get("leaseTransitions") != self.epoch:
            raise LeadershipLost(f"{spec.get('holderIdentity')} has taken over from {self.holder}")
        return record

    async def _release(self) -> None:
        """Stop leading; once no guarded effect runs any more, say so in the Lease, so that nobody has to wait."""
        record, promised_until = self._record, self._deadline
        self._deadline = self._monotonic()  # no new guard starts; those that run still have their old time
        await self._idle.wait()
        if self._monotonic() >= promised_until:
            return
        try:
            await self._call(self._kube.replace(LEASES, _with_spec(record, holderIdentity="", renewTime=_now())))
        except (ApiError, TimeoutError) as error:
            log.warning("Lease not released, it runs out by itself: %s", str(error) or "no answer in time")

    def _end(self) -> None:
        self._deadline = -math.inf
        for guard in self._guards:
            if not guard.expired():
                guard.reschedule(asyncio.get_running_loop().time())

    async def _write(self, record: Object, **changes: Any) -> None:
        """Write ourselves as holder over `record`. Once confirmed, leadership counts from before the request."""
        sent = self._monotonic()
        changes |= {
            "holderIdentity": self.holder,
            "renewTime": _now(),
            "leaseDurationSeconds": math.ceil(self._duration),
        }
        self._record = await self._call(self._kube.replace(LEASES, _with_spec(record, **changes)))
        self._deadline = sent + self._duration
        for guard in self._guards:
            if not guard.expired():
                guard.reschedule(asyncio.get_running_loop().time() + self.remaining())

    async def _call(self, request: Awaitable[Object]) -> Object:
        """A request may take two thirds of a renewal period, so that a hung one or two leave time for another."""
        async with asyncio.timeout(self._renew_every * 2 / 3):
            return await request


def _spec(record: Object) -> Object:
    return record.get("spec") or {}


def _with_spec(record: Object, **changes: Any) -> Object:
    return {**record, "spec": {**_spec(record), **changes}}


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
