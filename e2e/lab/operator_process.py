"""The operator as a host process, under the ServiceAccount that the chart made for it and no other credentials."""

import sys
from pathlib import Path

import aiohttp

from e2e.controlplane import ServerProcess, free_port
from e2e.controlplane.processes import Processes
from e2e.lab.install import NAMESPACE


class OperatorProcess:
    """One replica; several run side by side and elect a leader among themselves."""

    def __init__(self, number: int, kubeconfig: Path, processes: Processes) -> None:
        self.name = f"avance-{number}"
        self.metrics_url = self.health_url = ""
        self._kubeconfig = kubeconfig
        self._processes = processes
        self._process: ServerProcess | None = None

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self._process.pid if self._process is not None and self._process.running else None

    async def start(self) -> None:
        """Starts it and awaits its readiness. Raises ServerCrashed with the tail of its log."""
        metrics_port, health_port = free_port(), free_port()
        self.metrics_url = f"http://127.0.0.1:{metrics_port}/metrics"
        self.health_url = f"http://127.0.0.1:{health_port}"
        environment = {"KUBECONFIG": str(self._kubeconfig), "POD_NAMESPACE": NAMESPACE, "POD_NAME": self.name}
        self._process = await self._processes.start(
            f"operator-{self.name}", sys.executable, "-m", "avance", "operator",
            "--host", "127.0.0.1", "--metrics-port", metrics_port, "--probe-port", health_port, "--edits-stamped",
            environment=environment,
        )  # fmt: skip
        await self._process.wait_ready(self._ready)

    async def stop(self) -> None:
        """Asks it to end (SIGTERM); by force after 20 s."""
        if self._process is not None:
            await self._process.stop(grace=20)

    async def kill(self) -> None:
        """Ends it without a word (SIGKILL)."""
        if self._process is not None:
            await self._process.kill()

    async def wait(self) -> int:
        """Awaits its end."""
        assert self._process is not None, "the operator is not started"
        return await self._process.wait()

    async def _ready(self) -> bool:
        try:
            async with aiohttp.ClientSession() as session, session.get(f"{self.health_url}/readyz") as response:
                return response.status == 200
        except aiohttp.ClientError:
            return False
