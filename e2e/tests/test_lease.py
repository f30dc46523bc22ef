"""Leader election against a real API server: leaders that crash, freeze or resign, and an API server that hangs.

Times are printed, and asserted only as far as safety and the design's bound need it.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from avance.kube.client import Kube
from avance.kube.lease import LeaderLease, LeadershipLost
from avance.kube.resources import LEASES
from e2e.controlplane import ControlPlane, ensure_binaries
from e2e.tests.server_signals import server_pid

NAMESPACE = "default"
DURATION, POLL = 6.0, 0.5
SLACK = 3.0  # for a busy machine; what was measured is printed


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def plane(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ControlPlane]:
    plane = ControlPlane(tmp_path_factory.mktemp("plane"), await ensure_binaries())
    try:
        await plane.start()
        yield plane
    finally:
        await plane.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def kube(plane: ControlPlane) -> AsyncIterator[Kube]:
    kube = await Kube.connect(str(plane.kubeconfig))
    yield kube
    await kube.close()


async def free_lease(kube: Kube, name: str) -> str:
    """A Lease of the test's own, which nobody holds; returns its name."""
    await kube.create(LEASES, {"metadata": {"name": name}}, NAMESPACE)
    return name


class Leader:
    """A candidate in this process, with its life as a task."""

    def __init__(self, kube: Kube, name: str, identity: str) -> None:
        self.lease = LeaderLease(kube, NAMESPACE, name, identity)
        self.leads = asyncio.Event()
        self.led_at = 0.0
        self.stop = asyncio.Event()
        self.life = asyncio.create_task(self._live())

    async def _live(self) -> None:
        await self.lease.acquire()
        self.led_at = time.monotonic()
        self.leads.set()
        await self.lease.hold(self.stop)


@asynccontextmanager
async def candidates(kube: Kube, name: str, *identities: str) -> AsyncIterator[list[Leader]]:
    leaders = [Leader(kube, name, identity) for identity in identities]
    try:
        yield leaders
    finally:
        for leader in leaders:
            leader.life.cancel()
        await asyncio.gather(*(leader.life for leader in leaders), return_exceptions=True)


async def first_of(leaders: list[Leader]) -> tuple[Leader, Leader]:
    """The candidate that leads, and the other one."""
    async with asyncio.timeout(2 * DURATION):
        waiting = {asyncio.create_task(leader.leads.wait()): leader for leader in leaders}
        done, pending = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    assert len(done) == 1
    [winner] = (waiting[task] for task in done)
    [other] = (leader for leader in leaders if leader is not winner)
    return winner, other


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def test_a_crashed_leader_is_replaced(kube: Kube) -> None:
    name = await free_lease(kube, "crash")
    async with candidates(kube, name, "a", "b") as both:
        winner, other = await first_of(both)
        assert winner.lease.epoch == 1
        await asyncio.sleep(2.0)  # let it renew: a crash at any moment of its life will do
        assert not other.leads.is_set()
        winner.life.cancel()
        crashed = time.monotonic()
        async with asyncio.timeout(DURATION + POLL + SLACK):
            await other.leads.wait()
        print(f"takeover after a crash: {other.led_at - crashed:.2f} s")
        assert other.lease.epoch == 2
        assert other.lease.remaining() > 0 >= winner.lease.remaining()


async def test_a_leader_that_resigns_is_replaced_at_once(kube: Kube) -> None:
    name = await free_lease(kube, "resign")
    async with candidates(kube, name, "a", "b") as both:
        winner, other = await first_of(both)
        resigned = time.monotonic()
        winner.stop.set()
        await winner.life
        async with asyncio.timeout(DURATION):
            await other.leads.wait()
        print(f"takeover after a resignation: {other.led_at - resigned:.2f} s")
        assert other.led_at - resigned < DURATION / 2
        assert other.lease.epoch == 2


async def test_a_missing_lease_is_made(plane: ControlPlane, kube: Kube) -> None:
    started = time.monotonic()
    async with candidates(kube, "made-by-a-candidate", "a", "b") as both:
        winner, _ = await first_of(both)
        assert winner.led_at - started >= DURATION
        lease = await kube.get(LEASES, "made-by-a-candidate", NAMESPACE)
    assert lease["spec"]["holderIdentity"] == winner.lease.holder
    assert lease["spec"]["leaseTransitions"] == winner.lease.epoch == 1


@asynccontextmanager
async def process(plane: ControlPlane, name: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A candidate in a process of its own, once it leads."""
    candidate = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "e2e.tests.lease_candidate", str(plane.kubeconfig), NAMESPACE, name,
        stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    try:
        assert (await line(candidate)).startswith("leading ")
        yield candidate
    finally:
        if candidate.returncode is None:
            candidate.kill()
        await candidate.wait()


async def line(candidate: asyncio.subprocess.Process) -> str:
    assert candidate.stdout is not None
    async with asyncio.timeout(30):
        return (await candidate.stdout.readline()).decode().strip()


async def test_a_killed_process_is_replaced(plane: ControlPlane, kube: Kube) -> None:
    name = await free_lease(kube, "kill")
    async with process(plane, name) as first, candidates(kube, name, "b") as [second]:
        assert await line(first) == "effect"
        first.kill()
        killed = time.monotonic()
        async with asyncio.timeout(DURATION + POLL + SLACK):
            await second.leads.wait()
        print(f"takeover after kill -9: {second.led_at - killed:.2f} s")


async def test_a_process_that_stood_still_does_nothing_when_it_wakes(plane: ControlPlane, kube: Kube) -> None:
    name = await free_lease(kube, "freeze")
    async with process(plane, name) as first, candidates(kube, name, "b") as [second]:
        assert await line(first) == "effect"
        with frozen(first.pid):
            async with asyncio.timeout(DURATION + POLL + SLACK):
                await second.leads.wait()
        assert first.stdout is not None
        said = (await first.stdout.read()).decode().split()
        # What it had printed before it stood still is in the pipe; after that comes nothing but the loss.
        assert said.pop() == "lost"
        assert len(said) < DURATION / 0.1
        lease = await kube.get(LEASES, name, NAMESPACE)
        assert lease["spec"]["holderIdentity"] == second.lease.holder


async def test_a_hanging_api_server_ends_the_leadership_in_time(plane: ControlPlane, kube: Kube) -> None:
    name = await free_lease(kube, "hang")
    async with candidates(kube, name, "a", "b") as both:
        winner, other = await first_of(both)
        with frozen(server_pid(plane, "kube-apiserver")):
            stopped = time.monotonic()
            with pytest.raises(LeadershipLost):
                async with winner.lease.guard():
                    await asyncio.sleep(60)
            print(f"effects ended {time.monotonic() - stopped:.2f} s after the API server had stopped")
            assert time.monotonic() - stopped < DURATION
            with pytest.raises(LeadershipLost):
                await winner.life
            assert winner.lease.remaining() <= 0
            assert not other.leads.is_set()
        resumed = time.monotonic()
        async with asyncio.timeout(DURATION + POLL + SLACK):
            await other.leads.wait()
        print(f"takeover {other.led_at - resumed:.2f} s after the API server went on")
        assert other.lease.epoch == 2
