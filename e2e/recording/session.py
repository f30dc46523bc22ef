"""Types commands into a pseudo-terminal and keeps what they print, with its colours."""

from __future__ import annotations

import asyncio
import os
import pty
import sys
import termios
import time
from dataclasses import dataclass
from pathlib import Path

ROWS, COLUMNS = 40, 118
ENDED = 5  # EIO: how Linux says that nobody has the other end of a pseudo-terminal open any more


@dataclass(frozen=True)
class Scene:
    """One command, or one thing that happened."""

    at: float
    """Seconds since the session began."""
    remark: str
    """What a person would say about it; may be empty."""
    typed: str
    printed: str
    """With the escape sequences that a terminal obeys."""


class Session:
    """What was typed so far, in order."""

    def __init__(self, kubeconfig: Path) -> None:
        self._environment = {**os.environ, "KUBECONFIG": str(kubeconfig), "TERM": "xterm-256color"}
        self._environment.pop("NO_COLOR", None)
        self._began = time.monotonic()
        self.scenes: list[Scene] = []

    async def avance(self, arguments: str, remark: str = "") -> str:
        """Runs `avance` with these arguments; what it prints. Its exit status is part of no picture."""
        at, printed = self._elapsed(), await self._run(sys.executable, "-m", "avance", *arguments.split())
        self.scenes.append(Scene(at, remark, f"avance {arguments}", printed))
        return printed

    def happened(self, typed: str, remark: str) -> None:
        """What was done to the lab by other means than this terminal, as its own command would have done it."""
        self.scenes.append(Scene(self._elapsed(), remark, typed, ""))

    def _elapsed(self) -> float:
        return time.monotonic() - self._began

    async def _run(self, *command: str) -> str:
        master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (ROWS, COLUMNS))
        process = await asyncio.create_subprocess_exec(
            *command, env=self._environment, stdin=asyncio.subprocess.DEVNULL, stdout=slave, stderr=slave
        )
        os.close(slave)
        try:
            printed = await asyncio.to_thread(_everything, master)
        finally:
            os.close(master)
            await process.wait()
        return printed.replace("\r\n", "\n")


def _everything(terminal: int) -> str:
    """Until nobody writes to it any more."""
    pieces = []
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError as error:
            if error.errno != ENDED:
                raise
            break
        if not piece:
            break
        pieces.append(piece)
    return b"".join(pieces).decode(errors="replace")
