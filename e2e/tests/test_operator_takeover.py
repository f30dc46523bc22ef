"""Operators that die, stand by, or lose the API server: what was begun is finished, and nothing is done twice."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager

import pytest
import pytest_asyncio

from e2e.tests.operator_lab import Site, fresh_site, one_site_a_session  # noqa: F401
from e2e.tests.operator_records import BACKUP, LEASE, PRIMARY
from e2e.tests.server_signals import server_pid

pytestmark = pytest.mark.timeout(240)
LEASE_SECONDS = 6
EXIT_LOST = 3


async def test_standby_operator_finishes_the_fence_of_a_dead_leader(site: Site, standby: int) -> None:
    """One leads by a Lease; its takeover takes about 6 s."""
    await site.running_vms("web", "db")
    assert await site.metric("avance_leader", standby) == 0
    first_epoch = await epoch(site)
    await site.hardware.power_cut(PRIMARY)
    await site.kill_operator_at("Fence", "ConfirmOff")
    killed_at = asyncio.get_running_loop().time()
    await site.until(lambda: _leads(site, standby), "the standby leads", 15)
    takeover = asyncio.get_running_loop().time() - killed_at
    print(f"takeover after {takeover:.1f} s")
    assert takeover < LEASE_SECONDS + 3
    await site.vms_run_on(BACKUP)
    fence = await site.action("Fence", PRIMARY)
    assert fence.obj["status"]["operator"] == f"avance-{standby}"
    assert fence.obj["status"]["epoch"] == first_epoch + 1
    await site.action("Rejoin", PRIMARY, within=60)
    await failover_was_done_once(site, "web", "db")


async def test_api_server_stands_still_in_the_fence_and_in_the_release(site: Site, standby: int) -> None:
    """An operator that can't renew its Lease ends before that expires; whoever leads next finishes the work."""
    await site.running_vms("web", "db")
    await site.hardware.power_cut(PRIMARY)
    for kind, step in (("Fence", "ConfirmOff"), ("ColdRestart", "Release")):
        await site.at_step(kind, step)
        await leader_gives_up(site)
    await site.vms_run_on(BACKUP, within=90)
    await site.action("Rejoin", PRIMARY, within=90)
    await failover_was_done_once(site, "web", "db")


async def test_api_server_stands_still_in_a_migration_and_a_server_dies_meanwhile(site: Site, standby: int) -> None:
    """The silence of both servers is the API's, so nobody is fenced and the move ends as one; what breaks while the
    API server stands still is dealt with afterwards.
    """
    await site.running_vms("web")
    site.faults.set_migrations("stall")
    await site.hardware.fail_component(PRIMARY, "PowerSupply", "psu1")
    await site.at_step("Migrate", "Copy")
    await leader_gives_up(site)
    site.faults.set_migrations("normal")
    await site.vms_run_on(BACKUP, within=90)
    await site.action("Migrate", "web", within=90)
    assert {action.type for action in await site.actions()} == {"Start", "CallHome", "Migrate"}
    assert len(await site.migrations()) == 1
    assert len({run["vmi_uid"] for run in site.runs("web")}) == 1

    await leader_gives_up(site, while_it_lasts=lambda: site.hardware.power_cut(BACKUP))
    await site.vms_run_on(PRIMARY, within=90)
    await site.action("Rejoin", BACKUP, within=90)
    assert len({run["vmi_uid"] for run in site.runs("web")}) == 2


async def test_an_operator_that_is_told_to_stop_in_the_middle_of_its_work_ends_in_order(site: Site) -> None:
    """Its Lease is free at once, its exit status says that all is well, and its log holds no error."""
    for seconds in range(1, 6):
        await site.apply_pair(recovery={"stabilisationSeconds": seconds})
        stopping = site.lab.operators[1]
        await site.operator("stop")
        assert await stopping.wait() == 0
        assert (await site.api.get(LEASE))["spec"]["holderIdentity"] == ""
        await site.operator("start")
        await site.until(lambda: _leads(site, 1), "it leads")


async def leader_gives_up(site: Site, while_it_lasts: Callable[[], Awaitable[None]] | None = None) -> None:
    """The API server stands still until the leader has ended; then it goes on, and the dead one stands by again."""
    site.announce("leadership lost")
    holder = (await site.api.get(LEASE))["spec"]["holderIdentity"]
    leader = int(holder.partition("_")[0].removeprefix("avance-"))
    with standing_still(server_pid(site.lab.control_plane, "kube-apiserver")):
        async with asyncio.timeout(LEASE_SECONDS + 10):
            assert await site.lab.operators[leader].wait() == EXIT_LOST
        if while_it_lasts is not None:
            await while_it_lasts()
    await site.operator("start", leader)


@pytest_asyncio.fixture(loop_scope="session")
async def standby(site: Site) -> AsyncIterator[int]:
    """A second operator, beside the one that leads."""
    await site.operator("start", 2)
    yield 2
    if site.lab.operators[1].pid is None:
        await site.operator("start")
    await site.operator("stop", 2)


@contextmanager
def standing_still(pid: int) -> Iterator[None]:
    """A process does nothing for as long as this lasts."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def epoch(site: Site) -> int:
    """Counts the changes of leadership."""
    return int((await site.api.get(LEASE))["spec"]["leaseTransitions"])


async def failover_was_done_once(site: Site, *vms: str) -> None:
    """One fence, one cold restart and one new instance for each VM, one rejoin; all of them succeeded."""
    await site.whole()
    done = sorted(
        (action.type, action.target, action.phase) for action in await site.actions() if action.type != "Start"
    )
    expected = [*(("ColdRestart", vm, "Succeeded") for vm in vms)]
    expected += [(kind, PRIMARY, "Succeeded") for kind in ("Fence", "Rejoin")]
    assert done == sorted(expected)
    assert [len(site.runs(vm)) for vm in vms] == [2] * len(vms)


async def _leads(site: Site, number: int) -> bool:
    return await site.metric("avance_leader", number) == 1
