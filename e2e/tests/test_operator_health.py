"""Faults that leave a server alive: who moves, who stays, who calls home.

A rule's answer is on record no later than the status that shows the fault: "nothing moves" is looked at once it does.
"""

import pytest

from e2e.tests.operator_lab import Site, fresh_site, one_site_a_session  # noqa: F401
from e2e.tests.operator_records import BACKUP, PRIMARY

pytestmark = pytest.mark.timeout(120)
VM_NAMES = ("one", "two", "three")
HEALTHY, LESS_A_SUPPLY, LESS_A_FAN = 100, 92, 94


async def test_benign_fault_on_the_primary(site: Site) -> None:
    """Call home; graceful failover: every VM at the same time, each independently; the repair brings nothing back."""
    await site.raise_migration_limits()
    await site.running_vms(*VM_NAMES)
    await site.hardware.fail_component(PRIMARY, "PowerSupply", "psu1")
    await site.vms_run_on(BACKUP)
    call = await site.action("CallHome", PRIMARY)
    message = call.obj["spec"]["message"]
    assert all(word in message for word in ("psu1", "PSU-920W-P", "SN-node-a-psu1")), message
    moves = [await site.action("Migrate", vm) for vm in VM_NAMES]
    assert {move.obj["spec"]["incident"] for move in moves} == {call.obj["spec"]["incident"]}
    begins = [move.obj["status"]["startedAt"] for move in moves]
    ends = [move.obj["status"]["finishedAt"] for move in moves]
    assert max(begins) < min(ends), "they did not move at the same time"
    assert [(await site.pvm(vm))["status"]["lastFailover"]["kind"] for vm in VM_NAMES] == ["Graceful"] * 3
    assert [len({run["vmi_uid"] for run in site.runs(vm)}) for vm in VM_NAMES] == [1, 1, 1], "a VM was restarted"

    await site.hardware.repair_component(PRIMARY, "PowerSupply", "psu1")
    await site.node_is(PRIMARY, state="InService", score=HEALTHY)
    await site.vms_run_on(BACKUP)
    assert len(await site.actions("Migrate")) == 3


async def test_a_condition_that_a_person_sets_counts_like_a_detectors(site: Site) -> None:
    """Conditions of Node status in, migrations and AvanceActions out."""
    await site.running_vms("web")
    await site.set_condition(
        PRIMARY, "FanProblem", "True", "component=fan3 state=failed part=F-1 serial=S-9 detail=dead"
    )
    await site.vms_run_on(BACKUP)
    assert "serial S-9" in (await site.action("CallHome", PRIMARY)).obj["spec"]["message"]
    await site.set_condition(PRIMARY, "FanProblem", "False")
    await site.node_is(PRIMARY, score=HEALTHY)


async def test_benign_fault_on_the_backup_then_an_equal_one_on_the_primary(site: Site) -> None:
    """On the backup: call home, stays in service. Equal faults: the backup is not healthier, nothing moves."""
    await site.running_vms("web")
    await site.hardware.fail_component(BACKUP, "PowerSupply", "psu2")
    await site.action("CallHome", BACKUP)
    await site.node_is(BACKUP, state="Degraded", score=LESS_A_SUPPLY)
    await site.pair_is("FailoverReady")
    await site.hardware.fail_component(PRIMARY, "PowerSupply", "psu1")
    await site.node_is(PRIMARY, state="Degraded", score=LESS_A_SUPPLY)
    await site.hardware.repair_component(BACKUP, "PowerSupply", "psu2")
    await site.hardware.fail_component(BACKUP, "Fan", "fan1")
    await site.node_is(BACKUP, score=LESS_A_FAN)  # healthier, but not by the margin of 5
    assert await site.actions("Migrate") == []
    await site.vms_run_on(PRIMARY)


async def test_private_link_lost(site: Site) -> None:
    """Split brain, both alive: nothing moves, VMs go on running where they are, until the link is back."""
    await site.running_vms("web")
    await site.hardware.cut_private_link()
    await site.pair_is("PrivateLinkHealthy", "False")
    await site.hardware.fail_component(PRIMARY, "PowerSupply", "psu1")
    await site.node_is(PRIMARY, score=LESS_A_SUPPLY)
    assert await site.actions("Migrate") + await site.actions("Fence") == []
    await site.hardware.restore_private_link()
    await site.vms_run_on(BACKUP)
    assert await site.actions("Fence") == []


async def test_nothing_moves_to_a_cordoned_backup(site: Site) -> None:
    """A move only towards a node that is fit: not until a person opens it again."""
    await site.running_vms("web")
    await site.cordon(BACKUP)
    await site.pair_is("FailoverReady", "False", "cordoned")
    await site.hardware.fail_component(PRIMARY, "PowerSupply", "psu1")
    await site.node_is(PRIMARY, score=LESS_A_SUPPLY)
    assert await site.actions("Migrate") == []
    await site.cordon(BACKUP, closed=False)
    await site.vms_run_on(BACKUP)


async def test_a_migration_that_fails_leaves_the_vm_where_it_is_and_is_tried_again(site: Site) -> None:
    """A failed migration is tried again after 5 s here, and after twice as long each time."""
    await site.running_vms("web")
    site.faults.set_migrations("fail")
    await site.hardware.fail_component(PRIMARY, "PowerSupply", "psu1")
    failed = await site.action("Migrate", "web", "Failed")
    assert "stays on node-a" in failed.obj["status"]["result"]
    await site.vms_run_on(PRIMARY)
    site.faults.set_migrations("normal")
    await site.vms_run_on(BACKUP)
    first, second = await site.actions("Migrate", "web")
    assert second.obj["status"]["startedAt"] > first.obj["status"]["finishedAt"]
    assert len(await site.migrations()) == 2
    assert len({run["vmi_uid"] for run in site.runs("web")}) == 1
