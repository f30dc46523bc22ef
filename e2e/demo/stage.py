"""The lab that a story plays on: up, its world followed, verbs done, kubectl run; down again, leaving nothing."""

import asyncio
import json
import shutil
import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

from e2e.controlplane import Api
from e2e.demo.tables import Table
from e2e.demo.world import KINDS, World
from e2e.lab import LabError, LabOptions, lifecycle
from e2e.lab.client import ask
from e2e.lab.state import LabRecord, lab_directory, read_record

MANIFESTS = Path(__file__).with_name("manifests")
_LOG_LINES = 25


class Stage:
    """One lab in the background, named; `world` is what its API server shows."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.world = World()
        self._record: LabRecord | None = None
        self._api: Api | None = None
        self._watches: list[asyncio.Task[None]] = []

    async def bring_up(self, say: Callable[[str], None]) -> None:
        """The whole cluster without an operator. Raises LabError, BuildError."""
        self._record = await lifecycle.up(self.name, LabOptions(operators=0), say)
        self._api = await Api.from_kubeconfig(Path(self._record.kubeconfig))
        self._watches = [asyncio.create_task(self.world.follow(self._api, kind)) for kind in KINDS]

    async def do(self, verb: str, **arguments: Any) -> Any:
        """A verb of the lab. Raises LabError."""
        return await ask(self.name, verb, **arguments)

    async def kubectl(self, *arguments: str, stdin: str | None = None) -> tuple[int, str]:
        """Exit status and output of kubectl as the lab's administrator."""
        assert self._record is not None, "the lab is not up"
        process = await asyncio.create_subprocess_exec(
            self._record.kubectl, "--kubeconfig", self._record.kubeconfig, *arguments,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        output, _ = await process.communicate(stdin.encode() if stdin else None)
        return process.returncode or 0, output.decode()

    def manifest(self, name: str) -> str:
        """A manifest of the story with the addresses of this lab's BMCs in it."""
        assert self._record is not None, "the lab is not up"
        addresses = {f"bmc_{node.replace('-', '_')}": url for node, url in self._record.bmcs.items()}
        return string.Template((MANIFESTS / name).read_text()).substitute(addresses)

    async def programs(self) -> Table:
        """The processes of the lab, with what each program says of its version; those in Python have none."""
        recorded = json.loads((lab_directory(self.name) / "processes.json").read_text())["processes"]
        rows = [
            (entry["name"], pid, await _version(Path(f"/proc/{pid}/exe").resolve())) for pid, entry in recorded.items()
        ]
        return Table("What runs here", ("program", "pid", "version"), rows)

    def operator_log(self) -> str:
        """The last lines that the operator wrote."""
        logs = sorted((lab_directory(self.name) / "logs").glob("operator-*.log"))
        return "\n".join(line for log in logs for line in log.read_text(errors="replace").splitlines()[-_LOG_LINES:])

    async def leave(self) -> None:
        """Stops looking; the lab stays up."""
        for watch in self._watches:
            watch.cancel()
        await asyncio.gather(*self._watches, return_exceptions=True)
        if self._api is not None:
            await self._api.close()

    async def tear_down(self, keep_logs: bool) -> bool:
        """Ends the lab and removes what it kept on disk; False if it had never come up."""
        await self.leave()
        if self._record is None:
            return False
        await lifecycle.stop(self.name)
        if not keep_logs:
            shutil.rmtree(lab_directory(self.name))
        return True


def require_free(name: str) -> None:
    """Raises LabError if a lab of that name is up: it is somebody else's."""
    try:
        record = read_record(lab_directory(name))
    except OSError:
        return
    if record is not None and record.alive:
        raise LabError(
            f"lab {name} is up already: end it with `e2e/bin/lab stop --name {name}`, or choose another --name"
        )


async def _version(program: Path) -> str:
    if program.name.startswith("python"):
        return ""
    process = await asyncio.create_subprocess_exec(program, "--version", stdout=asyncio.subprocess.PIPE)
    return (await process.communicate())[0].decode().partition("\n")[0]
