"""The real fence-agents and ipmitool: those of this machine, else Debian's packages, unpacked into the cache.

Nothing is installed. The programs run on this repository's Python, which has the few libraries that they import.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

from e2e.controlplane.build import cache_directory

PACKAGES = ("fence-agents", "ipmitool", "libfreeipmi17")
PROGRAMS = ("fence_redfish", "fence_ipmilan")


class ProgramsMissing(Exception):
    """They are neither here nor to be had; the message says what to do."""


@functools.cache
def fence_programs() -> Path:
    """A directory with `fence_redfish`, `fence_ipmilan` and `ipmitool`, for the PATH. Raises ProgramsMissing."""
    installed = [shutil.which(program) for program in (*PROGRAMS, "ipmitool")]
    if all(installed):
        return Path(str(installed[0])).parent
    directory = cache_directory() / "fence-agents"
    if not (directory / "bin" / "ipmitool").exists():
        _unpack(directory)
    return directory / "bin"


def _unpack(directory: Path) -> None:
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise ProgramsMissing("install fence-agents and ipmitool: this is no Debian, so they can't be had otherwise")
    packages = directory / "packages"
    packages.mkdir(parents=True, exist_ok=True)
    download = subprocess.run(
        ["apt-get", "download", *PACKAGES], cwd=packages, capture_output=True, text=True, check=False
    )
    if download.returncode:
        raise ProgramsMissing(
            f"install fence-agents and ipmitool; `apt-get download` failed: {download.stderr.strip()}"
        )
    root = directory / "root"
    for package in packages.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", package, root], check=True)
    for program in PROGRAMS:
        _wrap(
            directory / "bin" / program,
            f'PYTHONPATH="{root}/usr/share/fence"',
            sys.executable,
            root / "usr/sbin" / program,
        )
    libraries = next((root / "usr/lib").glob("*/libfreeipmi.so.*")).parent
    _wrap(directory / "bin" / "ipmitool", f'LD_LIBRARY_PATH="{libraries}"', root / "usr/bin/ipmitool")


def _wrap(path: Path, environment: str, *command: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}-{os.getpid()}")
    quoted = " ".join(f'"{word}"' for word in command)
    unfinished.write_text(f'#!/bin/sh\n{environment} exec {quoted} "$@"\n')
    unfinished.chmod(0o755)
    unfinished.replace(path)
