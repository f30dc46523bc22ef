"""The Redfish agent against a real emulator."""

from __future__ import annotations

import asyncio

import pytest

from avance.core.power import PowerReading
from avance.fencing.agent import FenceAgent, FencingError
from tests.fencing.conftest import UUID_A, UUID_B, Agents

POWER_CHANGE_SECONDS = 20  # the emulator takes up to 11 s, as hardware does
UPPER_A = UUID_A.upper()
SWAPPED_A = "44454c4c-4200-1031-8057-b4c04f4d4631"  # the first three fields in SMBIOS byte order


def system(uuid: str) -> str:
    return f"/redfish/v1/Systems/{uuid}"


async def reads(agent: FenceAgent, state: str) -> PowerReading:
    """Poll until the agent reads `state`, as the fence workflow does."""
    async with asyncio.timeout(POWER_CHANGE_SECONDS):
        while (reading := await agent.status()).state != state:
            await asyncio.sleep(0.1)
    return reading


async def test_off_then_on_is_read_back(emulated_bmc: str, agents: Agents) -> None:
    agent = agents(emulated_bmc, system_path=system(UUID_A))
    reading = await agent.status()
    assert (reading.state, reading.system_uuid, reading.error) == ("On", UUID_A, "")
    assert reading.source == emulated_bmc
    assert not reading.is_off

    await agent.off(UPPER_A)
    assert (await reads(agent, "Off")).is_off
    await agent.off(UUID_A)  # it is off: nothing to do, no error
    await agent.on(SWAPPED_A)
    assert not (await reads(agent, "On")).is_off


async def test_the_wrong_system_is_never_switched(emulated_bmc: str, agents: Agents) -> None:
    agent = agents(emulated_bmc, system_path=system(UUID_B))
    for switch in (agent.off, agent.on):
        with pytest.raises(FencingError, match=f"controls the system {UUID_B}, but .* {UUID_A}: nothing was sent"):
            await switch(UUID_A)
    with pytest.raises(FencingError, match="systemUUID is unknown"):
        await agent.off("")


async def test_several_systems_need_a_path(emulated_bmc: str, agents: Agents) -> None:
    reading = await agents(emulated_bmc).status()
    assert "lists 2 systems" in reading.error
    assert "set systemPath" in reading.error
    assert reading.state == ""


async def test_a_path_that_leads_nowhere(emulated_bmc: str, agents: Agents) -> None:
    reading = await agents(emulated_bmc, system_path=system("no-such-system")).status()
    assert "404" in reading.error
    assert "correct systemPath" in reading.error


async def test_wrong_password(emulated_bmc: str, agents: Agents) -> None:
    agent = agents(emulated_bmc, system_path=system(UUID_B), password="wrong")
    assert "does not accept the credentials (401)" in (await agent.status()).error
    with pytest.raises(FencingError, match="correct username and password in the Secret"):
        await agent.off(UUID_B)


async def test_an_unknown_ca_is_refused_unless_verification_is_off(emulated_bmc: str, agents: Agents) -> None:
    options = {"system_path": system(UUID_B), "ca_bundle": ""}
    reading = await agents(emulated_bmc, **options).status()
    assert "TLS to the BMC" in reading.error
    assert "ca.crt" in reading.error
    assert reading.system_uuid == ""
    assert (await agents(emulated_bmc, verify_tls=False, **options).status()).system_uuid == UUID_B
