"""Programs out of Debian's packages, unpacked into the cache. Nothing is installed."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from e2e.controlplane.build import cache_directory


class ProgramsMissing(Exception):
    """They are neither here nor to be had; the message says what to do."""


def unpacked(name: str, packages: tuple[str, ...]) -> Path:
    """The root of the files of these packages, kept as `name` in the cache. Raises ProgramsMissing."""
    directory = cache_directory() / name
    root = directory / "root"
    if not root.exists():
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=directory) as unfinished:
            _unpack(Path(unfinished), packages)
            # Another worker may have been faster; its files are the same.
            if not root.exists():
                (Path(unfinished) / "root").rename(root)
    return root


def _unpack(directory: Path, packages: tuple[str, ...]) -> None:
    wanted = " and ".join(packages)
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise ProgramsMissing(f"install {wanted}: this is no Debian, so they can't be had otherwise")
    download = subprocess.run(
        ["apt-get", "download", *packages], cwd=directory, capture_output=True, text=True, check=False
    )
    if download.returncode:
        raise ProgramsMissing(f"install {wanted}; `apt-get download` failed: {download.stderr.strip()}")
    for package in directory.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", package, directory / "root"], check=True)
