"""Fencing over Redfish, with the `sushy` library.

sushy is synchronous, retries by itself for minutes, and keeps a session; none of that suits fencing. So each agent has
one thread of its own, one attempt per request, basic authentication without a session, and a limit on the whole
operation after which thread and connection are abandoned. Reading and switching are separate requests with the
decision between them on the event loop: what was cancelled or has run out of time never sends a late power command.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import sushy
from sushy import auth, connector
from sushy.resources.system.system import System

from avance.core.power import PowerReading, same_system
from avance.fencing.agent import FencingError
from avance.fencing.redfish_errors import explain

log = logging.getLogger(__name__)
T = TypeVar("T")


class RedfishAgent:
    """A `FenceAgent` for one system behind one Redfish BMC."""

    def __init__(
        self,
        address: str,
        username: str,
        password: str,
        *,
        clock: Callable[[], float],
        system_path: str = "",
        verify_tls: bool = True,
        ca_bundle: str = "",
        request_timeout: float = 10.0,
    ) -> None:
        """`address`: host, host:port or URL (https unless it says http). `system_path`: such as /redfish/v1/Systems/1;
        empty means the BMC's only system. `ca_bundle`: PEM certificates that sign the BMC's; empty means the system's
        CAs. `request_timeout`: seconds for one HTTP request, and twice that for a status. `clock`: epoch seconds.
        """
        self._address = address if "://" in address else f"https://{address}"
        self._username, self._password = username, password
        self._clock = clock
        self._system_path = system_path
        self._ca_file = _write_temporary(ca_bundle) if verify_tls and ca_bundle else ""
        self._verify: bool | str = (self._ca_file or _system_cas()) if verify_tls else False
        self._timeout = request_timeout
        self._thread = _new_thread()
        self._http: _Connector | None = None
        self._system: System | None = None

    async def status(self) -> PowerReading:
        """See `FenceAgent.status`; one request once the connection is known."""
        observed_at = self._clock()
        try:
            answer = await self._read_system()
        except FencingError as error:
            return PowerReading("", "", observed_at, str(error), self._address)
        state, uuid = answer.get("PowerState"), answer.get("UUID")
        error_text = ""
        if not isinstance(state, str) or not state:
            error_text = (
                f"The BMC at {self._address} reports the power state {state!r}: it may still be starting. "
                "If this lasts, reset the BMC or check that systemPath names a computer system."
            )
        return PowerReading(
            state if isinstance(state, str) else "",
            uuid if isinstance(uuid, str) else "",
            observed_at,
            error_text,
            self._address,
        )

    async def off(self, expected_system_uuid: str) -> None:
        """See `FenceAgent.off`: ForceOff, unless it is off already."""
        await self._switch(sushy.RESET_FORCE_OFF, "Off", expected_system_uuid)

    async def on(self, expected_system_uuid: str) -> None:
        """See `FenceAgent.on`."""
        await self._switch(sushy.RESET_ON, "On", expected_system_uuid)

    async def close(self) -> None:
        """See `FenceAgent.close`; waits for no request."""
        self._give_up()
        self._thread.shutdown(wait=False)
        if self._ca_file:
            Path(self._ca_file).unlink(missing_ok=True)

    async def _switch(self, reset: sushy.ResetType, wanted: str, expected_system_uuid: str) -> None:
        if await self._reads(wanted, expected_system_uuid):
            return
        system = await self._connected()
        try:
            await self._run(lambda: system.reset_system(reset))
        except FencingError:
            # Several BMCs refuse to switch off what went off by itself meanwhile, and some act, yet answer an error.
            if not await self._reads(wanted, expected_system_uuid):
                raise

    async def _reads(self, wanted: str, expected_system_uuid: str) -> bool:
        """Whether the expected system is in the wanted state; raises FencingError unless the BMC speaks of it."""
        reading = await self.status()
        # A null state doesn't hinder: a power command may be just what the BMC needs. An unreadable BMC does.
        if reading.error and not reading.system_uuid:
            raise FencingError(reading.error)
        if not same_system(reading.system_uuid, expected_system_uuid):
            raise FencingError(
                f"The BMC at {self._address} controls the system {reading.system_uuid or 'without a UUID'}, but the "
                f"node's systemUUID is {expected_system_uuid or 'unknown'}: nothing was sent. Correct the fencing "
                "address (or systemPath) of this node; two entries may be exchanged."
            )
        return reading.state == wanted and not reading.error

    async def _read_system(self) -> dict[str, Any]:
        """The computer system's JSON, fresh."""
        known = self._system
        system = await self._connected()
        if known is not None:
            await self._run(known.refresh)
        answer = system.json
        if not isinstance(answer, dict):
            raise FencingError(explain(TypeError("not a JSON object"), self._address, self._timeout))
        return answer

    async def _connected(self) -> System:
        """The system at the end of a connection that works or is new; a new one has just been read."""
        if self._system is None:
            self._system = await self._run(self._connect)
        return self._system

    def _connect(self) -> System:
        """Runs in the agent's thread; at most three requests."""
        # One attempt per request: 0 would mean sushy's own default of three, and a delay of 0 its two seconds.
        http = self._http = _Connector(
            self._address,
            verify=self._verify,
            server_side_retries=1,
            server_side_retries_delay=0.1,
            default_request_timeout=self._timeout,
            connect_timeout=self._timeout / 2,
        )
        root = sushy.Sushy(self._address, auth=auth.BasicAuth(self._username, self._password), connector=http)
        if self._system_path:
            return root.get_system(self._system_path)
        systems = root.get_system_collection().members_identities
        if len(systems) != 1:
            raise FencingError(
                f"The BMC at {self._address} lists {len(systems)} systems ({', '.join(systems) or 'none'}): "
                "set systemPath of this node's fencing entry to the right one."
            )
        return root.get_system(systems[0])

    async def _run(self, work: Callable[[], T]) -> T:
        """`work` in the agent's thread, for at most two request time-outs; every failure becomes a FencingError."""
        limit = 2 * self._timeout
        try:
            async with asyncio.timeout(limit):
                return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except FencingError:
            raise
        except TimeoutError:
            # The transport's time-outs count from byte to byte: a BMC that trickles would hold us for ever.
            self._give_up()
            raise FencingError(
                f"The BMC at {self._address} did not finish its answer within {limit:g} s: check the management "
                "network and the BMC's load, or raise requestTimeoutSeconds."
            ) from None
        except asyncio.CancelledError:
            self._give_up()
            raise
        except Exception as error:
            log.debug("request to %s failed", self._address, exc_info=True)
            self._system = None  # connect anew: the BMC may have been reset, or exchanged
            raise FencingError(explain(error, self._address, self._timeout)) from error

    def _give_up(self) -> None:
        """Leave a thread that may be stuck to itself. What waits behind it never starts, and it sends no command."""
        if self._http is not None:
            self._http.given_up = True
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._thread = _new_thread()
        self._http = self._system = None


class _Connector(connector.Connector):  # type: ignore[misc]
    """Sends no power command once the operation that wanted it was given up."""

    given_up = False

    def post(self, *args: Any, **kwargs: Any) -> Any:
        if self.given_up:
            raise FencingError("The power command was given up before it was sent: try again.")
        return super().post(*args, **kwargs)


def _new_thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="redfish")


def _system_cas() -> bool | str:
    """The operating system's CA bundle; True (the CAs that the HTTP library brings) where there is none."""
    return ssl.get_default_verify_paths().cafile or True


def _write_temporary(text: str) -> str:
    with tempfile.NamedTemporaryFile("w", prefix="avance-ca-", suffix=".crt", delete=False) as file:
        file.write(text)
    return file.name
