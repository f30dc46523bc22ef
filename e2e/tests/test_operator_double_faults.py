"""More than one thing goes wrong: the second fault comes before the first has been dealt with."""

import pytest

from e2e.hardware import PAIR_NODES
from e2e.tests.operator_lab import Site, fresh_site, one_site_a_session  # noqa: F401
from e2e.tests.operator_records import BACKUP, PRIMARY

pytestmark = pytest.mark.timeout(180)


async def test_both_servers_lose_power_and_get_it_back(site: Site) -> None:
    """Nobody is left to ask, so nothing is fenced; when the servers are back every VM is started once."""
    await site.running_vms("web", "db")
    for node in PAIR_NODES:
        await site.hardware.power_cut(node)
    await site.pair_is("FailoverReady", "False", "silent too")
    for node in PAIR_NODES:
        await site.hardware.power_on(node)
    await site.vms_run_on(PRIMARY, within=60)
    assert [len(site.runs(vm)) for vm in ("web", "db")] == [2, 2]


async def test_server_that_reboots_by_itself_while_its_bmc_refuses(site: Site) -> None:
    """A new boot has ended what ran before: the fence stands down and its VMs are started again, each once."""
    await site.running_vms("web", "db")
    await site.hardware.set_bmc_mode(PRIMARY, "refuse")
    await site.hardware.crash(PRIMARY)
    await site.action_says("Fence", PRIMARY, "cutting its power")
    await site.hardware.power_on(PRIMARY)
    for vm in ("web", "db"):
        await site.action("Restart", vm, within=60)
    await site.action("Fence", PRIMARY, "Cancelled")
    await site.hardware.set_bmc_mode(PRIMARY, "normal")
    await site.whole()
    assert [len(site.runs(vm)) for vm in ("web", "db")] == [2, 2]


async def test_survivor_crashes_while_the_other_server_rejoins(site: Site) -> None:
    """The VMs go back to the first server once that has rejoined, after the second one was fenced."""
    await site.apply_pair(recovery={"stabilisationSeconds": 5})
    await site.running_vms("web")
    await site.hardware.power_cut(PRIMARY)
    await site.action_says("Rejoin", PRIMARY, "watching it")
    await site.vms_run_on(BACKUP)
    await site.hardware.power_cut(BACKUP)
    await site.vms_run_on(PRIMARY, within=60)
    await site.action("Rejoin", BACKUP, within=60)
    assert len(site.runs("web")) == 3


async def test_vm_without_room_on_the_survivor_says_so_and_the_others_start(site: Site) -> None:
    """A pair takes on what one server can hold. Where others took the room, that VM waits and keeps nobody down."""
    await site.running_vms("large", memory="40Gi", restartPriority="High")
    await site.running_vms("local", on=BACKUP, preferredNode=BACKUP)
    await site.running_vms("small")
    await site.apply_vm("further", memory="40Gi")
    await site.vm_says("further", "either server must be able to hold every VM alone")
    await site.remove_vm("further")
    await site.edit_vm("local", memory="40Gi")
    for condition in ("Redundant", "FailoverReady"):
        await site.pair_is(condition, "False", "cannot hold all VMs")

    await site.apply_pair(restart={"readyGateSeconds": 3, "startTimeoutSeconds": 30})
    async with site.stranger(BACKUP, memory="40Gi"):
        await site.hardware.power_cut(PRIMARY)
        await site.vms_run_on(BACKUP, "small", "local")
        await site.action_says("ColdRestart", "large", "Insufficient memory")
        assert [len(site.runs(vm)) for vm in ("further", "large", "local", "small")] == [0, 1, 1, 2]
        await site.remove_vm("large")
        await site.action("Rejoin", PRIMARY)
