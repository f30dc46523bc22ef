"""Rolling upgrades: by a person's word, by what the servers report, aborted, and with operators that die on the way."""

import pytest

from e2e.tests.operator_lab import Site, fresh_site, one_site_a_session  # noqa: F401
from e2e.tests.operator_records import ACTIONS, BACKUP, PRIMARY

pytestmark = pytest.mark.timeout(300)


async def test_the_whole_upgrade_by_a_persons_word_though_operators_die(site: Site) -> None:
    """The backup first, then the roles are switched and the other one follows; no VM is ever restarted."""
    await site.running_vms("web", "db")
    await _ask(site, "RollingUpgrade", message="new kernels")
    await site.kill_operator_at("EnterMaintenance", "Close")
    await site.operator("start")
    await _says(site, f"avance upgrade done {BACKUP}")
    await site.vms_run_on(PRIMARY, "web", "db")
    await site.hardware.power_cut(BACKUP)
    await site.hardware.power_on(BACKUP)
    await site.ask_for("LeaveMaintenance", BACKUP)
    await site.kill_operator_at("LeaveMaintenance", "Stabilise")
    await site.operator("start")
    await _says(site, f"avance upgrade done {PRIMARY}")
    await site.vms_run_on(BACKUP, "web", "db")
    assert {action.phase for action in await site.actions("LeaveMaintenance", BACKUP)} == {"Succeeded"}
    await site.operator("kill")
    await site.ask_for("LeaveMaintenance", PRIMARY)
    await site.operator("start")
    await site.action("RollingUpgrade", "demo", within=90)
    await site.whole()
    assert await site.actions("Fence") + await site.actions("Restart") + await site.actions("ColdRestart") == []
    assert [action.target for action in await site.actions("EnterMaintenance")] == [BACKUP, PRIMARY]
    assert [len({run["vmi_uid"] for run in site.runs(vm)}) for vm in ("web", "db")] == [1, 1]


async def test_each_server_is_taken_back_when_it_reports_another_version(site: Site) -> None:
    """No person in between: a node that is Ready with another kubelet than before is done."""
    await site.running_vms("web")
    try:
        await _ask(site, "RollingUpgrade", message="kubelet 1.37", upgrade={"versions": {"kubeletVersion": "*"}})
        for node in (BACKUP, PRIMARY):
            await _says(site, f"avance upgrade done {node}")
            site.hardware.install_kubelet(node, "v1.37.0")
            await site.hardware.power_cut(node)
            await site.hardware.power_on(node)
        await site.action("RollingUpgrade", "demo", within=90)
        await site.vms_run_on(BACKUP, "web")
        words = [action.obj["spec"]["message"] for action in await site.actions("LeaveMaintenance")]
        assert all("reports kubeletVersion v1.37.0" in message for message in words)
        assert await site.actions("Fence") == []
    finally:
        for node in (BACKUP, PRIMARY):
            site.hardware.install_kubelet(node)


async def test_paused_resumed_and_aborted_it_leaves_nothing_closed(site: Site) -> None:
    """Whatever it has taken out of service it gives back, and the other server is not touched."""
    await site.running_vms("web")
    await _ask(site, "RollingUpgrade", message="new firmware")
    await _says(site, f"avance upgrade done {BACKUP}")
    await _ask(site, "PauseUpgrade", message="the image is bad")
    await _says(site, "paused by lab-admin (the image is bad)")
    await _ask(site, "ResumeUpgrade")
    await _says(site, f"avance upgrade done {BACKUP}")
    await site.hardware.power_cut(BACKUP)
    await _ask(site, "AbortUpgrade", message="no time left today")
    await _says(site, f"aborting: {BACKUP} is taken back")
    await site.hardware.power_on(BACKUP)
    ended = await site.action("RollingUpgrade", "demo", "Cancelled", within=60)
    assert "no server is left out of service" in ended.obj["status"]["result"]
    await site.whole()
    assert await site.actions("EnterMaintenance", PRIMARY) == []
    await site.vms_run_on(PRIMARY, "web")


async def test_it_is_refused_while_the_pair_is_not_whole(site: Site) -> None:
    """With what to do instead."""
    await site.cordon(PRIMARY)
    await site.pair_is("Redundant", "False", "cordoned")
    await _ask(site, "RollingUpgrade", message="new kernels")
    refused = await site.action("RollingUpgrade", "demo", "Cancelled")
    assert refused.obj["status"]["result"] == "not begun: node-a is cordoned; ask again when the pair is whole"
    await site.cordon(PRIMARY, closed=False)


async def _ask(site: Site, kind: str, **spec: object) -> None:
    body = {
        "pairRef": {"name": "demo"},
        "type": kind,
        "target": {"kind": "AvancePair", "name": "demo"},
        "requestedBy": "lab-admin",
        **spec,
    }
    made = {"apiVersion": "avance.dev/v1alpha1", "kind": "AvanceAction", "metadata": {"generateName": "my-"}}
    await site.api.post(ACTIONS, {**made, "spec": body})


async def _says(site: Site, words: str) -> None:
    await site.action_says("RollingUpgrade", "demo", words, within=60)
