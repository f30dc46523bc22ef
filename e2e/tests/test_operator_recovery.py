"""People's orders about the pair: a pause, a VM without room, a switchover by KubeVirt's rules for migrations."""

from typing import Any

import pytest

from e2e.tests.operator_lab import Site, fresh_site, one_site_a_session  # noqa: F401
from e2e.tests.operator_records import BACKUP, PRIMARY

pytestmark = pytest.mark.timeout(180)

POLICY = "/apis/migrations.kubevirt.io/v1alpha1/migrationpolicies/avance-demo"


async def test_a_pause_wins_over_a_crash(site: Site) -> None:
    """Nothing is begun until somebody ends the pause; what would be done is in the status."""
    await site.running_vms("web")
    await site.apply_pair(pause={"until": "2100-01-01T00:00:00Z", "reason": "new switches"})
    await site.pair_is("Paused", words="until 2100-01-01 00:00:00 UTC: new switches")
    await site.hardware.power_cut(PRIMARY)

    async def told() -> bool:
        return any(told.startswith(f"Fence {PRIMARY}") for told in (await site.pair_status()).get("wouldDo") or ())

    await site.until(told, "status.wouldDo with the fence", 60)
    assert await site.actions("Fence") == []
    await site.apply_pair()
    await site.vms_run_on(BACKUP, within=60)
    await site.action("Rejoin", PRIMARY, within=60)
    assert "wouldDo" not in await site.pair_status()


async def test_a_vm_that_neither_server_can_hold_beside_the_others_is_not_started(site: Site) -> None:
    """N+1: it says by how much, and the others are untouched."""
    await site.running_vms("web")
    await site.apply_vm("big", memory="1000Gi")

    async def refused() -> Any:
        conditions = (await site.pvm("big")).get("status", {}).get("conditions") or ()
        return next((each for each in conditions if each["type"] == "Admitted" and each["status"] == "False"), None)

    told = await site.until(refused, "big not admitted")
    assert "either server must be able to hold every VM alone" in told["message"]
    assert await site.actions("Start", "big") == []
    await site.pair_is("Redundant")
    await site.edit_vm("big", memory="512Mi")
    await site.vms_run_on(PRIMARY)


async def test_a_switchover_moves_every_vm_without_post_copy(site: Site) -> None:
    """All at once, under the pair's own MigrationPolicy."""
    await site.running_vms("web", "db", "mail")
    await site.pair_is("MigrationsReady", "False", "2 of 3 VMs leave a node at a time")
    await site.ask_for("Switchover", BACKUP)
    await site.action("Switchover", BACKUP, within=60)
    await site.vms_run_on(BACKUP)
    assert (await site.api.get(POLICY))["spec"]["allowPostCopy"] is False
    vmi = await site.api.get("/apis/kubevirt.io/v1/namespaces/default/virtualmachineinstances/web")
    settled = vmi["status"]["migrationState"]["migrationConfiguration"]
    assert settled["allowPostCopy"] is False
    assert vmi["status"]["migrationState"]["migrationPolicyName"] == "avance-demo"
    assert len(site.runs("web")) == 2, "a life of it on either server"
    assert len({run["vmi_uid"] for run in site.runs("web")}) == 1
