"""Serious faults of the backup: rebooted through its BMC, declared down, trusted again by a person.

The private link: split brain, in which nothing moves.
"""

from typing import Any

import pytest

from e2e.tests.operator_lab import Site, fresh_site, one_site_a_session  # noqa: F401
from e2e.tests.operator_records import BACKUP, PRIMARY

pytestmark = pytest.mark.timeout(300)
QUICK: dict[str, Any] = {"minimumFaults": 30, "windowSeconds": 600, "rebootAfterSeconds": 1}


async def test_a_backup_without_its_public_network_is_rebooted_and_serves_again(site: Site) -> None:
    """Public network lost on the backup: reboot it, it may be transient."""
    await site.apply_pair(mtbf=QUICK)
    await site.running_vms("web")
    life = site.hardware.boot_id(BACKUP)
    await site.hardware.fail_component(BACKUP, "PublicNetwork", "bond0")
    await site.action_says("Reboot", BACKUP, "waiting for its kubelet")
    await site.hardware.repair_component(BACKUP, "PublicNetwork", "bond0")
    reboot = await site.action("Reboot", BACKUP)
    assert reboot.obj["status"]["evidence"]["node"] == BACKUP
    assert site.hardware.boot_id(BACKUP) != life
    await site.node_is(BACKUP, state="InService", score=100)
    assert [len(await site.actions(kind)) for kind in ("Migrate", "Fence", "Reboot")] == [0, 0, 1]


async def test_private_link_cut_moves_nothing_and_reboots_the_backup(site: Site) -> None:
    """Split brain: both alive; nothing moves; the backup is rebooted."""
    await site.apply_pair(mtbf=QUICK)
    await site.running_vms("web")
    await site.hardware.cut_private_link()
    await site.pair_is("PrivateLinkHealthy", "False")
    await site.action_says("Reboot", BACKUP, "waiting for its kubelet")
    await site.hardware.restore_private_link()
    await site.action("Reboot", BACKUP)
    await site.pair_is("PrivateLinkHealthy")
    await site.vms_run_on(PRIMARY, "web")
    assert [len(await site.actions(kind)) for kind in ("Migrate", "Fence")] == [0, 0]


async def test_declared_down_survives_a_restart_of_the_operator_and_ends_by_a_reset(site: Site) -> None:
    """Declared down stays so until somebody resets the MTBF, with who and why on record."""
    await site.apply_pair(mtbf={**QUICK, "policy": "Never"})
    await site.running_vms("web")
    await site.hardware.fail_component(BACKUP, "Disk", "sdb")
    await site.node_is(BACKUP, state="DeclaredDown")
    await site.operator("kill")
    await site.hardware.repair_component(BACKUP, "Disk", "sdb")
    await site.operator("start")
    await site.pair_is("Redundant", "False", "is declared down")
    assert len(await site.actions("DeclareDown")) == 1
    assert await site.actions("Rejoin") == []
    await site.ask_for("ResetMTBF", BACKUP, message="the disk was replaced")
    # virt-handler, which was not restarted, says every one to two minutes that the server takes VMs.
    await site.action("Rejoin", BACKUP, within=150)
    await site.node_is(BACKUP, state="InService", score=100)
