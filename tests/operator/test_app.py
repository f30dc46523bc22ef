"""The end of a leader: told to stop it gives its Lease up, and everything else that ends it is an error."""

import asyncio

import pytest

from avance.kube.lease import LeaderLease, LeadershipLost
from avance.operator.app import serve_while_leading
from tests.kube.lease_world import DURATION, MARGIN, RENEW_EVERY, Network, Store, free_lease
from tests.kube.virtual_time import run


class Bench:
    """A leader that has an effect under way nearly all the time."""

    def __init__(self) -> None:
        self.store = Store()
        self.store.create(free_lease())
        self.network = Network(self.store)
        self.lease = LeaderLease(
            self.network, "avance-system", "avance-operator", "one", DURATION, RENEW_EVERY, MARGIN,
            monotonic=asyncio.get_running_loop().time,
        )  # fmt: skip
        self.stop = asyncio.Event()
        self.done = 0

    async def lead(self) -> None:
        await self.lease.acquire()
        await serve_while_leading(self._serve(), self.lease, self.stop)

    async def _serve(self) -> None:
        while True:
            async with self.lease.guard():
                await asyncio.sleep(0.3)
                self.done += 1

    @property
    def holder(self) -> str:
        return str(self.store.get()["spec"]["holderIdentity"])


def test_a_leader_that_is_told_to_stop_gives_up_its_lease_however_busy_it_is() -> None:
    async def story() -> None:
        bench = Bench()
        leading = asyncio.create_task(bench.lead())
        await asyncio.sleep(10.1)
        assert bench.holder == bench.lease.holder
        bench.stop.set()
        done = bench.done
        await leading
        assert bench.holder == ""
        assert bench.done == done + 1, "the effect that was under way has ended"

    run(story())


def test_a_leader_that_cannot_renew_its_lease_has_lost_it() -> None:
    async def story() -> None:
        bench = Bench()
        leading = asyncio.create_task(bench.lead())
        await asyncio.sleep(10.1)
        bench.network.down = True
        with pytest.raises(LeadershipLost):
            await leading

    run(story())


def test_what_ends_the_service_ends_the_leader() -> None:
    async def story() -> None:
        bench = Bench()
        await bench.lease.acquire()

        async def broken() -> None:
            raise KeyError("what nobody foresaw")

        with pytest.raises(KeyError):
            await serve_while_leading(broken(), bench.lease, bench.stop)

    run(story())
