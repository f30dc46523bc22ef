"""A server in the place of an API server that keeps what it is sent and answers as it is told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from kubernetes.aio.client import ApiClient, Configuration

from avance.kube.client import Kube

Object = dict[str, Any]


class Recorder:
    """`sent`: each request as `VERB path` with its body. `answers`: status and body by `VERB path`; 404 by default."""

    def __init__(self, answers: dict[str, tuple[int, Object]]) -> None:
        self.sent: list[tuple[str, Object]] = []
        self._answers = answers

    async def handle(self, request: web.Request) -> web.Response:
        what = f"{request.method} {request.path}"
        self.sent.append((what, await request.json() if request.can_read_body else {}))
        status, body = self._answers.get(what, (404, {"reason": "NotFound", "message": "not found"}))
        return web.json_response(body, status=status)


@asynccontextmanager
async def recording(answers: dict[str, tuple[int, Object]]) -> AsyncIterator[tuple[Recorder, Kube]]:
    """The server, and a client that talks to it."""
    recorder = Recorder(answers)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", recorder.handle)
    async with TestServer(app) as server:
        kube = Kube(ApiClient(Configuration(host=str(server.make_url("")).rstrip("/"))))
        try:
            yield recorder, kube
        finally:
            await kube.close()
