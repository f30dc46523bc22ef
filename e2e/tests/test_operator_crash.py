"""A server is lost, or seems to be: fence, prove, cold-restart; and never on one opinion alone."""

import pytest

from e2e.tests.operator_lab import Site, fresh_site, one_site_a_session  # noqa: F401
from e2e.tests.operator_records import ACTIONS, BACKUP, PRIMARY, Action, Object

pytestmark = pytest.mark.timeout(180)


async def test_server_crash(site: Site) -> None:
    """Fence, prove, cold-restart every VM on the backup, highest tier first; then it rejoins as the backup."""
    for name, tier in (("low", "Low"), ("high", "High"), ("medium", "Medium")):
        await site.apply_vm(name, restartPriority=tier)
    await site.vms_run_on(PRIMARY)
    closed_at = await site.revision_when(
        "/api/v1/nodes", lambda node: node["metadata"]["name"] == PRIMARY and closed(node)
    )
    fenced_at = await site.revision_when(ACTIONS, powering_off)
    await site.hardware.crash(PRIMARY)
    await site.vms_run_on(BACKUP, within=60)

    assert await closed_at < await fenced_at, "the server was not closed when its power was cut"
    fence = await site.action("Fence", PRIMARY)
    assert names_of(fence) == ["Close", "PowerOff", "ConfirmOff", "Release"]
    assert fence.obj["status"]["evidence"]["systemUUID"] == site.hardware.servers[PRIMARY].uuid
    restarted = [run for run in site.ledger.history() if run["node"] == BACKUP][-3:]
    assert [run["name"] for run in restarted] == ["high", "medium", "low"]
    proved_at = fence.obj["status"]["evidence"]["observedAt"]
    assert all(run["started"] > proved_at[:23] for run in restarted)
    assert [len(site.runs(vm)) for vm in ("high", "medium", "low")] == [2, 2, 2]

    await site.action("Rejoin", PRIMARY)
    await site.whole()
    await site.vms_run_on(BACKUP)
    assert (await site.pvm("high"))["status"]["lastFailover"]["kind"] == "ColdRestart"
    status = (await site.pvm("high"))["status"]
    assert status["downtime"]["unplannedSeconds"] > 0
    told = [(outage["cause"], outage["incident"], outage["until"] > proved_at) for outage in status["outages"]]
    assert told == [("ServerCrash", fence.obj["spec"]["incident"], True)]
    assert await site.actions("Migrate") == []


@pytest.mark.parametrize("victim", [PRIMARY, BACKUP], ids=["source", "target"])
async def test_power_cut_in_the_middle_of_a_migration(site: Site, victim: str) -> None:
    """Forced delete of every launcher pod of that node, those of migrations included; no VM runs twice or never."""
    await site.running_vms("web", "db")
    site.faults.set_migrations("stall")
    await site.hardware.fail_component(PRIMARY, "PowerSupply", "psu1")
    for vm in ("web", "db"):
        await site.action_says("Migrate", vm, "Running")
    await site.hardware.power_cut(victim)
    fence = await site.action("Fence", victim)
    survivor = BACKUP if victim == PRIMARY else PRIMARY
    await site.vms_run_on(survivor)
    assert fence.obj["status"]["evidence"]["kind"] == "PowerOffConfirmed"
    lives = {vm: len({run["vmi_uid"] for run in site.runs(vm)}) for vm in ("web", "db")}
    assert lives == dict.fromkeys(("web", "db"), 2 if victim == PRIMARY else 1)
    site.faults.set_migrations("normal")
    await site.action("Rejoin", victim)


async def test_api_silence_alone_is_not_death(site: Site) -> None:
    """A partition from the API, first of one server, then of both: nothing is fenced, and nothing starts twice even
    when a person force-deletes the launcher pod; healed, nothing is lost.
    """
    await site.running_vms("web", "db")
    await site.hardware.partition(PRIMARY)
    await site.node_is(PRIMARY, state="Suspect")
    await site.pair_is("FailoverReady", "False", f"{BACKUP} still hears it")
    await site.force_delete_pods("web")
    await site.hardware.partition(BACKUP)
    await site.pair_is("FailoverReady", "False", "silent too")
    assert await site.actions("Fence") + await site.actions("ColdRestart") == []
    assert len(site.runs("db")) == 1

    await site.hardware.heal(BACKUP)
    await site.hardware.heal(PRIMARY)
    await site.vms_run_on(PRIMARY, within=60)
    assert len(site.runs("db")) == 1
    assert await site.actions("Fence") == []


async def test_a_server_that_nobody_hears_is_switched_off_before_its_vms_start_elsewhere(site: Site) -> None:
    """It lives on behind two dead networks: the fence ends what it runs, and only then the VMs are restarted."""
    await site.running_vms("web")
    await site.hardware.partition(PRIMARY)
    await site.hardware.cut_private_link()
    await site.vms_run_on(BACKUP, within=60)
    before, after = site.runs("web")
    assert before["ended"] <= after["started"]
    await site.hardware.heal(PRIMARY)
    await site.hardware.restore_private_link()
    await site.action("Rejoin", PRIMARY, within=60)


def names_of(action: Action) -> list[str]:
    """The steps of an action in the order in which they were entered."""
    return [step["name"] for step in sorted(action.steps, key=lambda step: str(step["startedAt"]))]


def closed(node: Object) -> bool:
    """Cordon, taint and the label that every launcher pod selects on."""
    taints = {taint["key"] for taint in node["spec"].get("taints") or ()}
    label = node["metadata"]["labels"].get("kubevirt.io/schedulable")
    return bool(node["spec"].get("unschedulable")) and "avance.dev/closed" in taints and label == "false"


def powering_off(action: Object) -> bool:
    """The step is on record; its effects come after that."""
    return (action.get("status") or {}).get("step") == "PowerOff"
