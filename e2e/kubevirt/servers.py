"""virt-api's two HTTPS servers on loopback: webhooks for the API server, and the aggregated API behind its front
proxy.
"""

import asyncio
import socket
import ssl
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler

from e2e.controlplane.pki import KeyPair


class HttpsServer:
    """Serves one application on a free port of 127.0.0.1."""

    def __init__(self, serving: KeyPair, client_ca: Path | None = None) -> None:
        """With `client_ca`, only clients with a certificate of that authority get through."""
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.load_cert_chain(serving.certificate, serving.key)
        if client_ca is not None:
            self._context.load_verify_locations(client_ca)
            self._context.verify_mode = ssl.CERT_REQUIRED
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self._runner: web.AppRunner | None = None
        self.down = False
        """Every connection breaks off without an answer, as with a Service that nothing stands behind."""

    @property
    def port(self) -> int:
        """Fixed from the beginning."""
        port: int = self._socket.getsockname()[1]
        return port

    async def start(self, application: web.Application) -> None:
        """Listens."""
        application.middlewares.append(self._unless_down)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.SockSite(self._runner, self._socket, ssl_context=self._context).start()

    async def stop(self) -> None:
        """Closes all connections."""
        if self._runner is not None:
            async with asyncio.timeout(5):
                await self._runner.cleanup()
        self._socket.close()

    @web.middleware
    async def _unless_down(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if self.down and request.transport is not None:
            request.transport.abort()
            raise web.HTTPServiceUnavailable(text="nobody reads this")
        return await handler(request)
