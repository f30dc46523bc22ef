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
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import sushy
from sushy import auth, connector
from sushy.resources.system.system import System

from avance.core.power import PowerReading, same_system
from avance.fencing.agent import FencingError
from avance.fencing.ca_file import CaFile
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
        self._ca_file = CaFile(ca_bundle) if verify_tls and ca_bundle else None
        self._verify: bool | str = (self._ca_file.path if self._ca_file else _system_cas()) if verify_tls else False
        self._timeout = request_timeout
        self._thread = _new_thread()
        self._one_at_a_time = asyncio.Lock()
        self._http: _Connector | None = None
        self._system: System | None = None

    async def status(self) -> PowerReading:
        """See `FenceAgent.status`; one request once the connection is known."""
        observed_at = self._clock()
        try:
            answer = (await self._read()).json
        except FencingError as error:
            return PowerReading("", "", observed_at, str(error), self._address)
        state, uuid = answer.get("PowerState"), answer.get("UUID")
        error_text = ""
        if not isinstance(state, str) or not state:
            error_text = (
                f"The BMC at {self._address} reports the power state {state!r}: it may still be starting. "
                "If this lasts, reset the BMC or check that systemPath names a computer system."
            )
        return PowerReading(_word(state), _word(uuid), observed_at, error_text, self._address)

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
            self._ca_file.remove()

    async def _switch(self, reset: sushy.ResetType, wanted: str, expected_system_uuid: str) -> None:
        system = await self._read_expected(expected_system_uuid)
        if system.json.get("PowerState") == wanted:
            return
        try:
            await self._run(lambda: system.reset_system(reset))
        except FencingError:
            # Several BMCs refuse to switch off what went off by itself meanwhile, and some act, yet answer an error.
            system = await self._read_expected(expected_system_uuid)
            if system.json.get("PowerState") != wanted:
                raise

    async def _read_expected(self, expected_system_uuid: str) -> System:
        """The system, fresh; raises FencingError if it isn't the expected one, or doesn't say which it is."""
        system = await self._read()
        uuid = _word(system.json.get("UUID"))
        if not same_system(uuid, expected_system_uuid):
            raise FencingError(
                f"The BMC at {self._address} controls the system {uuid or 'without a UUID'}, but the node's systemUUID "
                f"is {expected_system_uuid or 'unknown'}: nothing was sent. Correct the fencing address (or "
                "systemPath) of this node; two entries may be exchanged."
            )
        return system

    async def _read(self) -> System:
        """The system with its JSON as it is now: one request, or up to three on a new connection."""
        known = self._system
        if known is None:
            self._http, system = await self._run(self._connect)
            self._system = system
        else:
            await self._run(known.refresh)
            system = known
        if not isinstance(system.json, dict):
            raise FencingError(explain(TypeError("not a JSON object"), self._address, self._timeout))
        return system

    def _connect(self) -> tuple[_Connector, System]:
        """Runs in the agent's thread."""
        # One attempt per request: 0 would mean sushy's own default of three, and a delay of 0 its two seconds.
        http = _Connector(
            self._address,
            verify=self._verify,
            server_side_retries=1,
            server_side_retries_delay=0.1,
            default_request_timeout=self._timeout,
            connect_timeout=self._timeout / 2,
        )
        root = sushy.Sushy(self._address, auth=auth.BasicAuth(self._username, self._password), connector=http)
        if self._system_path:
            return http, root.get_system(self._system_path)
        systems = root.get_system_collection().members_identities
        if len(systems) != 1:
            raise FencingError(
                f"The BMC at {self._address} lists {len(systems)} systems ({', '.join(systems) or 'none'}): "
                "set systemPath of this node's fencing entry to the right one."
            )
        return http, root.get_system(systems[0])

    async def _run(self, work: Callable[[], T]) -> T:
        """`work` in the agent's thread, for at most two request time-outs; every failure becomes a FencingError.

        One at a time: what waits here is not in the thread's queue, so giving one up doesn't cancel another.
        """
        async with self._one_at_a_time:
            return await self._run_now(work)

    async def _run_now(self, work: Callable[[], T]) -> T:
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
        """Leave a thread that may be stuck to itself; should it ever go on, it sends no power command."""
        if self._http is not None:
            self._http.given_up = True
        self._thread.shutdown(wait=False)
        self._thread = _new_thread()
        self._http = self._system = None


class _Connector(connector.Connector):  # type: ignore[misc]
    """Sends no power command once the operation that wanted it was given up."""

    given_up = False

    def post(self, *args: Any, **kwargs: Any) -> Any:
        if self.given_up:
            raise FencingError("The power command was given up before it was sent: try again.")
        return super().post(*args, **kwargs)

    def check_retry_on_exception(self, exception_msg: str) -> bool:
        """A command that a busy BMC answered with 5xx is sent once more: its system was checked on this connection."""
        return not self.given_up and "returned code 5" in exception_msg


def _word(value: object) -> str:
    """What should be a string of the BMC's answer; empty if it isn't one."""
    return value if isinstance(value, str) else ""


def _new_thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="redfish")


def _system_cas() -> bool | str:
    """The operating system's CA bundle; True (the CAs that the HTTP library brings) where there is none."""
    return ssl.get_default_verify_paths().cafile or True
