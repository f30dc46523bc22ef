"""What-if: asked of a live pair beforehand, it tells what a real fault then shows."""

import asyncio
import json
import sys
from typing import Any

import pytest

from e2e.tests.operator_lab import Site, fresh_site, one_site_a_session  # noqa: F401
from e2e.tests.operator_records import BACKUP, PRIMARY

pytestmark = pytest.mark.timeout(180)


async def what_if(site: Site, *arguments: str) -> tuple[int, Any]:
    """Exit status and answer, asked as a person asks it."""
    asked = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "avance", "what-if", "--pair", "demo", "-o", "json",
        "--kubeconfig", str(site.lab.control_plane.kubeconfig), *arguments,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    printed, complaint = await asked.communicate()
    return asked.returncode or 0, json.loads(printed) if printed else complaint.decode()


async def test_what_is_told_of_a_power_cut_is_what_a_power_cut_shows(site: Site) -> None:
    for name, tier in (("low", "Low"), ("high", "High"), ("medium", "Medium")):
        await site.apply_vm(name, restartPriority=tier)
    await site.vms_run_on(PRIMARY)
    await site.whole()
    before = await site.actions()

    status, told = await what_if(site, "--power-cut", PRIMARY)
    assert (status, told["survived"], told["blockers"]) == (0, True, [])
    assert await site.actions() == before, "the question has changed something"
    assert {vm["vm"]: (vm["now"], vm["then"]) for vm in told["vms"]} == {
        f"default/{name}": (PRIMARY, BACKUP) for name in ("low", "high", "medium")
    }

    await site.hardware.power_cut(PRIMARY)
    await site.vms_run_on(BACKUP, within=60)
    await site.action("Rejoin", PRIMARY)
    await site.whole()
    done = [action for action in await site.actions() if action.name not in {one.name for one in before}]
    assert _order((one["type"], one["target"].rpartition("/")[2], one["ends"]) for one in told["actions"]) == _order(
        (one.type, one.target, one.obj["status"]["finishedAt"]) for one in done
    )
    assert [one["phase"] for one in told["actions"]] == ["Succeeded"] * len(done)


async def test_what_would_block_a_failover_is_told_beforehand(site: Site) -> None:
    await site.running_vms("web")
    await site.hardware.set_bmc_mode(PRIMARY, "unreachable")
    await site.pair_is("FailoverReady", "False", "reached")
    status, told = await what_if(site, "--crash", PRIMARY)
    assert (status, told["survived"]) == (1, False)
    assert PRIMARY in told["blockers"][0]
    assert told["vms"][0]["runs"] is False


async def test_a_question_that_makes_no_sense_is_answered_in_words(site: Site) -> None:
    status, told = await what_if(site, "--crash", "node-x")
    assert (status, "its nodes are node-a and node-b" in told) == (2, True)
    status, told = await what_if(site, "--crash", PRIMARY, "--namespace", "elsewhere")
    assert (status, "no operator leads in namespace elsewhere" in told["blockers"][0]) == (1, True)
    status, told = await what_if(site, "--crash", PRIMARY, "--kubeconfig", "/nowhere")
    assert (status, "there is no kubeconfig /nowhere" in told) == (3, True)


def _order(actions: Any) -> list[tuple[str, str]]:
    """What was done, in the order in which it ended."""
    return [(kind, target) for kind, target, _ in sorted(actions, key=lambda one: one[2])]
