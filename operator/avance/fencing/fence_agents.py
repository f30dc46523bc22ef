"""Fencing by any program of the fence-agents family (`fence_ipmilan`, `fence_apc_snmp`, …), as Pacemaker runs them.

The program is run anew for each question. It reads its parameters, passwords too, from its standard input, one
`name=value` a line: a command line can be seen by every process of the host. Its exit status alone proves nothing, for
2 means `off` after `status`, and wrong parameters everywhere else. So a state counts only if exit status and output say
the same.

No such program says whose power it switches. The node's system UUID that a person has confirmed for these parameters
stands for the proof: should the node be another machine one day, nothing is believed or switched.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping

from avance.core.power import PowerReading, same_system
from avance.fencing.agent import FencingError
from avance.fencing.ca_file import CaFile
from avance.fencing.process_tree import MARK, kill_tree, new_mark

log = logging.getLogger(__name__)

STATES = {(0, "ON"): "On", (2, "OFF"): "Off"}
"""What exit status and output of `status` mean together; nothing else means anything."""
_STATUS = re.compile(r"^Status: (\w+)\s*$", re.MULTILINE)
_REASONS = {
    1: "it failed",
    2: "it does not accept its parameters",
    3: "the login was denied: correct the credentials in the Secret",
    4: "the connection was lost",
    5: "it timed out",
    6: "the machine did not go on in time",
    7: "the machine did not go off in time",
    8: "it could not read the power state",
    10: "it lacks a password: add the key password to the Secret",
    11: "the account may not control power",
}
OUTPUT_SHOWN = 300
PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "PYTHONPATH")
SWITCH_PATIENCE = 4
"""These programs poll until the machine is off or on, so switching may take as many times the request time-out."""


class FenceProgram:
    """A `FenceAgent` that runs one program."""

    def __init__(
        self,
        program: str,
        parameters: Mapping[str, str],
        secrets: Mapping[str, str],
        *,
        clock: Callable[[], float],
        system_uuid: str,
        ca_bundle: str = "",
        request_timeout: float = 10.0,
    ) -> None:
        """`system_uuid`: of the machine that a person has confirmed for these parameters. `secrets`: parameters that
        nobody may see. `ca_bundle`: PEM certificates, for programs that read REQUESTS_CA_BUNDLE or SSL_CERT_FILE.
        `request_timeout`: seconds for a status, and four times that for switching. `clock`: epoch seconds.
        """
        self._program = program
        self._parameters = {**parameters, **secrets}
        self._secrets = sorted((value for value in secrets.values() if value), key=len, reverse=True)
        self._clock = clock
        self._system_uuid = system_uuid
        self._timeout = request_timeout
        self._ca_file = CaFile(ca_bundle) if ca_bundle else None
        self._source = f"{program} {parameters.get('ip', '')}".strip()
        self._one_at_a_time = asyncio.Lock()

    async def status(self) -> PowerReading:
        """See `FenceAgent.status`: one run of the program."""
        observed_at = self._clock()
        try:
            code, output = await self._run("status", self._timeout)
        except FencingError as error:
            return PowerReading("", self._system_uuid, observed_at, str(error), self._source)
        said = _STATUS.search(output)
        state = STATES.get((code, said[1].upper() if said else ""), "")
        wrong = "" if state else self._explain("status", code, output)
        return PowerReading(state, self._system_uuid, observed_at, wrong, self._source)

    async def off(self, expected_system_uuid: str) -> None:
        """See `FenceAgent.off`. Nothing is run unless the confirmed machine is the node's."""
        await self._switch("off", expected_system_uuid)

    async def on(self, expected_system_uuid: str) -> None:
        """See `FenceAgent.on`."""
        await self._switch("on", expected_system_uuid)

    async def close(self) -> None:
        """See `FenceAgent.close`."""
        if self._ca_file:
            self._ca_file.remove()

    async def _switch(self, action: str, expected_system_uuid: str) -> None:
        if not same_system(self._system_uuid, expected_system_uuid):
            raise FencingError(
                f"The parameters of {self._source} were confirmed for the machine {self._system_uuid}, but the node's "
                f"systemUUID is {expected_system_uuid or 'unknown'}: nothing was sent. See whose power they switch, "
                "and correct systemUUID of this node's fencing entry."
            )
        code, output = await self._run(action, SWITCH_PATIENCE * self._timeout)
        if code != 0:
            raise FencingError(self._explain(action, code, output))

    async def _run(self, action: str, limit: float) -> tuple[int, str]:
        """Exit status and output. Whatever ends this early, nothing of the program is left running."""
        program = shutil.which(self._program)
        if program is None:
            raise FencingError(
                f"There is no program {self._program} here: build the operator's image with the fence-agents "
                "(docs/fencing.md says how), or correct agent in this node's fencing entry."
            )
        mark = new_mark()
        async with self._one_at_a_time:
            process = await asyncio.create_subprocess_exec(
                program,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                env=self._environment(mark),
                start_new_session=True,
            )
            try:
                async with asyncio.timeout(limit):
                    output, _ = await process.communicate(self._input(action))
                return process.returncode or 0, output.decode(errors="replace")
            except TimeoutError:
                raise FencingError(
                    f"{self._source} did not finish within {limit:g} s and was ended: check the management network and "
                    "the BMC's load, or raise requestTimeoutSeconds."
                ) from None
            finally:
                kill_tree(process.pid, mark)
                await asyncio.shield(process.wait())

    def _input(self, action: str) -> bytes:
        lines = {**self._parameters, "action": action}
        return "".join(f"{name}={value}\n" for name, value in lines.items()).encode()

    def _environment(self, mark: str) -> dict[str, str]:
        """Nothing of the operator's own environment but where programs are found."""
        environment = {
            name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "PYTHONPATH") if name in os.environ
        }
        certificates = (
            dict.fromkeys(("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"), self._ca_file.path) if self._ca_file else {}
        )
        return {**environment, **certificates, "LANG": "C.UTF-8", "HOME": tempfile.gettempdir(), MARK: mark}

    def _explain(self, action: str, code: int, output: str) -> str:
        reason = _REASONS.get(code, f"exit status {code}")
        if code in (0, 2) and action == "status":
            reason = f"exit status {code} and its output do not say the same"
        return f"{self._source} {action}: {reason} ({self._without_secrets(output) or 'no output'})."

    def _without_secrets(self, output: str) -> str:
        text = " ".join(output.split())
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text[-OUTPUT_SHOWN:]
