"""Crash after crash: the servers take turns to die, every VM is restarted on the other one, exactly once each time."""

import os
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

import pytest
import pytest_asyncio

from e2e.hardware import PAIR_NODES
from e2e.lab import Lab
from e2e.tests.operator_lab import Site, visit
from e2e.tests.operator_records import Action
from e2e.tests.phases import Crash, crash_of, table

LOOPS = int(os.environ.get("AVANCE_CRASH_LOOPS", "20"))
VMS = ("till", "files")
POWER_CUT, KERNEL_DEAD = "power cut", "kernel dead"
KERNEL_DIES_EVERY = 10
"""A server with power whose kernel is dead takes twelve seconds longer to be sure of."""

pytestmark = pytest.mark.timeout(60 + 45 * LOOPS)


@pytest_asyncio.fixture(loop_scope="session")
async def fast_site(fast_lab: Lab) -> AsyncIterator[Site]:
    async with visit(Site(fast_lab)) as site:
        await site.apply_pair(
            recovery={"stabilisationSeconds": 0, "powerOn": "Automatic", "failback": "Never"},
            detection={"peerConfirmationSeconds": 1},
            # Neither a server nor a VM is given up for what the test does to it.
            mtbf={"policy": "Always"},
            restart={"readyGateSeconds": 20, "startTimeoutSeconds": 30, "maxRestarts": 100, "windowSeconds": 60},
        )
        yield site


async def test_crash_and_recover(fast_site: Site, record_property: Callable[[str, object], None]) -> None:
    """No VM is lost, none is started twice, whichever server dies and however."""
    await fast_site.running_vms(*VMS)
    crashes = []
    for loop in range(LOOPS):
        victim, survivor = PAIR_NODES if loop % 2 == 0 else reversed(PAIR_NODES)
        fault = KERNEL_DEAD if (loop + 1) % KERNEL_DIES_EVERY == 0 else POWER_CUT
        crashes.append(await crash_and_recover(fast_site, victim, survivor, fault))
        print(f"{loop + 1}: {fault} {crashes[-1].phases}")
    record_property("table", table(crashes))


async def crash_and_recover(site: Site, victim: str, survivor: str, fault: str) -> Crash:
    """One server dies; returns when it serves again, as the backup."""
    known = {action.name for action in await site.actions()}
    ran = {vm: len(site.runs(vm)) for vm in VMS}
    happened = datetime.now(UTC)
    await (site.hardware.power_cut(victim) if fault == POWER_CUT else site.hardware.crash(victim))
    await site.vms_run_on(survivor, *VMS, within=60)

    async def over() -> list[Action] | None:
        new = [action for action in await site.actions() if action.name not in known]
        rejoined = any(action.type == "Rejoin" and action.phase == "Succeeded" for action in new)
        return new if rejoined and all(action.done for action in new) else None

    new: list[Action] = await site.until(over, f"{victim} has rejoined and nothing is under way", 60)
    found = sorted((action.type, action.target, action.phase) for action in new)
    restarts = [("ColdRestart", vm, "Succeeded") for vm in sorted(VMS)]
    assert found == [*restarts, ("Fence", victim, "Succeeded"), ("Rejoin", victim, "Succeeded")]
    assert site.ledger.violations == [], site.ledger.violation_list()
    latest = [site.runs(vm)[-1] for vm in VMS]
    assert {vm: len(site.runs(vm)) for vm in VMS} == {vm: before + 1 for vm, before in ran.items()}
    assert [(run["node"], run["ended"]) for run in latest] == [(survivor, "")] * len(VMS)
    (fence,), (rejoin,) = ([one for one in new if one.type == kind] for kind in ("Fence", "Rejoin"))
    cold = [one for one in new if one.type == "ColdRestart"]
    return crash_of(fault, happened, fence, cold, [run["started"] for run in latest], rejoin)
