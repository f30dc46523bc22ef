"""`make demo` from the outside: the whole story, its last line, its exit status, and that nothing is left behind."""

import asyncio
import os
import re
import shutil
import signal
import sys
from collections.abc import Iterator

import pytest

from e2e.controlplane.build import REPOSITORY
from e2e.lab.state import lab_directory, read_record

STEPS = 8


async def start(name: str, *options: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "e2e.demo", "--name", name, *options,
        cwd=REPOSITORY, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip


async def output_of(process: asyncio.subprocess.Process) -> str:
    return (await process.communicate())[0].decode()


@pytest.fixture
def a_shell_in_front() -> Iterator[None]:
    """A job in the background of a script inherits that SIGINT is ignored; somebody who types Ctrl-C never does."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def name() -> Iterator[str]:
    """A lab of this test alone; what an interrupted demo keeps of it on disk goes afterwards."""
    name = f"demo-test-{os.getpid()}"
    yield name
    shutil.rmtree(lab_directory(name), ignore_errors=True)


async def test_the_story_is_told_to_its_good_end_and_leaves_nothing_behind(name: str) -> None:
    demo = await start(name)
    told = await output_of(demo)
    assert told.splitlines()[-1] == f"demo: {STEPS} steps passed, 0 failed", told[-20_000:]
    assert demo.returncode == 0
    assert "\x1b" not in told, "no colours in a pipe"
    assert re.search(r"^power cut to suspicion confirmed .* kept$", told, re.MULTILINE)
    assert not lab_directory(name).exists()


@pytest.mark.usefixtures("a_shell_in_front")
async def test_interrupted_it_ends_the_lab(name: str) -> None:
    demo = await start(name)
    assert demo.stdout is not None
    async for line in demo.stdout:
        if b"control plane" in line:
            break
    record = read_record(lab_directory(name))
    assert record is not None
    assert record.alive
    demo.send_signal(signal.SIGINT)
    await output_of(demo)
    assert demo.returncode == 130
    assert not record.alive


async def test_a_lab_of_somebody_else_is_left_alone(name: str) -> None:
    first = await start(name)
    assert first.stdout is not None
    async for line in first.stdout:
        if b"control plane" in line:
            break
    second = await start(name)
    told = await output_of(second)
    assert second.returncode == 1
    assert f"lab {name} is up already" in told
    assert told.splitlines()[-1] == "demo: 0 steps passed, 1 failed"
    record = read_record(lab_directory(name))
    assert record is not None
    assert record.alive
    first.send_signal(signal.SIGTERM)
    await output_of(first)
    assert not record.alive
