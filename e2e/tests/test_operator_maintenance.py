"""Planned work on a server: it is emptied, a person's for as long as they like, and given back."""

import asyncio
import re
import shlex
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from e2e.tests.operator_lab import Site, fresh_site, one_site_a_session  # noqa: F401
from e2e.tests.operator_records import BACKUP, PRIMARY

pytestmark = pytest.mark.timeout(420)

SOON_HOME = {"stabilisationSeconds": 2, "healthyDelaySeconds": 1, "powerOn": "Automatic"}
WHY = "a new power supply"
LABEL_S = 150.0
"""virt-handler sets the label that a closed node has lost with its heartbeat, once a minute."""
DOCS = Path(__file__).parents[2] / "docs" / "operations.md"


@asynccontextmanager
async def given_back(site: Site, node: str) -> AsyncIterator[None]:
    """Whatever happens: no test shall leave a server to a person."""
    try:
        yield
    finally:
        if any(each.get("maintenance") for each in (await site.pair_status())["nodes"] if each["name"] == node):
            if not site.hardware.alive(node):
                await site.hardware.power_on(node)
            await site.ask_for("LeaveMaintenance", node)


async def test_a_server_is_emptied_switched_off_and_on_and_given_back(site: Site) -> None:
    """The operator is killed on the way, and again while the server is off; nothing is fenced, no VM is down."""
    await site.apply_pair(recovery=SOON_HOME)
    await site.running_vms("web", preferredNode=PRIMARY)
    await site.running_vms("db")
    async with given_back(site, PRIMARY):
        killed = asyncio.create_task(site.kill_operator_at("EnterMaintenance", "HandOver"))
        await site.ask_for("EnterMaintenance", PRIMARY, message=WHY)
        await killed
        await site.operator("start")
        entered = await site.action("EnterMaintenance", PRIMARY, within=90)
        assert [step["name"] for step in entered.steps][-1] == "Hold"
        await site.vms_run_on(BACKUP)
        await site.node_is(PRIMARY, state="Maintenance")
        message = await site.pair_is("Redundant", "False", f"{PRIMARY} is in maintenance since")
        assert f"by lab-admin, until a LeaveMaintenance: {WHY}" in message
        [told] = [each for each in (await site.pair_status())["nodes"] if each["name"] == PRIMARY]
        assert (told["maintenance"]["by"], told["maintenance"]["empty"]) == ("lab-admin", True)

        await site.hardware.power_cut(PRIMARY)
        await site.operator("kill")
        await site.operator("start")
        await _held_to_be_gone(site, PRIMARY)
        refused = await site.ask_for("Reboot", PRIMARY)
        await site.action("Reboot", PRIMARY, "Cancelled")
        await site.ask_for("LeaveMaintenance", PRIMARY)
        await site.action_says("LeaveMaintenance", PRIMARY, f"{PRIMARY} is off: switch it on", within=60)
        assert not site.hardware.alive(PRIMARY)
        await site.hardware.power_on(PRIMARY)
        await site.action("LeaveMaintenance", PRIMARY, within=90)
    await site.whole(LABEL_S)
    await site.action("Failback", PRIMARY, within=60)
    await site.vms_run_on(PRIMARY, "web")
    await site.vms_run_on(BACKUP, "db")
    done = {action.type for action in await site.actions() if action.name != refused}
    assert not done & {"Fence", "Reboot", "Rejoin", "DeclareDown", "CallHome", "ColdRestart", "Restart"}
    assert all(len({run["vmi_uid"] for run in site.runs(vm)}) == 1 for vm in ("web", "db")), "nobody booted anew"


async def test_what_does_not_move_keeps_its_server_in_service(site: Site) -> None:
    """It is said which VM it was and why; the other one has moved; and two servers are never taken at once."""
    await site.running_vms("web")
    site.faults.set_migrations("fail")
    await site.ask_for("EnterMaintenance", PRIMARY, message=WHY)
    failed = await site.action("EnterMaintenance", PRIMARY, "Failed", within=120)
    assert "default/web could not be moved, tried 3 times" in failed.obj["status"]["result"]
    assert len(await site.actions("Migrate", "web")) == 3
    await site.vms_run_on(PRIMARY)
    await site.whole(LABEL_S)

    site.faults.set_migrations("normal")
    async with given_back(site, BACKUP):
        await site.ask_for("EnterMaintenance", BACKUP, message=WHY)
        await site.action("EnterMaintenance", BACKUP, within=60)
        await site.ask_for("EnterMaintenance", PRIMARY, message=WHY)
        refused = await site.action("EnterMaintenance", PRIMARY, "Cancelled")
        assert f"{BACKUP} is in maintenance since" in refused.obj["status"]["result"]
        await site.vms_run_on(PRIMARY)
        await site.ask_for("LeaveMaintenance", BACKUP)
        await site.action("LeaveMaintenance", BACKUP, within=LABEL_S)
    await site.whole(LABEL_S)


async def test_the_how_to_as_it_is_typed(site: Site) -> None:
    await site.running_vms("web")
    typed = [
        line[2:]
        for line in DOCS.read_text().splitlines()
        if re.match(r"\$ avance (maintenance|status|explain) ?", line)
    ]
    assert typed[0].startswith("avance maintenance enter")
    async with given_back(site, PRIMARY):
        for command in typed:
            status, printed = await _run(site, command.replace("node-a", PRIMARY))
            assert status == 0 or command == "avance status", printed
            if command == "avance status":
                assert f"{PRIMARY} is in maintenance since" in printed
    await site.whole(LABEL_S)
    await site.vms_run_on(BACKUP, "web")


async def _held_to_be_gone(site: Site, node: str) -> None:
    """Awaits that Kubernetes gives it up, long after avance would have fenced any other."""

    async def given_up() -> bool:
        conditions = (await site.node(node))["status"]["conditions"]
        return any(each["type"] == "Ready" and each["status"] == "Unknown" for each in conditions)

    await site.until(given_up, f"{node} not Ready", 120)


async def _run(site: Site, command: str) -> tuple[int, str]:
    """Exit status, and all that was said."""
    kubeconfig = str(site.lab.control_plane.kubeconfig)
    words = [sys.executable, "-m", *shlex.split(command), "--kubeconfig", kubeconfig]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*words, stdout=pipe, stderr=asyncio.subprocess.STDOUT)
    printed, _ = await process.communicate()
    return process.returncode or 0, printed.decode()
