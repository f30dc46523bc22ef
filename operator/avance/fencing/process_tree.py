"""Ends a program with everything that it has started, also what has made itself a session of its own.

Killing a process group is not enough: a fence agent starts `ipmitool` or `ssh` on a pseudo-terminal, in another
session. So every program gets a mark in its environment, which its children inherit and cannot lose.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

MARK = "AVANCE_FENCE_RUN"


def new_mark() -> str:
    """The value of `MARK` for one run."""
    return uuid4().hex


def kill_tree(pid: int, mark: str) -> None:
    """SIGKILL the process group of `pid` and whatever carries the mark; what has ended already is no error.

    Several rounds, because a process may have forked while the one before went on, and one that is just being replaced
    by another program shows no environment for a moment.
    """
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    for pause in (0.0, 0.005, 0.01):
        time.sleep(pause)
        for marked in list(_marked(mark)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(marked, signal.SIGKILL)


def _marked(mark: str) -> Iterator[int]:
    wanted = f"{MARK}={mark}".encode()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            environment = (entry / "environ").read_bytes()
        except OSError:
            continue  # somebody else's, or gone
        if wanted in environment.split(b"\0"):
            yield int(entry.name)
