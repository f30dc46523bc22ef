"""Evidence that is not the built-in agent's: a person's word, and programs of the fence-agents family."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from e2e.controlplane.processes import free_port
from e2e.hardware.fence_programs import fence_programs
from e2e.tests.operator_lab import Site, fresh_site, one_site_a_session, refused  # noqa: F401
from e2e.tests.operator_records import BACKUP, PRIMARY
from e2e.tests.programs import had

pytestmark = pytest.mark.timeout(240)


async def test_a_persons_word_frees_the_vms_where_no_bmc_can_speak(site: Site) -> None:
    """The BMC is as dead as its server: nothing starts, and that is told, until a person attests what was seen."""
    await site.running_vms("web", "db")
    await site.hardware.set_bmc_mode(PRIMARY, "unreachable")
    await site.hardware.power_cut(PRIMARY)
    await site.action_says("Fence", PRIMARY, "can't be reached", within=60)
    await site.pair_is("FencingClear", "False", "create an AvanceAction AttestOff", within=60)
    assert await site.actions("ColdRestart") == []

    assert await refused(site.ask_for("AttestOff", PRIMARY, message="it is off, believe me"))
    await site.ask_for("AttestOff", PRIMARY, message=f"{PRIMARY} is off: I pulled both plugs")
    await site.vms_run_on(BACKUP, within=60)
    fence = await site.action("Fence", PRIMARY)
    evidence = fence.obj["status"]["evidence"]
    assert (evidence["kind"], evidence["source"]) == ("OperatorAttested", "lab-admin")
    await site.action("AttestOff", PRIMARY)
    assert [len(site.runs(vm)) for vm in ("web", "db")] == [2, 2]

    await site.hardware.set_bmc_mode(PRIMARY, "normal")
    await site.action("Rejoin", PRIMARY, within=90)


async def test_a_persons_word_counts_for_nothing_while_the_server_lives(site: Site) -> None:
    await site.running_vms("web")
    await site.ask_for("AttestOff", PRIMARY, message=f"{PRIMARY} is off, I am sure")
    cancelled = await site.action("AttestOff", PRIMARY, phase="Cancelled")
    assert "it does not count" in cancelled.obj["status"]["result"]
    assert await site.actions("Fence") == []


@pytest.fixture
def programs() -> Path:
    return had(fence_programs)


async def test_fence_redfish_as_the_provider(site: Site, programs: Path) -> None:
    """The whole crash with Debian's program in the built-in agent's place."""
    async with operator_that_finds(site, programs):
        await site.apply_pair(fencing=fencing(site, *(redfish(site, node) for node in (PRIMARY, BACKUP))))
        await site.pair_is("FailoverReady", within=60)
        await site.running_vms("web")
        await site.hardware.crash(PRIMARY)
        await site.vms_run_on(BACKUP, within=90)
        fence = await site.action("Fence", PRIMARY)
        assert fence.obj["status"]["evidence"]["source"].startswith("fence_redfish")
        assert fence.obj["status"]["evidence"]["systemUUID"] == site.hardware.servers[PRIMARY].uuid
        await site.action("Rejoin", PRIMARY, within=90)


async def test_an_ipmi_bmc_fences(site: Site, programs: Path, tmp_path: Path) -> None:
    """fence_ipmilan and ipmitool switch a server whose BMC speaks nothing but IPMI."""
    state, port = tmp_path / "power", free_port()
    state.write_text("on")
    bmc = await asyncio.create_subprocess_exec(sys.executable, "-m", "e2e.hardware.ipmi_bmc", str(port), str(state))
    wiring = asyncio.create_task(wire(site, state))
    try:
        async with operator_that_finds(site, programs):
            await site.apply_pair(fencing=fencing(site, ipmi(site, PRIMARY, port, programs), redfish(site, BACKUP)))
            await site.pair_is("FailoverReady", within=60)
            await site.running_vms("web")
            await site.hardware.crash(PRIMARY)
            await site.vms_run_on(BACKUP, within=90)
            fence = await site.action("Fence", PRIMARY)
            assert fence.obj["status"]["evidence"]["source"].startswith("fence_ipmilan")
            await site.action("Rejoin", PRIMARY, within=90)
    finally:
        wiring.cancel()
        bmc.terminate()
        await bmc.wait()


async def wire(site: Site, state: Path) -> None:
    """What the IPMI BMC switches is the simulated server's power."""
    while True:
        wanted = {"on": "On", "off": "Off"}.get(state.read_text().strip())
        power = str(site.hardware.servers[PRIMARY].power)
        if wanted == "Off" and power == "On":
            await site.hardware.power_cut(PRIMARY)
        elif wanted == "On" and power == "Off":
            await site.hardware.power_on(PRIMARY)
        await asyncio.sleep(0.1)


@asynccontextmanager
async def operator_that_finds(site: Site, programs: Path) -> AsyncIterator[None]:
    """The operator with the programs on its PATH, as in an image that was built with them."""
    before = os.environ["PATH"]
    await site.operator("stop")
    os.environ["PATH"] = f"{programs}:{before}"
    try:
        await site.operator("start")
        yield
        await site.apply_pair()
        await site.operator("stop")
    finally:
        os.environ["PATH"] = before
        await site.operator("start")


def fencing(site: Site, *nodes: dict[str, Any]) -> dict[str, Any]:
    named = [
        {**node, "systemUUID": site.hardware.servers[node["name"]].uuid, "credentialsSecretName": f"bmc-{node['name']}"}
        for node in nodes
    ]
    return {"nodes": named, "requestTimeoutSeconds": 10, "checkIntervalSeconds": 10}


def redfish(site: Site, node: str) -> dict[str, Any]:
    where = urlsplit(site.hardware.bmcs[node].url)
    uri = f"/redfish/v1/Systems/{site.hardware.servers[node].uuid}"
    parameters = {"ip": str(where.hostname), "ipport": str(where.port), "systems_uri": uri, "ssl_secure": "1"}
    return {"name": node, "agent": "fence_redfish", "parameters": parameters}


def ipmi(site: Site, node: str, port: int, programs: Path) -> dict[str, Any]:
    tool = str(programs / "ipmitool")
    parameters = {"ip": "127.0.0.1", "ipport": str(port), "lanplus": "1", "ipmitool_path": tool}
    return {"name": node, "agent": "fence_ipmilan", "parameters": parameters}
