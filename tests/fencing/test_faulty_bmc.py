"""What a real BMC does on a bad day: every failure is a sentence that says what to do, and none looks like Off."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

from avance.fencing.agent import FencingError
from e2e.controlplane.processes import free_port
from tests.fencing.bmc import SYSTEM_PATH, FaultyBMC
from tests.fencing.conftest import UUID_A, UUID_B, Agents

ACTION_INFO = "/redfish/v1/ResetActionInfo"  # many BMCs list the reset types there: a request between us and the reset


async def test_powering_off_for_ever_is_not_off(bmc: FaultyBMC, agents: Agents) -> None:
    bmc.after_reset = "PoweringOff"
    agent = agents(bmc.address)
    await agent.off(UUID_A)
    assert bmc.resets == ["ForceOff"]
    for _ in range(3):
        reading = await agent.status()
        assert (reading.state, reading.error) == ("PoweringOff", "")
        assert not reading.is_off


@pytest.mark.parametrize("word", ["off", "OFF", "Off ", "Unknown", "Paused", "PoweringOn"])
async def test_only_the_exact_word_counts(bmc: FaultyBMC, agents: Agents, word: str) -> None:
    bmc.system["PowerState"] = word
    reading = await agents(bmc.address).status()
    assert reading.state == word
    assert not reading.is_off


async def test_off_when_off_sends_nothing(bmc: FaultyBMC, agents: Agents) -> None:
    bmc.system["PowerState"] = "Off"
    await agents(bmc.address).off(UUID_A)
    assert bmc.resets == []


@pytest.mark.parametrize(("status", "tries"), [(400, 1), (409, 1), (500, 2)])
async def test_a_refusal_counts_for_nothing_when_the_host_is_off(
    bmc: FaultyBMC, agents: Agents, status: int, tries: int
) -> None:
    """A BMC that is too busy (5xx) is asked a second time, one that refuses is not."""
    bmc.reset_status, bmc.after_reset = status, "Off"
    await agents(bmc.address).off(UUID_A)
    assert bmc.resets == ["ForceOff"] * tries


@pytest.mark.parametrize("status", [400, 409])
async def test_a_refusal_while_the_host_is_on(bmc: FaultyBMC, agents: Agents, status: int) -> None:
    bmc.reset_status = status
    with pytest.raises(FencingError, match=f"refused the power command in its present state .{status}"):
        await agents(bmc.address).off(UUID_A)


@pytest.mark.parametrize("uuid", [UUID_B, "", None, "00000000-0000-0000-0000-000000000000", "garbage", 7])
async def test_no_command_without_the_expected_uuid(bmc: FaultyBMC, agents: Agents, uuid: Any) -> None:
    bmc.system["UUID"] = uuid
    agent = agents(bmc.address)
    with pytest.raises(FencingError, match="nothing was sent"):
        await agent.off(UUID_A)
    with pytest.raises(FencingError, match="nothing was sent"):
        await agent.on(UUID_A)
    assert bmc.resets == []


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ({"status": 401}, "does not accept the credentials (401): correct username and password in the Secret"),
        ({"status": 403}, "does not accept the credentials (403)"),
        ({"status": 503}, "failed with HTTP 503 (no detail given): wait for it to recover, or reset it"),
        ({"system": "{ this is not JSON"}, "gave an answer that is not proper Redfish"),
        ({"system": "[1, 2]"}, "gave an answer that is not proper Redfish"),
        ({"system": {"Id": "1", "PowerState": None, "UUID": UUID_A}}, "reports the power state None"),
        ({"system": {"Id": "1", "PowerState": 0, "UUID": UUID_A}}, "reports the power state 0"),
        ({"system": {"Id": "1", "UUID": UUID_A}}, "reports the power state None: it may still be starting"),
        ({"systems": []}, "lists 0 systems (none): set systemPath"),
        ({"systems": [SYSTEM_PATH, "/redfish/v1/Systems/2"]}, "lists 2 systems"),
    ],
)
async def test_bad_answers(bmc: FaultyBMC, agents: Agents, fault: dict[str, Any], sentence: str) -> None:
    for attribute, value in fault.items():
        setattr(bmc, attribute, value)
    reading = await agents(bmc.address).status()
    assert sentence in reading.error
    assert bmc.address in reading.error
    assert reading.state == ""
    assert not reading.is_off


async def test_a_host_in_an_unreadable_state_can_still_be_switched_off(bmc: FaultyBMC, agents: Agents) -> None:
    bmc.system["PowerState"] = None
    bmc.after_reset = "Off"
    agent = agents(bmc.address)
    await agent.off(UUID_A)
    assert (await agent.status()).is_off


async def test_a_bmc_that_hangs(bmc: FaultyBMC, agents: Agents) -> None:
    bmc.get_hangs = "/"
    agent = agents(bmc.address, request_timeout=0.3)
    started = time.monotonic()
    assert "did not answer within 0.3 s: check the management network" in (await agent.status()).error
    assert time.monotonic() - started < 2
    with pytest.raises(FencingError, match="did not answer within"):
        await agent.off(UUID_A)
    assert bmc.resets == []


async def test_giving_up_one_request_leaves_the_others_alone(bmc: FaultyBMC, agents: Agents) -> None:
    bmc.get_hangs = "/"
    agent = agents(bmc.address)
    first = asyncio.create_task(agent.status())
    second = asyncio.create_task(agent.status())
    assert await asyncio.to_thread(bmc.hanging.wait, 10)
    bmc.get_hangs = ""
    first.cancel()
    assert (await second).state == "On"
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_the_uuid_is_checked_on_the_very_connection_that_switches(bmc: FaultyBMC, agents: Agents) -> None:
    agent = agents(bmc.address)
    assert (await agent.status()).system_uuid == UUID_A
    bmc.system["UUID"] = UUID_B  # the cables were exchanged since
    with pytest.raises(FencingError, match="nothing was sent"):
        await agent.off(UUID_A)
    assert bmc.resets == []


async def test_a_bmc_that_trickles(bmc: FaultyBMC, agents: Agents) -> None:
    bmc.get_trickles = True
    reading = await agents(bmc.address, request_timeout=0.3).status()
    assert "did not finish its answer within 0.6 s" in reading.error


async def test_a_command_whose_answer_never_comes(bmc: FaultyBMC, agents: Agents) -> None:
    bmc.reset_hangs = True
    agent = agents(bmc.address, request_timeout=0.3)
    with pytest.raises(FencingError, match=r"did not answer within 0.3 s"):
        await agent.off(UUID_A)
    assert bmc.resets == ["ForceOff"]  # one attempt, however it ended
    bmc.after_reset = bmc.system["PowerState"] = "Off"
    assert (await agent.status()).is_off


@pytest.mark.parametrize("path", [SYSTEM_PATH, ACTION_INFO])
async def test_a_cancelled_off_sends_nothing_later(bmc: FaultyBMC, agents: Agents, path: str) -> None:
    bmc.system["Actions"]["#ComputerSystem.Reset"]["@Redfish.ActionInfo"] = ACTION_INFO
    bmc.get_hangs = path
    agent = agents(bmc.address)
    switching = asyncio.create_task(agent.off(UUID_A))
    assert await asyncio.to_thread(bmc.hanging.wait, 10)
    switching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await switching

    stuck = {thread for thread in threading.enumerate() if thread.name.startswith("redfish")}
    bmc.get_hangs = ""
    bmc.release()
    for thread in stuck:
        await asyncio.to_thread(thread.join, 10)
    assert bmc.resets == []
    assert (await agent.status()).state == "On"


async def test_nobody_there(agents: Agents) -> None:
    reading = await agents(f"https://127.0.0.1:{free_port()}", request_timeout=2).status()
    assert "can't be reached" in reading.error
    assert "check its address" in reading.error


async def test_a_status_takes_one_request_once_connected(bmc: FaultyBMC, agents: Agents) -> None:
    agent = agents(bmc.address)
    await agent.status()
    for _ in range(3):
        before = bmc.requests
        await agent.status()
        assert bmc.requests == before + 1


async def test_the_agent_recovers_when_the_bmc_does(bmc: FaultyBMC, agents: Agents) -> None:
    agent = agents(bmc.address)
    bmc.status = 503
    assert (await agent.status()).error
    bmc.status = 200
    assert (await agent.status()).state == "On"


async def test_a_reading_is_dated_before_the_question(bmc: FaultyBMC, agents: Agents) -> None:
    asked: list[int] = []

    def clock() -> float:
        asked.append(bmc.requests)
        return 1234.5

    assert (await agents(bmc.address, clock=clock).status()).observed_at == 1234.5
    assert asked == [0]
