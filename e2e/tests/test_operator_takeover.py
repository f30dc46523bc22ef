"""Operators that die, stand by, or lose the API server: what was begun is finished, and nothing is done twice."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import pytest
import pytest_asyncio

from e2e.tests.operator_lab import Site, fresh_site, one_site_a_session  # noqa: F401
from e2e.tests.operator_records import BACKUP, LEASE, PRIMARY
from e2e.tests.server_signals import server_pid

pytestmark = pytest.mark.timeout(240)
LEASE_SECONDS = 6
EXIT_LOST = 3


@pytest.mark.parametrize(
    "steps",
    [
        ("Fence/Close", "Fence/ConfirmOff", "ColdRestart/WaitTurn", "Rejoin/AwaitBoot"),
        ("Fence/PowerOff", "Fence/Release", "ColdRestart/Start"),
    ],
    ids=", ".join,
)
async def test_operator_killed_at_these_steps_of_a_failover(site: Site, steps: tuple[str, ...]) -> None:
    """Killed at any point it is replaced by another that continues from what is recorded; the failover is done once."""
    await site.running_vms("high", restartPriority="High")
    await site.running_vms("low", restartPriority="Low")
    first_epoch = await epoch(site)
    await site.hardware.crash(PRIMARY)
    for action_and_step in steps:
        kind, step = action_and_step.split("/")
        await site.kill_operator_at(kind, step)
        await site.operator("start")
    await site.vms_run_on(BACKUP, within=60)
    await site.action("Rejoin", PRIMARY, within=60)
    await failover_was_done_once(site, "high", "low")
    assert await epoch(site) == first_epoch + len(steps)


async def test_operator_killed_in_the_middle_of_a_graceful_failover(site: Site) -> None:
    """One migration object, one instance: the successor sees the move end."""
    await site.running_vms("web")
    site.faults.set_migrations("stall")
    await site.hardware.fail_component(PRIMARY, "PowerSupply", "psu1")
    killed = await site.kill_operator_at("Migrate", "Copy")
    site.faults.set_migrations("normal")
    await site.operator("start")
    await site.vms_run_on(BACKUP)
    move = await site.action("Migrate", "web")
    assert move.name == killed.name
    assert len(await site.migrations()) == len(await site.actions("Migrate")) == 1
    assert len(await site.actions("CallHome")) == 1
    assert len({run["vmi_uid"] for run in site.runs("web")}) == 1


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


async def test_api_server_stands_still_for_longer_than_the_lease(site: Site) -> None:
    """An operator that can't renew its Lease ends before it expires; what broke meanwhile is dealt with afterwards."""
    site.announce("leadership lost")
    await site.running_vms("web")
    with standing_still(server_pid(site.lab.control_plane, "kube-apiserver")):
        async with asyncio.timeout(LEASE_SECONDS + 2):
            assert await site.lab.operators[1].wait() == EXIT_LOST
        await site.hardware.power_cut(PRIMARY)
    await site.operator("start")
    await site.vms_run_on(BACKUP, within=60)
    await site.action("Rejoin", PRIMARY, within=60)
    await failover_was_done_once(site, "web")


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
