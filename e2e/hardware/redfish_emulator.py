"""A real Redfish service for one server: a `sushy-emulator --fake` process with TLS and a password.

Its power state is kept in sync with the simulated server from both sides: requests change it through Redfish, and
`set_power` writes it where the emulator stores it, as a BMC senses that the mains are gone.
"""

import asyncio
import os
import ssl
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import bcrypt
from sushy_tools.emulator.memoize import PersistentDict

from e2e.controlplane import ControlPlane, ServerProcess, free_port
from e2e.controlplane.pki import KeyPair
from e2e.controlplane.processes import ServerCrashed
from e2e.hardware.servers import Power, Server

USERNAME = "admin"
PASSWORD = "lab-bmc-password"


@dataclass(frozen=True)
class Reply:
    """An HTTP answer of the emulator, complete."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class RedfishEmulator:
    """Start, stop, requests, and the power state behind it."""

    def __init__(self, control_plane: ControlPlane, server: Server, directory: Path) -> None:
        self._control_plane = control_plane
        self._server = server
        self._directory = directory
        self._url = ""
        self._process: ServerProcess | None = None
        self._session: aiohttp.ClientSession | None = None
        self._systems = PersistentDict()
        self.system_path = f"/redfish/v1/Systems/{server.uuid}"

    async def start(self) -> None:
        """Ready when it answers. Raises ServerCrashed."""
        self._systems.make_permanent(str(self._directory), "fakedriver")
        certificates = ssl.create_default_context(cafile=str(self._control_plane.ca.certificate))
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=certificates))
        serving = self._control_plane.ca.issue_serving(f"emulator-{self._server.name}")
        configuration = self._write_configuration()
        for tries_left in (2, 1, 0):
            try:
                await self._start_on(free_port(), serving, configuration)
                break
            except ServerCrashed:  # somebody else took the port after it had been found free
                if not tries_left:
                    raise

    async def _start_on(self, port: int, serving: KeyPair, configuration: Path) -> None:
        self._url = f"https://127.0.0.1:{port}"
        self._process = await self._control_plane.processes.start(
            f"sushy-emulator-{self._server.name}",
            Path(sys.executable).with_name("sushy-emulator"),
            *("--fake", "--config", configuration, "-i", "127.0.0.1", "-p", port),
            *("--ssl-certificate", serving.certificate, "--ssl-key", serving.key),
        )
        await self._process.wait_ready(self._answers)

    async def stop(self) -> None:
        """Ends the process."""
        if self._session is not None:
            await self._session.close()
        if self._process is not None:
            await self._process.stop()

    async def request(self, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> Reply:
        """Passes a request on. Raises aiohttp.ClientError."""
        assert self._session is not None, "the emulator is not started"
        async with self._session.request(method, self._url + path, headers=headers, data=body or None) as response:
            return Reply(response.status, response.headers, await response.read())

    async def power(self) -> Power:
        """What Redfish says now; also the moment at which a pending reset takes effect."""
        credentials = aiohttp.encode_basic_auth(USERNAME, PASSWORD)
        assert self._session is not None, "the emulator is not started"
        async with self._session.get(
            self._url + self.system_path, headers={"Authorization": credentials}, raise_for_status=True
        ) as response:
            return Power((await response.json())["PowerState"])

    async def set_power(self, power: Power) -> None:
        """The server's power changed underneath; a reset in progress is forgotten."""
        await asyncio.to_thread(self._update, power_state=str(power), pending_power=None)

    async def hasten(self, delay: float) -> None:
        """Lets the reset in progress take effect `delay` seconds from now (the emulator picks 1 to 11 s at random)."""
        pending = (await asyncio.to_thread(self._systems.__getitem__, self._server.uuid)).get("pending_power")
        if pending:
            await asyncio.to_thread(self._update, pending_power=pending | {"apply_time": time.time() + delay})

    def _update(self, **changes: Any) -> None:
        self._systems[self._server.uuid] = self._systems[self._server.uuid] | changes

    def _write_configuration(self) -> Path:
        passwords = self._directory / "htpasswd"
        digest = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(rounds=4)).decode()
        passwords.write_text(f"{USERNAME}:{digest}\n")
        system = {
            "uuid": self._server.uuid,
            "name": self._server.name,
            "power_state": str(self._server.power),
            "nics": [{"mac": "52:54:00:00:00:" + self._server.address.rpartition(".")[2], "ip": self._server.address}],
        }
        settings = {
            "SUSHY_EMULATOR_FAKE_SYSTEMS": [system],
            "SUSHY_EMULATOR_STATE_DIR": str(self._directory),
            "SUSHY_EMULATOR_AUTH_FILE": str(passwords),
        }
        path = self._directory / "emulator.conf"
        path.write_text("".join(f"{name} = {value!r}{os.linesep}" for name, value in settings.items()))
        return path

    async def _answers(self) -> bool:
        """For our own system: another emulator may have the port. Its driver stores it when first asked for it."""
        try:
            await self.power()
        except aiohttp.ClientError:
            return False
        return True
