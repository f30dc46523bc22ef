"""Server processes of a lab: started in sessions of their own, awaited by condition, ended by pid, recorded on disk.

The record is what a later command needs to end what a crashed lab left behind: a pid counts as ours only while its
start time is the recorded one. Linux only (`/proc`).
"""

import asyncio
import json
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

POLL_S = 0.05
_LOG_TAIL_LINES = 15


class ServerCrashed(RuntimeError):
    """A server ended by itself or did not get ready; the message carries the tail of its log."""


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now. It can be taken before it is bound: retry once then."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


async def wait_until(condition: Callable[[], Awaitable[bool]], timeout: float, what: str) -> None:
    """Awaits `condition` for at most `timeout` seconds. Raises TimeoutError naming `what`."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout
    while not await condition():
        if loop.time() > deadline:
            raise TimeoutError(f"{what}: not within {timeout:g} s")
        await asyncio.sleep(POLL_S)


class ServerProcess:
    """One running program with a log file. Made by `Processes.start`."""

    def __init__(
        self, name: str, process: asyncio.subprocess.Process, log: Path, forget: Callable[[int], None]
    ) -> None:
        self.name = name
        self.log = log
        self._process = process
        self._forget = forget

    @property
    def pid(self) -> int:
        """The process id; stays known after the end."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process has not ended."""
        return self._process.returncode is None

    async def wait_ready(self, check: Callable[[], Awaitable[bool]], timeout: float = 60) -> None:
        """Awaits `check` (OSError in it means "not yet"). Raises ServerCrashed if the process ends or is late."""

        async def ready() -> bool:
            self.require_running()
            try:
                return await check()
            except OSError:
                return False

        try:
            await wait_until(ready, timeout, f"{self.name} ready")
        except TimeoutError as error:
            raise ServerCrashed(f"{error}\n{self._log_tail()}") from None

    def require_running(self) -> None:
        """Raises ServerCrashed if the process has ended."""
        if not self.running:
            raise ServerCrashed(f"{self.name} ended with status {self._process.returncode}\n{self._log_tail()}")

    async def wait(self) -> int:
        """Awaits the end and returns the exit status (negative: the signal)."""
        status = await self._process.wait()
        self._forget(self.pid)
        return status

    async def kill(self) -> None:
        """Ends the process at once, without a word (SIGKILL), and awaits that."""
        await self._end(signal.SIGKILL)

    async def stop(self, grace: float = 5) -> None:
        """Ends the process politely, and by force after `grace` seconds."""
        try:
            await asyncio.wait_for(self._end(signal.SIGTERM), grace)
        except TimeoutError:
            await self.kill()

    async def _end(self, how: signal.Signals) -> None:
        if self.running:
            self._process.send_signal(how)
        await self.wait()

    def _log_tail(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()[-_LOG_TAIL_LINES:]
        return "\n".join([f"last lines of {self.log}:", *lines])


class Processes:
    """Starts server processes and keeps `processes.json` in the state directory true: their pids and ours."""

    def __init__(self, state_dir: Path) -> None:
        self._logs = state_dir / "logs"
        self._logs.mkdir(parents=True, exist_ok=True)
        self._record = state_dir / "processes.json"
        self._recorded: dict[str, dict[str, str]] = {}

    async def start(self, name: str, *command: object, environment: Mapping[str, str] | None = None) -> ServerProcess:
        """Starts a program; its output is appended to `logs/<name>.log`. Only `environment` is added to ours."""
        log = self._logs / f"{name}.log"
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *map(str, command),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                env=os.environ | (environment or {}),
            )
        self._recorded[str(process.pid)] = {"name": name, "started": _start_time(process.pid) or ""}
        self._write()
        return ServerProcess(name, process, log, self._forget)

    def _forget(self, pid: int) -> None:
        if self._recorded.pop(str(pid), None):
            self._write()

    def _write(self) -> None:
        partial = self._record.with_suffix(".partial")
        owner, started = own_identity()
        content = {"owner": {"pid": owner, "started": started}, "processes": self._recorded}
        partial.write_text(json.dumps(content, indent=1))
        partial.rename(self._record)


def end_leftovers(state_dir: Path) -> list[str]:
    """Ends (SIGKILL) the processes that a crashed lab recorded in `state_dir` and returns their names.

    Raises RuntimeError if the process that started them still runs: then they are no leftovers.
    """
    record = state_dir / "processes.json"
    if not record.exists():
        return []
    content = json.loads(record.read_text())
    owner = content["owner"]
    if owner["pid"] != os.getpid() and is_running(owner["pid"], owner["started"]):
        raise RuntimeError(f"{state_dir} is in use by process {owner['pid']}: stop that one first")
    ended = []
    for pid, entry in content["processes"].items():
        if is_running(int(pid), entry["started"]):
            os.kill(int(pid), signal.SIGKILL)
            ended.append(entry["name"])
    record.unlink()
    return ended


def is_running(pid: int, started: str) -> bool:
    """Whether the process `pid` runs and is the one that was started at `started` (as `own_identity` tells it)."""
    return bool(started) and _start_time(pid) == started


def own_identity() -> tuple[int, str]:
    """Our own pid and start time, to be recorded."""
    return os.getpid(), _start_time(os.getpid()) or ""


def _start_time(pid: int) -> str | None:
    """Start time in clock ticks since boot; None when there is no such process, or only its zombie."""
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return None
    return None if state == "Z" else fields[18]
