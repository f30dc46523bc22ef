"""HTTP: /healthz and /readyz for the kubelet, /metrics for Prometheus."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

Answer = Callable[[], str]
"""Empty when all is well, else what is wrong."""


class HttpServer:
    """Serves probes and metrics, on one port or on two."""

    def __init__(self, alive: Answer, ready: Answer, metrics: Callable[[], Awaitable[bytes]]) -> None:
        self._alive = alive
        self._ready = ready
        self._metrics = metrics
        self._runners: list[web.AppRunner] = []

    async def start(self, host: str, probe_port: int, metrics_port: int) -> None:
        """Listen; raises OSError when a port is taken."""
        probes = [web.get("/healthz", _probe(self._alive)), web.get("/readyz", _probe(self._ready))]
        metrics = [web.get("/metrics", self._serve_metrics)]
        if probe_port == metrics_port:
            await self._listen(host, probe_port, probes + metrics)
        else:
            await self._listen(host, probe_port, probes)
            await self._listen(host, metrics_port, metrics)

    async def close(self) -> None:
        """Stop listening."""
        for runner in self._runners:
            await runner.cleanup()

    async def _listen(self, host: str, port: int, routes: list[web.RouteDef]) -> None:
        app = web.Application()
        app.add_routes(routes)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        self._runners.append(runner)
        await web.TCPSite(runner, host, port).start()

    async def _serve_metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=await self._metrics(), headers={"Content-Type": CONTENT_TYPE_LATEST})


def _probe(answer: Answer) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def serve(_: web.Request) -> web.Response:
        wrong = answer()
        return web.Response(text=wrong or "ok", status=503 if wrong else 200)

    return serve
