"""A node for plug-ins to look at: programs on the PATH that print recorded output, and files below /sys and /proc."""

from __future__ import annotations

import shutil
import stat
import time
from dataclasses import dataclass, field
from pathlib import Path

from detectors.finding import Finding
from detectors.host import Host
from detectors.plugin import look
from detectors.settings import Settings

RECORDED = Path(__file__).parent / "recorded"


@dataclass
class Node:
    """`programs` is all that is on the PATH."""

    directory: Path
    settings: Settings = field(default_factory=Settings)
    uptime: float = 1_000_000.0
    budget: float = 10.0

    @property
    def programs(self) -> Path:
        return self.directory / "bin"

    @property
    def root(self) -> Path:
        return self.directory / "root"

    def host(self) -> Host:
        return Host(
            self.settings,
            root=self.root,
            memory=self.directory / "memory",
            deadline=time.monotonic() + self.budget,
            clock=lambda: self.uptime,
        )

    def look(self, condition: str) -> Finding:
        return look(condition, self.host())

    def write(self, path: str, content: str | int = "") -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{content}\n")

    def program(self, name: str, *answers: tuple[str, str], code: int = 0) -> None:
        """A program that prints a recorded file for each pattern of its arguments; for no other ones."""
        cases = "".join(
            f'{pattern}) /bin/cat "{RECORDED / recorded}"; exit {code};;\n' for pattern, recorded in answers
        )
        self.script(name, f'case "$*" in\n{cases}esac\necho "unexpected arguments: $*" >&2; exit 64')

    def script(self, name: str, body: str) -> None:
        self.programs.mkdir(parents=True, exist_ok=True)
        program = self.programs / name
        program.write_text(f"#!/bin/sh\n{body}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)

    def remove(self, name: str) -> None:
        (self.programs / name).unlink()

    def forget_root(self) -> None:
        shutil.rmtree(self.root, ignore_errors=True)
