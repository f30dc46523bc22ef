"""Finds programs that are already on this machine and fit: `KUBEBUILDER_ASSETS` first, then PATH.

Kubernetes' own programs must be of one minor version with each other; the set with the most members wins only if it is
that of the version that would be built for the rest. Never runs anything but `--version`.
"""

import asyncio
import os
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from e2e.controlplane.programs import KUBERNETES_VERSION, PROGRAMS, Program

_VERSION_PATTERN = re.compile(r"v?(\d+)\.(\d+)\.(\d+)(\S*)")


@dataclass(frozen=True)
class Choice:
    """A program that will be used as it is, and the sentence that says why (or why one was passed over)."""

    program: Program
    path: Path | None
    version: tuple[int, ...]
    why: str


async def find_installed() -> list[Choice]:
    """One choice for each program that was found, usable (`path` is set) or passed over (`path` is None)."""
    found = [choice for choice in await asyncio.gather(*map(_look_up, PROGRAMS)) if choice is not None]
    kubernetes = [choice for choice in found if choice.program.is_kubernetes and choice.path]
    wanted = _common_minor(kubernetes)
    return [_same_minor(choice, wanted) if choice in kubernetes else choice for choice in found]


def _common_minor(choices: Iterable[Choice]) -> tuple[int, ...]:
    """The minor version to settle on: the installed one if complete, else the one that missing parts are built at."""
    choices = list(choices)
    minors = {choice.version[:2] for choice in choices}
    complete = len(choices) == sum(program.is_kubernetes for program in PROGRAMS)
    return minors.pop() if complete and len(minors) == 1 else KUBERNETES_VERSION[:2]


def _same_minor(choice: Choice, wanted: tuple[int, ...]) -> Choice:
    if choice.version[:2] == wanted:
        return choice
    why = f"{choice.path} is {_text(choice.version)}, the other Kubernetes programs are {_text(wanted)}"
    return Choice(choice.program, None, choice.version, why)


async def _look_up(program: Program) -> Choice | None:
    for origin, path in _candidates(program.name):
        version = await _version(program, path)
        if version is None:
            return Choice(program, None, (), f"{path} ({origin}): it tells no release version")
        if version < program.oldest:
            return Choice(
                program, None, version, f"{path} ({origin}) is {_text(version)}, older than {_text(program.oldest)}"
            )
        return Choice(program, path, version, f"{path} ({origin}), {_text(version)}")
    return None


def _candidates(name: str) -> Iterable[tuple[str, Path]]:
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if assets and os.access(Path(assets) / name, os.X_OK):
        yield "KUBEBUILDER_ASSETS", Path(assets) / name
    on_path = shutil.which(name)
    if on_path:
        yield "PATH", Path(on_path)


async def _version(program: Program, path: Path) -> tuple[int, ...] | None:
    """The version that the program tells, or None if it tells none, or is a vendor's wrapper (`1.32.4-dispatcher`)."""
    try:
        process = await asyncio.create_subprocess_exec(
            path, *program.version_arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        output, _ = await asyncio.wait_for(process.communicate(), timeout=20)
    except (OSError, TimeoutError):
        return None
    match = _VERSION_PATTERN.search(output.decode(errors="replace"))
    if match is None or match.group(4).startswith("-"):
        return None
    return tuple(int(number) for number in match.groups()[:3])


def _text(version: tuple[int, ...]) -> str:
    return "v" + ".".join(map(str, version))
