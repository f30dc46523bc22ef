"""The operator killed with SIGKILL at every boundary of what it does, and continued by another.

Everything that it does or records is met twice: killed with the request on its way, killed with the answer on its way.
Whatever died, every VM ends up running once, and nothing is done twice that may be done once only.
"""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from e2e.hardware import HardwareEvent, NodeBooted
from e2e.tests.operator_lab import Site, fresh_site, one_site_a_session  # noqa: F401
from e2e.tests.operator_records import BACKUP, PRIMARY
from e2e.tests.reaper import Moment, Reaper, reaper_at

pytestmark = pytest.mark.timeout(300)
WITHIN_S = 150.0

COLD_RESTART = {
    *("CloseNode", "PowerOff", "MarkOutOfService", "DeletePod"),
    *("ApplyVm", "StartVm"),
    *("PowerOn", "ClearOutOfService", "OpenNode"),
}
GRACEFUL_FAILOVER = {"CreateMigration"}


@pytest_asyncio.fixture(loop_scope="session")
async def reaper(site: Site) -> AsyncIterator[Reaper]:
    """Several operators, none of which lives long."""
    async with reaper_at(site) as reaper:
        yield reaper


async def test_cold_restart(site: Site, reaper: Reaper) -> None:
    """Fence, release, restarts by tier, rejoin: one server is switched off and on once, each VM is started once."""
    await site.running_vms("high", restartPriority="High")
    await site.running_vms("low", restartPriority="Low")
    boots: list[HardwareEvent] = []
    site.hardware.subscribe(boots.append)
    reaper.armed = True
    await site.hardware.crash(PRIMARY)
    await site.action("Rejoin", PRIMARY, within=WITHIN_S)
    await site.vms_run_on(BACKUP, within=WITHIN_S)
    reaper.armed = False
    await reaper.replicas_are_up()

    for moment in Moment:
        assert reaper.deeds(moment) >= COLD_RESTART
    await site.whole()
    ended = sorted((one.type, one.target, one.phase) for one in await site.actions() if one.type != "Start")
    restarts = [("ColdRestart", vm, "Succeeded") for vm in ("high", "low")]
    assert ended == [*restarts, ("Fence", PRIMARY, "Succeeded"), ("Rejoin", PRIMARY, "Succeeded")]
    assert [len(site.runs(vm)) for vm in ("high", "low")] == [2, 2]
    assert [event.node for event in boots if isinstance(event, NodeBooted)] == [PRIMARY]


async def test_graceful_failover(site: Site, reaper: Reaper) -> None:
    """One report, one migration a VM; the guests run on."""
    await site.running_vms("web", "db")
    reaper.armed = True
    await site.hardware.fail_component(PRIMARY, "PowerSupply", "psu1")
    await site.vms_run_on(BACKUP, within=WITHIN_S)
    for vm in ("web", "db"):
        await site.action("Migrate", vm, within=WITHIN_S)
    reaper.armed = False
    await reaper.replicas_are_up()

    for moment in Moment:
        assert reaper.deeds(moment) >= GRACEFUL_FAILOVER
    ended = sorted((one.type, one.target, one.phase) for one in await site.actions() if one.type != "Start")
    assert ended == [
        ("CallHome", PRIMARY, "Succeeded"), ("Migrate", "db", "Succeeded"), ("Migrate", "web", "Succeeded"),
    ]  # fmt: skip
    assert len(await site.migrations()) == 2
    assert [len({run["vmi_uid"] for run in site.runs(vm)}) for vm in ("web", "db")] == [1, 1]
