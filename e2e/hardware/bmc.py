"""The BMC of one server, at the address that a user configures: a Redfish emulator behind a proxy that can misbehave.

In mode `normal` every request is passed on, and a power state that really changes is carried out on the server before
anybody can read it. The other modes are the ways in which BMCs fail; all but `flaky` leave the server untouched.
"""

import asyncio
import contextlib
import enum
import json
import ssl
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from e2e.controlplane import ControlPlane
from e2e.hardware.redfish_emulator import PASSWORD, USERNAME, RedfishEmulator, Reply
from e2e.hardware.servers import Power, Server

_SERVICE_ROOTS = ("", "redfish", "redfish/v1")  # readable without a password
_RESET = "/Actions/ComputerSystem.Reset"
_RELAYED_HEADERS = ("Content-Type", "WWW-Authenticate", "Location", "OData-Version", "ETag")


class BmcMode(enum.StrEnum):
    """How a BMC behaves."""

    NORMAL = "normal"
    REFUSE = "refuse"  # answers resets with 409
    HANG = "hang"  # accepts connections and never answers
    UNREACHABLE = "unreachable"  # connection refused
    POWERING_OFF = "powering-off"  # accepts a reset, then reads PoweringOff for ever; the server runs on
    LIE_OFF = "lie-off"  # accepts a reset, then reads Off; the server runs on
    LIE_ACCEPT = "lie-accept"  # accepts a reset; nothing happens
    WRONG_SERVER = "wrong-server"  # is the BMC of some other server, and obeys for that one
    WRONG_PASSWORD = "wrong-password"  # 401
    FLAKY = "flaky"  # answers every second request with 503


# What the power state reads after a reset that a mode only pretends to carry out: (after off, after on).
_PRETENDED = {
    BmcMode.POWERING_OFF: ("PoweringOff", None),
    BmcMode.LIE_OFF: ("Off", "On"),
    BmcMode.WRONG_SERVER: ("Off", "On"),
    BmcMode.LIE_ACCEPT: (None, None),
}


class Bmc:
    """Attributes: `url`, `username`, `password`, `ca_certificate` (file), `mode`.

    `carry_out` is awaited with the power state that a reset brought about.
    """

    def __init__(
        self,
        control_plane: ControlPlane,
        server: Server,
        directory: Path,
        reset_delay: float,
        carry_out: Callable[[Power], Awaitable[None]],
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.username, self.password = USERNAME, PASSWORD
        self.ca_certificate = control_plane.ca.certificate
        self.mode = BmcMode.NORMAL
        self._server = server
        self._emulator = RedfishEmulator(control_plane, server, directory)
        self._reset_delay = reset_delay
        self._carry_out = carry_out
        serving = control_plane.ca.issue_serving(f"bmc-{server.name}")
        self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._tls.load_cert_chain(serving.certificate, serving.key)
        self._runner: web.AppRunner | None = None
        self._site: web.TCPSite | None = None
        self._port = 0
        self._mode_changed = asyncio.Event()
        self._one_at_a_time = asyncio.Lock()
        self._reset_under_way: asyncio.Task[None] | None = None
        self._pretended_power: str | None = None
        self._other_uuid = str(uuid.uuid4())
        self._requests = 0

    @property
    def url(self) -> str:
        """The address of the BMC."""
        return f"https://127.0.0.1:{self._port}"

    async def start(self) -> None:
        """Emulator first, then the address that users see. Raises ServerCrashed."""
        await self._emulator.start()
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await self._listen()

    async def stop(self) -> None:
        """Ends everything; requests that hang are dropped."""
        self._forget_reset()
        self._mode_changed.set()
        if self._runner is not None:
            await self._runner.cleanup()
        await self._emulator.stop()

    async def set_mode(self, mode: BmcMode) -> None:
        """From the next request on; whatever an earlier mode pretended is forgotten."""
        self.mode, self._pretended_power, self._requests = mode, None, 0
        self._mode_changed.set()
        self._mode_changed = asyncio.Event()
        if mode is BmcMode.UNREACHABLE:
            await self._close()
        elif self._site is None:
            await self._listen()

    async def set_power(self, power: Power) -> None:
        """The server's power changed for another reason than a reset: the BMC senses it."""
        self._forget_reset()
        async with self._one_at_a_time:
            await self._emulator.set_power(power)

    async def _listen(self) -> None:
        assert self._runner is not None
        self._site = web.TCPSite(self._runner, "127.0.0.1", self._port, ssl_context=self._tls)
        await self._site.start()
        self._port = self._runner.addresses[0][1]

    async def _close(self) -> None:
        if self._site is not None:
            site, self._site = self._site, None
            await site.stop()

    async def _handle(self, request: web.Request) -> web.Response:
        self._requests += 1
        if self.mode is BmcMode.UNREACHABLE:  # over a connection that was open before
            return _cut_off(request)
        if self.mode is BmcMode.HANG:
            await self._mode_changed.wait()
            return _cut_off(request)
        if self.mode is BmcMode.FLAKY and self._requests % 2 == 0:
            return _error(503, "the management controller is busy")
        if self.mode is BmcMode.WRONG_PASSWORD and request.path.strip("/") not in _SERVICE_ROOTS:
            return _error(401, "incorrect username or password")
        if request.method == "POST" and request.path.endswith(_RESET):
            return await self._reset(request)
        return _response(self._disguise(await self._pass_on(request)))

    async def _reset(self, request: web.Request) -> web.Response:
        wanted = json.loads(await request.read() or b"{}").get("ResetType", "")
        if not self._knows(request):
            return _response(await self._pass_on(request))
        if self.mode is BmcMode.REFUSE:
            return _error(409, "the system can't be reset in its current state")
        if self.mode in _PRETENDED:
            after_off, after_on = _PRETENDED[self.mode]
            self._pretended_power = after_on if "On" in wanted else after_off
            return web.Response(status=204)
        if wanted.startswith("Graceful") and not self._server.alive:
            return web.Response(status=204)  # no kernel is there to hear the power button
        reply = await self._pass_on(request)
        if reply.status < 300:
            await self._emulator.hasten(self._reset_delay)
            self._forget_reset()
            self._reset_under_way = asyncio.create_task(self._follow_reset())
        return _response(reply)

    async def _follow_reset(self) -> None:
        """Carries out a reset whether or not anybody reads the power state."""
        for pause in (0, self._reset_delay + 0.05):
            await asyncio.sleep(pause)
            async with self._one_at_a_time:
                await self._carry_out(await self._emulator.power())
        self._reset_under_way = None

    async def _pass_on(self, request: web.Request) -> Reply:
        body = await request.read()
        path = request.path
        if self.mode is BmcMode.WRONG_SERVER:
            path = path.replace(self._server.uuid, "unknown").replace(self._other_uuid, self._server.uuid)
        headers = {name: request.headers[name] for name in ("Authorization", "Content-Type") if name in request.headers}
        async with self._one_at_a_time:
            reply = await self._emulator.request(request.method, path, headers, body)
            power = _system(reply).get("PowerState")
            if power and self._reset_under_way:
                await self._carry_out(Power(power))
        return reply

    def _disguise(self, reply: Reply) -> Reply:
        """What the mode makes of a truthful answer."""
        body, system = reply.body, _system(reply)
        if system and self._pretended_power:
            body = json.dumps(system | {"PowerState": self._pretended_power}).encode()
        if self.mode is BmcMode.WRONG_SERVER:
            body = body.replace(self._server.uuid.encode(), self._other_uuid.encode())
        return Reply(reply.status, reply.headers, body)

    def _knows(self, request: web.Request) -> bool:
        """Whether a reset carries the right password and names the system that this BMC says it has."""
        claimed = self._other_uuid if self.mode is BmcMode.WRONG_SERVER else self._server.uuid
        expected = aiohttp.encode_basic_auth(self.username, self.password)
        return claimed in request.path and request.headers.get("Authorization") == expected

    def _forget_reset(self) -> None:
        if self._reset_under_way is not None:
            self._reset_under_way.cancel()
        self._reset_under_way = None


def _system(reply: Reply) -> dict[str, Any]:
    """The ComputerSystem in an answer, or nothing."""
    with contextlib.suppress(ValueError):
        content = json.loads(reply.body)
        if isinstance(content, dict) and str(content.get("@odata.type")).startswith("#ComputerSystem."):
            return content
    return {}


def _response(reply: Reply) -> web.Response:
    headers = {name: reply.headers[name] for name in _RELAYED_HEADERS if name in reply.headers}
    return web.Response(status=reply.status, body=reply.body, headers=headers)


def _error(status: int, message: str) -> web.Response:
    headers = {"WWW-Authenticate": 'Basic realm="Redfish"'} if status == 401 else {}
    content = {"error": {"code": "Base.1.0.GeneralError", "message": message}}
    return web.json_response(content, status=status, headers=headers)


def _cut_off(request: web.Request) -> web.Response:
    """Drops the connection without an answer."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=503)
