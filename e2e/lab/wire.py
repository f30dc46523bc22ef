"""A wire that can be tapped: a proxy between a client and a server, which sees every write before the server does and
every answer before the client does.

What a tap may do is what a network may do: let a write arrive, or not; let its answer arrive, or not. The client knows
nothing of it. Reads, watches among them, pass untouched.
"""

import ssl
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import aiohttp
from aiohttp import web
from yarl import URL

from e2e.controlplane.pki import CertificateAuthority

_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "host", "content-length"})
_READS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True)
class Write:
    """A request that may change something, complete."""

    method: str
    path: str
    body: bytes


@dataclass(frozen=True)
class Answer:
    """What the server said to it."""

    status: int
    headers: dict[str, str]
    body: bytes


Deliver = Callable[[], Awaitable[Answer]]
Tap = Callable[[Write, Deliver], Awaitable[Answer | None]]
"""Given a write and the way to deliver it; returns what the client is answered, None for nothing ever."""


class Wire:
    """`url` leads to `upstream`; both ends speak TLS with certificates of `ca`."""

    def __init__(self, name: str, upstream: str, ca: CertificateAuthority, tap: Tap) -> None:
        self.url = ""
        self._upstream = upstream
        self._tap = tap
        serving = ca.issue_serving(f"wire-{name}")
        self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._tls.load_cert_chain(serving.certificate, serving.key)
        self._trust = ssl.create_default_context(cafile=str(ca.certificate))
        self._session: aiohttp.ClientSession | None = None
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """From now on `url` can be used."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._trust, limit=0),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
        )
        application = web.Application(client_max_size=2**24)
        application.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._tls).start()
        self.url = f"https://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Cuts whatever is open."""
        if self._runner is not None:
            await self._runner.cleanup()
        if self._session is not None:
            await self._session.close()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        try:
            if request.method in _READS:
                return await self._stream(request)
            answer = await self._tap(Write(request.method, request.path, body), lambda: self._deliver(request, body))
        except (aiohttp.ClientError, OSError):  # either side has gone away
            answer = None
        if answer is None:
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=503)
        return web.Response(status=answer.status, headers=answer.headers, body=answer.body)

    async def _deliver(self, request: web.Request, body: bytes) -> Answer:
        async with self._ask(request, body) as response:
            return Answer(response.status, _end_to_end(response.headers), await response.read())

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        async with self._ask(request, b"") as response:
            answer = web.StreamResponse(status=response.status, headers=_end_to_end(response.headers))
            await answer.prepare(request)
            async for chunk in response.content.iter_any():
                await answer.write(chunk)
            await answer.write_eof()
            return answer

    def _ask(self, request: web.Request, body: bytes) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        assert self._session is not None, "the wire is not started"
        url = URL(self._upstream + request.raw_path, encoded=True)
        return self._session.request(request.method, url, headers=_end_to_end(request.headers), data=body or None)


def _end_to_end(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in _HOP_BY_HOP}
