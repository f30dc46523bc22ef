"""Starts and ends the background daemon that holds a lab."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from e2e.controlplane import ensure_binaries
from e2e.controlplane.build import REPOSITORY
from e2e.controlplane.processes import end_leftovers
from e2e.lab.lab import LabOptions
from e2e.lab.state import LabError, LabRecord, lab_directory, read_record

_START_LIMIT_S = 180.0
_STOP_LIMIT_S = 30.0
_POLL_S = 0.1


async def up(name: str, options: LabOptions, say: Callable[[str], None]) -> LabRecord:
    """Builds what is missing, starts the daemon and returns when its lab is ready. Raises LabError, BuildError."""
    directory = lab_directory(name)
    previous = read_record(directory)
    if previous is not None and previous.alive:
        raise LabError(f"lab {name} is already up ({previous.phase}), kubeconfig {previous.kubeconfig}")
    await ensure_binaries()
    if previous is not None:
        (directory / "lab.json").unlink()
    directory.mkdir(parents=True, exist_ok=True)
    daemon = _spawn_daemon(name, options, directory / "daemon.log")
    try:
        return await _until_ready(name, daemon, say)
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            daemon.terminate()
        await asyncio.shield(asyncio.to_thread(daemon.wait))
        raise


def _spawn_daemon(name: str, options: LabOptions, log: Path) -> "subprocess.Popen[bytes]":
    """Outlives us, which a child of asyncio would not: its transport kills it when our event loop ends."""
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "e2e.lab.daemon", name, json.dumps(asdict(options))],
            cwd=REPOSITORY, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip


async def _until_ready(name: str, daemon: "subprocess.Popen[bytes]", say: Callable[[str], None]) -> LabRecord:
    directory, phase = lab_directory(name), ""
    deadline = time.monotonic() + _START_LIMIT_S
    while time.monotonic() < deadline:
        record = read_record(directory)
        if record is not None and record.phase != phase:
            phase = record.phase
            say(phase)
        if record is not None and phase == "ready":
            return record
        if daemon.poll() is not None:
            last_words = (directory / "daemon.log").read_text(errors="replace").splitlines()[-15:]
            told = record.error if record is not None and record.error else "\n".join(last_words)
            raise LabError(f"lab {name} did not come up: {told}")
        await asyncio.sleep(_POLL_S)
    raise LabError(f"lab {name} did not come up within {_START_LIMIT_S:g} s: see {directory / 'logs'}")


async def stop(name: str) -> list[str]:
    """Ends a lab, or what a crashed one left behind; returns what had to be ended by force. Raises LabError."""
    directory = lab_directory(name)
    record = read_record(directory)
    if record is None:
        raise LabError(f"there is no lab {name}")
    forced = []
    if record.alive:
        os.kill(record.pid, signal.SIGTERM)
        if not await _gone(record):
            os.kill(record.pid, signal.SIGKILL)
            await _gone(record)
            forced.append("daemon")
    forced += end_leftovers(directory)
    (directory / "socket").unlink(missing_ok=True)
    (directory / "lab.json").unlink(missing_ok=True)
    return forced


async def _gone(record: LabRecord) -> bool:
    deadline = time.monotonic() + _STOP_LIMIT_S
    while record.alive and time.monotonic() < deadline:
        await asyncio.sleep(_POLL_S)
    return not record.alive
