"""Other hands on the servers: `kubectl cordon` and `kubectl drain`, and KubeVirt's own updates of its workloads."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from e2e.tests.operator_lab import Site, fresh_site, one_site_a_session  # noqa: F401
from e2e.tests.operator_records import BACKUP, KUBEVIRT, PRIMARY

pytestmark = pytest.mark.timeout(180)
DRAIN = ("drain", PRIMARY, "--ignore-daemonsets", "--delete-emptydir-data", "--force")
SOON_HOME = {"stabilisationSeconds": 2, "healthyDelaySeconds": 1, "powerOn": "Automatic"}


async def test_a_drained_server_is_somebodys_until_it_is_uncordoned(site: Site) -> None:
    """Its VMs move by our rules; switched off it is not fenced; uncordoned it rejoins, and VMs go home."""
    await site.apply_pair(recovery=SOON_HOME)
    await site.running_vms("web", preferredNode=PRIMARY)
    await site.running_vms("db")
    told = await site.lab.control_plane.kubectl(*DRAIN, "--timeout=90s")
    assert "drained" in told
    await site.vms_run_on(BACKUP)
    moves = [await site.action("Migrate", vm) for vm in ("web", "db")]
    assert {move.obj["spec"]["reason"] for move in moves} == {"EvictionRequested"}

    await site.hardware.power_cut(PRIMARY)
    await site.pair_is("FailoverReady", "False", "hears nothing of it", within=60)
    assert await site.actions("Fence") == []
    await site.hardware.power_on(PRIMARY)
    await site.node_is(PRIMARY, state="Closed", within=60)
    assert await site.actions("Rejoin") == []

    await site.lab.control_plane.kubectl("uncordon", PRIMARY)
    rejoin = await site.action("Rejoin", PRIMARY)
    assert rejoin.obj["spec"]["reason"] == "Uncordoned"
    await site.action("Failback", PRIMARY, within=60)
    await site.vms_run_on(PRIMARY, "web")
    await site.vms_run_on(BACKUP, "db")
    assert await site.actions("Fence") + await site.actions("Restart") == []


async def test_a_drain_that_must_not_be_is_refused_and_explained(site: Site) -> None:
    """The VM stays up, the drainer sees why, and as soon as it may move the drain goes through."""
    await site.running_vms("web")
    await site.hardware.cut_private_link()
    await site.pair_is("PrivateLinkHealthy", "False")
    drain = asyncio.create_task(site.lab.control_plane.kubectl(*DRAIN, "--timeout=120s"))
    await site.vm_says("web", "stays there for now: the private link is down")
    await site.until(lambda: _told(site, PRIMARY), "the node's Events tell")
    assert await site.actions("Migrate") == []
    await site.vms_run_on(PRIMARY)
    await site.hardware.restore_private_link()
    assert "drained" in await drain
    await site.vms_run_on(BACKUP)
    await site.lab.control_plane.kubectl("uncordon", PRIMARY)
    await site.action("Rejoin", PRIMARY)


async def test_workload_updates_of_kubevirt_and_our_moves_wait_for_each_other(site: Site) -> None:
    """Never two migrations of one VM; what KubeVirt moves by itself is no action of ours."""
    await site.running_vms("web")
    site.faults.set_migrations("stall")
    async with _kubevirt_moves_what_is_outdated(site):
        site.faults.upgrade_kubevirt("kubevirt.invalid/virt-launcher:next")
        await site.until(lambda: _updates(site, "Running"), "KubeVirt moves it")
        await site.ask_for("Migrate", "web")
        await site.action_says("Migrate", "web", "by KubeVirt's workload update to end")
        assert len(await site.migrations()) == 1
        site.faults.set_migrations("normal")
        await site.vms_run_on(BACKUP)
        await site.action("Migrate", "web")
        assert len(await site.migrations()) == 1, "ours was not needed any more"
    assert len({run["vmi_uid"] for run in site.runs("web")}) == 1
    assert [action.type for action in await site.actions() if action.target == "web"] == ["Start", "Migrate"]


async def test_an_eviction_by_an_upgrade_becomes_a_move(site: Site) -> None:
    """Workload updates by method Evict evict what KubeVirt does not migrate: the same as anybody's eviction."""
    await site.running_vms("web")
    async with _kubevirt_moves_what_is_outdated(site, "Evict"):
        site.faults.upgrade_kubevirt("kubevirt.invalid/virt-launcher:later")
        move = await site.action("Migrate", "web")
        assert move.obj["spec"]["reason"] == "EvictionRequested"
        await site.vms_run_on(BACKUP)
    assert len({run["vmi_uid"] for run in site.runs("web")}) == 1


@asynccontextmanager
async def _kubevirt_moves_what_is_outdated(site: Site, method: str = "LiveMigrate") -> AsyncIterator[None]:
    await site.api.patch(KUBEVIRT, {"spec": {"workloadUpdateStrategy": {"workloadUpdateMethods": [method]}}})
    try:
        yield
    finally:
        await site.api.patch(KUBEVIRT, {"spec": {"workloadUpdateStrategy": None}})


async def _updates(site: Site, phase: str) -> bool:
    found = [
        each for each in await site.migrations() if each["metadata"]["name"].startswith("kubevirt-workload-update")
    ]
    return any((each.get("status") or {}).get("phase") == phase for each in found)


async def _told(site: Site, node: str) -> bool:
    return "NotEvacuable" in await site.events(node)
