"""The node as a plug-in sees it: programs, files below /sys and /proc, what it remembered, and how long it may take."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from detectors.finding import CantTellError
from detectors.settings import Settings

_LAST_WORDS = 0.5
"""Seconds that a killed program gets to end: one that is stuck in the kernel is left behind."""


@dataclass(frozen=True, slots=True)
class Output:
    """What a program that ended left behind."""

    text: str
    complaint: str
    code: int

    @property
    def said(self) -> str:
        """What it complains of, or else printed, in one line."""
        return " ".join((self.complaint.strip() or self.text).split())[:120] or "nothing"


@dataclass(frozen=True)
class Host:
    """Everything that a look at the node may use."""

    settings: Settings = field(default_factory=Settings)
    root: Path = Path("/")
    """Where sys/ and proc/ are."""
    memory: Path = Path("/run/avance-detectors")
    """A directory that outlives a run, for what is compared from one look to the next."""
    deadline: float = float("inf")
    """By the monotonic clock, seconds: no program runs any longer."""
    clock: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME)
    """Seconds since the node was started."""

    def run(self, *command: str) -> Output:
        """Run a program to its end. Raises CantTellError if it is missing, cannot be run, or is slower than allowed."""
        seconds = max(self.deadline - time.monotonic(), 0.05)
        timeout = None if seconds == float("inf") else seconds
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**os.environ, "LC_ALL": "C"},
                start_new_session=True,
            )
        except FileNotFoundError:
            raise CantTellError(f"{command[0]} is missing: use the avance-detectors image, or put it there") from None
        except OSError as error:
            raise CantTellError(f"{command[0]} cannot be run: {error.strerror}") from None
        try:
            text, complaint = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            _end(process)
            raise CantTellError(
                f"`{' '.join(command)}` did not answer in time: run it on the node to see what it waits for"
            ) from None
        return Output(text.decode(errors="replace"), complaint.decode(errors="replace"), process.returncode)

    def json(self, *command: str) -> Any:
        """What a program prints as JSON, whatever it exits with. Raises CantTellError, for other output too."""
        output = self.run(*command)
        try:
            return json.loads(output.text)
        except ValueError:
            raise CantTellError(f"`{' '.join(command)}` printed no JSON but: {output.said}") from None

    def read(self, path: str) -> str:
        """A small file below /sys or /proc without its last line end. Raises OSError."""
        return (self.root / path).read_text(errors="replace").strip()

    def number(self, path: str) -> int | None:
        """A number in such a file; None if there is no such file, or no number in it."""
        try:
            return int(self.read(path))
        except (OSError, ValueError):
            return None


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill a program and all that it started, and do not wait for what cannot be killed."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_LAST_WORDS)
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()
