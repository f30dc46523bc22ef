"""A real Prometheus: it scrapes what it is told, follows the chart's rules, and answers queries."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from e2e.controlplane import ServerProcess, free_port
from e2e.controlplane.processes import Processes
from e2e.monitoring.programs import prometheus_programs

Object = dict[str, Any]

EVERY = "1s"
"""How often it scrapes and follows the rules: nobody waits half a minute in a test."""


class QueryFailed(Exception):
    """What Prometheus says about an expression that it cannot answer."""


class Prometheus:
    """One server with a directory of its own."""

    def __init__(self, processes: Processes, directory: Path, rules: Path, targets: Mapping[str, str]) -> None:
        """`targets`: addresses (host:port) by the name of the pod that they stand for."""
        self.url = ""
        self._processes = processes
        self._directory = directory
        self._rules = rules
        self._targets = targets
        self._process: ServerProcess | None = None

    async def start(self) -> None:
        """Starts it and awaits its readiness. Raises ServerCrashed with the tail of its log."""
        address = f"127.0.0.1:{free_port()}"
        self.url = f"http://{address}"
        self._process = await self._processes.start(
            "prometheus", prometheus_programs() / "prometheus", f"--config.file={self._configuration()}",
            f"--storage.tsdb.path={self._directory / 'data'}", f"--web.listen-address={address}", "--log.level=warn",
        )  # fmt: skip
        await self._process.wait_ready(self._ready)

    async def stop(self) -> None:
        """Ends it."""
        if self._process is not None:
            await self._process.stop()

    async def query(self, expression: str) -> list[Object]:
        """What an expression is now. Raises QueryFailed."""
        return list((await self._ask("query", query=expression))["result"])

    async def history(self, expression: str, seconds: float) -> list[Object]:
        """What it was in the last so many seconds, second by second. Raises QueryFailed."""
        now = time.time()
        answer = await self._ask("query_range", query=expression, start=f"{now - seconds}", end=f"{now}", step="1")
        return list(answer["result"])

    async def rules(self) -> list[Object]:
        """Every rule, with its health and last error."""
        groups = (await self._ask("rules"))["groups"]
        return [rule for group in groups for rule in group["rules"]]

    async def alerts(self) -> list[Object]:
        """Those that are pending or fire."""
        return list((await self._ask("alerts"))["alerts"])

    async def _ask(self, what: str, **parameters: str) -> Object:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self.url}/api/v1/{what}", params=parameters) as response,
        ):
            answer = await response.json()
        if answer["status"] != "success":
            raise QueryFailed(f"{parameters.get('query', what)}: {answer.get('error')}")
        return dict(answer["data"])

    def _configuration(self) -> Path:
        rules = yaml.safe_load(self._rules.read_text())
        for group in rules["groups"]:
            group["interval"] = EVERY
        self._directory.mkdir(parents=True, exist_ok=True)
        (self._directory / "rules.yaml").write_text(yaml.safe_dump(rules))
        targets = [{"targets": [address], "labels": {"pod": pod}} for pod, address in self._targets.items()]
        scrape = {"job_name": "avance", "honor_labels": True, "static_configs": targets}
        content = {
            "global": {"scrape_interval": EVERY, "evaluation_interval": EVERY},
            "rule_files": [str(self._directory / "rules.yaml")],
            "scrape_configs": [scrape],
        }
        path = self._directory / "prometheus.yaml"
        path.write_text(yaml.safe_dump(content))
        return path

    async def _ready(self) -> bool:
        try:
            async with aiohttp.ClientSession() as session, session.get(f"{self.url}/-/ready") as response:
                return response.status == 200
        except aiohttp.ClientError:
            return False
