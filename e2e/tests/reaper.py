"""Kills operators where it hurts most: when a deed of theirs is on its way, and when it has been done but they do not
know it yet.

Every deed that an operator begins is met twice, once in each way, by SIGKILL to the process that sent it: the network
has seen the request, the process is gone. Others stand by, one takes over, and the dead one is started again to stand
by in its turn.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from enum import StrEnum
from functools import partial
from pathlib import Path

from e2e.controlplane import ApiError
from e2e.controlplane.kubeconfig import cluster_of, service_account_token, write_kubeconfig
from e2e.controlplane.processes import ServerCrashed
from e2e.lab.install import NAMESPACE, SERVICE_ACCOUNT
from e2e.lab.operator_process import OperatorProcess
from e2e.lab.wire import Answer, Deliver, Tap, Wire, Write
from e2e.tests.deeds import deed_of, is_record
from e2e.tests.operator_lab import Site
from e2e.tests.operator_records import LEASE

REPLICAS = (1, 2, 3)
"""One leads, one takes over, one is just being started."""


class Moment(StrEnum):
    BEFORE = "before"
    """The server has not heard of it."""
    AFTER = "after"
    """It is done, and the answer never arrives."""


class Reaper:
    """Taps the wires of all replicas and of the BMCs, and kills while `armed`.

    `met` is what has been met so far, in order. That a line in the log does not arrive leaves the world as it was after
    the deed before it, so these are met afterwards only.
    """

    def __init__(self, site: Site) -> None:
        self.armed = False
        self.met: list[tuple[str, Moment]] = []
        self._site = site
        self._dead: set[int] = set()
        self._one_at_a_time = asyncio.Lock()
        self._up = {number: asyncio.Event() for number in REPLICAS}

    def deeds(self, moment: Moment) -> set[str]:
        """Those that were met in this way."""
        return {deed for deed, when in self.met if when is moment}

    async def meet(self, write: Write, deliver: Deliver, sender: int | None = None) -> Answer | None:
        """The tap. A BMC does not know who asks: that is the leader."""
        deed = deed_of(write)
        if not deed or not self.armed:
            return await deliver()
        async with self._one_at_a_time:
            number = await self._leader() if sender is None else sender
            return await self._meet(number, deed, deliver)

    async def _meet(self, number: int, deed: str, deliver: Deliver) -> Answer | None:
        pid = self._site.lab.operators[number].pid
        if self._is_due(deed, Moment.BEFORE) and not is_record(deed) and pid not in self._dead:
            self._kill(number, pid, deed, Moment.BEFORE)
        if pid in self._dead:
            return None
        answer = await deliver()
        if answer.status < 300 and self._is_due(deed, Moment.AFTER) and pid not in self._dead:
            self._kill(number, pid, deed, Moment.AFTER)
            return None
        return answer

    async def replicas_are_up(self) -> None:
        """Whoever was killed serves again."""
        await asyncio.gather(*(up.wait() for up in self._up.values()))

    async def keep_up(self, number: int) -> None:
        """Starts a replica again whenever it has ended, for ever; as a kubelet would."""
        replica = self._site.lab.operators[number]
        while True:
            try:
                await replica.start()
            except ServerCrashed as error:
                print(error)
                continue
            self._up[number].set()
            await replica.wait()
            self._up[number].clear()
            await self._give_up_lease_of(number)

    def _is_due(self, deed: str, moment: Moment) -> bool:
        return (deed, moment) not in self.met

    def _kill(self, number: int, pid: int | None, deed: str, moment: Moment) -> None:
        if pid is None:
            return
        os.kill(pid, signal.SIGKILL)
        self._dead.add(pid)
        self.met.append((deed, moment))
        print(f"operator {number} killed {moment} {deed}")
        self._up[number].clear()

    async def _leader(self) -> int:
        holder = (await self._site.api.get(LEASE))["spec"]["holderIdentity"]
        return int(holder.partition("_")[0].removeprefix("avance-"))

    async def _give_up_lease_of(self, number: int) -> None:
        """It is known to be dead, so nobody needs to wait for its Lease to run out; that is another test's business."""
        lease = await self._site.api.get(LEASE)
        if lease["spec"]["holderIdentity"].startswith(f"avance-{number}_"):
            lease["spec"]["holderIdentity"] = ""
            with suppress(ApiError):  # taken over meanwhile
                await self._site.api.put(LEASE, lease)


@asynccontextmanager
async def reaper_at(site: Site) -> AsyncIterator[Reaper]:
    """Replicas behind tapped wires in the place of the site's operator, which is there again afterwards."""
    reaper, lab = Reaper(site), site.lab
    keepers: list[asyncio.Task[None]] = []
    # Its renewals pass through the wire too, so a machine that is busy may hold one up for too long.
    site.announce("leadership lost")
    await site.operator("stop")
    async with AsyncExitStack() as wires:
        try:
            for number in REPLICAS:
                tap = partial(reaper.meet, sender=number)
                wire = await wires.enter_async_context(_tapped(site, f"operator-{number}", lab.control_plane.url, tap))
                kubeconfig = await _through(wire, site, number)
                lab.operators[number] = OperatorProcess(number, kubeconfig, lab.control_plane.processes)
            keepers = [asyncio.create_task(reaper.keep_up(number)) for number in REPLICAS]
            await reaper.replicas_are_up()
            addresses = {
                node: (await wires.enter_async_context(_tapped(site, f"bmc-{node}", bmc.url, reaper.meet))).url
                for node, bmc in site.hardware.bmcs.items()
            }
            await site.apply_pair(bmc_addresses=addresses)
            await site.whole()
            yield reaper
        finally:
            reaper.armed = False
            await reaper.replicas_are_up()
            await site.apply_pair()
            for keeper in keepers:
                keeper.cancel()
            await asyncio.gather(*(lab.operators[number].stop() for number in REPLICAS))
    await site.operator("start")


@asynccontextmanager
async def _tapped(site: Site, name: str, upstream: str, tap: Tap) -> AsyncIterator[Wire]:
    wire = Wire(name, upstream, site.lab.control_plane.ca, tap)
    await wire.start()
    try:
        yield wire
    finally:
        await wire.stop()


async def _through(wire: Wire, site: Site, number: int) -> Path:
    """The kubeconfig of the operators' ServiceAccount that leads through a wire."""
    plane = site.lab.control_plane
    credentials = await service_account_token(plane.api, NAMESPACE, SERVICE_ACCOUNT)
    cluster = cluster_of(plane.kubeconfig) | {"server": wire.url}
    return write_kubeconfig(plane.state_dir / f"operator-{number}.kubeconfig", cluster, SERVICE_ACCOUNT, credentials)
