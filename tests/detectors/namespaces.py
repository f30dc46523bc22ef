"""Two nodes as network namespaces with a private link and a public network; the second is also the gateway.

Needs root and `ip`; `missing()` says what is not there.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PRIVATE = {"a": "10.213.7.1", "b": "10.213.7.2"}
PUBLIC = {"a": "10.213.8.1", "b": "10.213.8.2"}


def missing() -> str:
    """Why no namespaces can be made here; empty if they can."""
    if not shutil.which("ip"):
        return "the program `ip` (iproute2) is missing"
    name = f"avance-try-{secrets.token_hex(3)}"
    tried = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if tried.returncode:
        return f"no network namespace can be made: {tried.stderr.strip()}"
    subprocess.run(["ip", "netns", "del", name], check=True)
    return ""


@dataclass
class Pair:
    """Namespaces `a` and `b`; each has the interfaces `private0` and `public0`."""

    names: dict[str, str]

    def ip(self, side: str, *arguments: str) -> None:
        subprocess.run(["ip", "-n", self.names[side], *arguments], check=True, capture_output=True)

    def command(self, side: str, *command: str) -> list[str]:
        return ["ip", "netns", "exec", self.names[side], *command]

    def python(self, side: str, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(side, sys.executable, *arguments),
            cwd=ROOT,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **environment},
        )

    def detect(self, side: str, condition: str, **environment: str) -> tuple[int, str]:
        process = self.python(side, "detectors/bin/detect", condition, "8", **environment)
        output, _ = process.communicate(timeout=20)
        return process.returncode, output.strip()

    def dies(self, side: str) -> None:
        """It answers no more, as a server without power: its ends of the cables keep no carrier."""
        for interface in ("private0", "public0"):
            self.ip(side, "link", "set", interface, "down")


@contextmanager
def pair() -> Iterator[Pair]:
    token = secrets.token_hex(3)
    made = Pair({side: f"avance-{side}-{token}" for side in "ab"})
    try:
        for name in made.names.values():
            subprocess.run(["ip", "netns", "add", name], check=True, capture_output=True)
        for interface, addresses in (("private0", PRIVATE), ("public0", PUBLIC)):
            made.ip("a", "link", "add", interface, "type", "veth", "peer", interface, "netns", made.names["b"])
            for side in "ab":
                made.ip(side, "address", "add", f"{addresses[side]}/24", "dev", interface)
                made.ip(side, "link", "set", interface, "up")
        for side in "ab":
            made.ip(side, "link", "set", "lo", "up")
        made.ip("a", "route", "add", "default", "via", PUBLIC["b"])
        yield made
    finally:
        for name in made.names.values():
            with contextlib.suppress(OSError):
                subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)
