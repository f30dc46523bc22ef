"""Programs of the fence-agents family, played by small scripts that keep to their protocol, or do not."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from avance.fencing.agent import FencingError
from avance.fencing.fence_agents import FenceProgram

UUID_A, UUID_B = "4c4c4544-0042-3110-8057-b4c04f4d4631", "4c4c4544-0042-3110-8057-b4c04f4d4632"
SECRET = "s3cret-of-the-bmc"
Make = Callable[..., FenceProgram]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """An agent that runs a shell script; `$here` is the test's directory."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("BMC_TOKEN", "what the operator's own environment holds")

    def agent(script: str, timeout: float = 5.0) -> FenceProgram:
        program = tmp_path / "fence_test"
        program.write_text(f"#!/bin/sh\nhere={tmp_path}\n{script}\n")
        program.chmod(0o755)
        parameters, secrets = {"ip": "10.0.0.7", "plug": "3"}, {"username": "admin", "password": SECRET}
        return FenceProgram(
            "fence_test", parameters, secrets, clock=time.time, system_uuid=UUID_A, request_timeout=timeout
        )

    return agent


@pytest.mark.parametrize(
    ("script", "state"),
    [
        ("echo 'Status: ON'; exit 0", "On"),
        ("echo 'Status: OFF'; exit 2", "Off"),
        ("echo 'warning: old firmware' >&2; echo 'Status: OFF'; exit 2", "Off"),
        ("echo 'Failed: You have to enter fence address' >&2; exit 2", ""),
        ("exit 2", ""),
        ("exit 0", ""),
        ("echo 'Status: OFF'; exit 0", ""),
        ("echo 'Status: ON'; exit 2", ""),
        ("echo 'Status: OFF'; exit 1", ""),
        ("echo 'Status: UNKNOWN'; exit 0", ""),
        ("echo 'the last Status: OFF was long ago'; exit 2", ""),
        ("kill -9 $$", ""),
    ],
)
async def test_a_state_counts_only_if_exit_status_and_output_say_the_same(make: Make, script: str, state: str) -> None:
    reading = await make(script).status()
    assert (reading.state, bool(reading.error)) == (state, not state)
    assert reading.is_off == (state == "Off")
    assert reading.system_uuid == UUID_A
    assert reading.source == "fence_test 10.0.0.7"


async def test_everything_is_said_on_standard_input_and_nothing_else_is_passed_on(make: Make, tmp_path: Path) -> None:
    await make('cat > $here/input; echo "$0 $*" > $here/command; env > $here/environment; exit 0').off(UUID_A)
    said = (tmp_path / "input").read_text().splitlines()
    assert said == ["ip=10.0.0.7", "plug=3", "username=admin", f"password={SECRET}", "action=off"]
    assert (tmp_path / "command").read_text().strip() == f"{tmp_path}/fence_test"
    environment = (tmp_path / "environment").read_text()
    assert SECRET not in environment
    assert "BMC_TOKEN" not in environment


async def test_what_went_wrong_is_told_without_the_password(make: Make) -> None:
    reading = await make(f"echo 'login of admin with {SECRET} refused' >&2; exit 3").status()
    assert "the login was denied: correct the credentials in the Secret" in reading.error
    assert "login of *** with *** refused" in reading.error
    with pytest.raises(FencingError, match="the machine did not go off in time"):
        await make("exit 7").off(UUID_A)


async def test_another_machine_than_the_confirmed_one_is_never_switched(make: Make, tmp_path: Path) -> None:
    agent = make("touch $here/was-run; exit 0")
    for switch in (agent.off, agent.on):
        with pytest.raises(FencingError, match=f"confirmed for the machine {UUID_A}.*{UUID_B}: nothing was sent"):
            await switch(UUID_B)
    with pytest.raises(FencingError, match="systemUUID is unknown"):
        await agent.off("")
    assert not (tmp_path / "was-run").exists()


async def test_a_program_that_is_not_there_is_told(make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    agent = make("exit 0")
    monkeypatch.setenv("PATH", "/nowhere")
    assert "There is no program fence_test here" in (await agent.status()).error


HANGS = """
setsid sh -c 'echo $$ > $here/child.new; mv $here/child.new $here/child; exec sleep 300' &
echo $$ > $here/self
wait
"""


async def test_a_program_that_hangs_is_ended_with_its_children(make: Make, tmp_path: Path) -> None:
    reading = await make(f"export here\n{HANGS}", timeout=1.0).status()
    assert "did not finish within 1 s and was ended" in reading.error
    for name in ("self", "child"):
        await ended(int((tmp_path / name).read_text()))


async def test_what_is_called_off_is_ended_at_once(make: Make, tmp_path: Path) -> None:
    """An order to switch on that was given up must not reach a BMC later."""
    task = asyncio.create_task(make(f"export here\n{HANGS}", timeout=60.0).on(UUID_A))
    async with asyncio.timeout(30):
        while not (tmp_path / "child").exists():
            await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    for name in ("self", "child"):
        await ended(int((tmp_path / name).read_text()))


async def test_a_program_that_leaves_a_child_behind_leaves_none(make: Make, tmp_path: Path) -> None:
    reading = await make(
        "export here\nsetsid sh -c 'echo $$ > $here/child; exec sleep 300' >/dev/null 2>&1 &\n"
        "while [ ! -s $here/child ]; do sleep 0.01; done; echo 'Status: ON'"
    ).status()
    assert reading.state == "On"
    await ended(int((tmp_path / "child").read_text()))


async def ended(pid: int) -> None:
    """Awaits the end of a process; one that is only not yet reaped has ended."""
    async with asyncio.timeout(20):
        while _runs(pid):
            await asyncio.sleep(0.01)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
