"""The real fence-agents and ipmitool: those of this machine, else Debian's packages, unpacked into the cache.

The programs run on this repository's Python, which has the few libraries that they import.
"""

from __future__ import annotations

import functools
import os
import shutil
import sys
from pathlib import Path

from e2e.controlplane.debian import unpacked

PACKAGES = ("fence-agents", "ipmitool", "libfreeipmi17")
PROGRAMS = ("fence_redfish", "fence_ipmilan")


@functools.cache
def fence_programs() -> Path:
    """A directory with `fence_redfish`, `fence_ipmilan` and `ipmitool`, for the PATH. Raises ProgramsMissing."""
    installed = [shutil.which(program) for program in (*PROGRAMS, "ipmitool")]
    if all(installed):
        return Path(str(installed[0])).parent
    root = unpacked("fence-agents", PACKAGES)
    programs = root.parent / "bin"
    if not (programs / "ipmitool").exists():
        _make_runnable(root, programs)
    return programs


def _make_runnable(root: Path, programs: Path) -> None:
    for program in PROGRAMS:
        environment = f'PYTHONPATH="{root}/usr/share/fence"'
        _wrap(programs / program, environment, sys.executable, root / "usr/sbin" / program)
    libraries = next((root / "usr/lib").glob("*/libfreeipmi.so.*")).parent
    _wrap(programs / "ipmitool", f'LD_LIBRARY_PATH="{libraries}"', root / "usr/bin/ipmitool")


def _wrap(path: Path, environment: str, *command: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}-{os.getpid()}")
    quoted = " ".join(f'"{word}"' for word in command)
    unfinished.write_text(f'#!/bin/sh\n{environment} exec {quoted} "$@"\n')
    unfinished.chmod(0o755)
    unfinished.replace(path)
