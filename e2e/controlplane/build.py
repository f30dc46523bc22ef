"""Provides the lab's programs: those already installed when they fit, else built once from source into a cache.

Built from the Go wrapper modules in `go/` (nothing but `tool` directives and pinned sums). A file lock makes two builds
at once safe, each program appears by rename, and a build that was interrupted goes on where it stopped.
"""

import asyncio
import contextlib
import fcntl
import hashlib
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from e2e.controlplane.installed import find_installed
from e2e.controlplane.programs import PROGRAMS, Binaries, Program
from e2e.controlplane.progress import BuildProgress
from e2e.controlplane.toolchain import BuildError, find_go, go_environment

__all__ = ["Binaries", "BuildError", "cache_directory", "ensure_binaries", "ensure_program"]

REPOSITORY = Path(__file__).resolve().parents[2]
_MODULES = Path(__file__).with_name("go")
_FLAGS = ("-trimpath",)
_LINK_FLAGS = "-s -w"


def cache_directory() -> Path:
    """Where binaries and labs are kept: `AVANCE_CACHE`, or `.cache` in the repository."""
    return Path(os.environ.get("AVANCE_CACHE") or REPOSITORY / ".cache").resolve()


async def ensure_binaries() -> Binaries:
    """Paths of all programs; builds what is missing (about 8 minutes on two cores). Raises BuildError."""
    return Binaries.from_paths(await _ensure([program.name for program in PROGRAMS]))


async def ensure_program(name: str) -> Path:
    """Path of one program (`helm`); builds it if it is missing. Raises BuildError."""
    return (await _ensure([name]))[name]


async def _ensure(names: list[str]) -> dict[str, Path]:
    with BuildProgress() as progress:
        paths: dict[str, Path] = {}
        for choice in await find_installed():
            if choice.program.name not in names:
                continue
            progress.say(f"{choice.program.name}: {'using' if choice.path else 'not using'} {choice.why}")
            if choice.path:
                paths[choice.program.name] = choice.path
        to_build = [program for program in PROGRAMS if program.name in names and program.name not in paths]
        target = cache_directory() / "bin" / _fingerprint()
        if not all((target / program.name).exists() for program in to_build):
            await _build_missing(to_build, target, progress)
        return paths | {program.name: target / program.name for program in to_build}


def _fingerprint() -> str:
    """Changes with anything that changes the programs: the pinned modules and the flags."""
    recipe = [(program.name, program.package, program.stamp) for program in PROGRAMS]
    digest = hashlib.sha256(repr((_FLAGS, _LINK_FLAGS, recipe)).encode())
    for file in sorted(_MODULES.glob("*/go.*")):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


async def _build_missing(programs: list[Program], target: Path, progress: BuildProgress) -> None:
    target.mkdir(parents=True, exist_ok=True)
    async with _locked(target.with_suffix(".lock"), progress):
        missing = [program for program in programs if not (target / program.name).exists()]
        if not missing:
            return
        go = await find_go(cache_directory(), progress.say)
        names = ", ".join(program.name for program in missing)
        progress.say(f"building {names} into {target} (once; about 8 minutes on two cores for all)")
        for program in missing:
            await _build(go, program, target, progress)


async def _build(go: Path, program: Program, target: Path, progress: BuildProgress) -> None:
    progress.begin(program.name, await _count_packages(go, program))
    partial = target / f".{program.name}.{os.getpid()}"
    link_flags = f"{_LINK_FLAGS} {program.stamp}".strip()
    command = ("build", "-v", *_FLAGS, "-ldflags", link_flags, "-o", str(partial), program.package)
    process = await _go(go, program, *command)
    with _ended_with_us(process):
        errors = await _follow(process, progress)
        if await process.wait():
            partial.unlink(missing_ok=True)
            raise BuildError(_advice(program, errors))
    partial.rename(target / program.name)
    progress.end()


async def _follow(process: asyncio.subprocess.Process, progress: BuildProgress) -> list[str]:
    """Counts the package lines of `go build -v`; everything else it says is kept for the error message."""
    assert process.stderr is not None
    said: list[str] = []
    while True:
        try:
            line = await asyncio.wait_for(process.stderr.readline(), timeout=1)
        except TimeoutError:
            progress.tick()
            continue
        if not line:
            return said
        text = line.decode(errors="replace").rstrip()
        if " " in text:
            said.append(text)
        else:
            progress.compiled()
        progress.tick()


async def _count_packages(go: Path, program: Program) -> int:
    """How many packages the program consists of; also the step that downloads the modules."""
    process = await _go(go, program, "list", "-deps", program.package)
    with _ended_with_us(process):
        output, errors = await process.communicate()
    if process.returncode:
        raise BuildError(_advice(program, errors.decode(errors="replace").splitlines()))
    return len(output.splitlines())


async def _go(go: Path, program: Program, *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        go,
        *arguments,
        cwd=_MODULES / program.module,
        env=go_environment(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@contextlib.contextmanager
def _ended_with_us(process: asyncio.subprocess.Process) -> Iterator[None]:
    try:
        yield
    finally:
        if process.returncode is None:
            process.kill()


def _advice(program: Program, errors: list[str]) -> str:
    return (
        f"cannot build {program.name} ({program.package}). The first build needs a Go module proxy (GOPROXY) to be "
        f"reachable; programs of a suitable version on PATH or in KUBEBUILDER_ASSETS are used instead.\n"
        + "\n".join(errors[-15:])
    )


@contextlib.asynccontextmanager
async def _locked(path: Path, progress: BuildProgress) -> AsyncIterator[None]:
    """Holds the lock file; says so when another build has to be waited for."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress.say(f"another build holds {path}: waiting for it")
            while not _try_lock(file.fileno()):
                await asyncio.sleep(0.5)
        yield


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
