"""What a fence agent is: three verbs on one machine's power. Whether and when to use them is decided elsewhere."""

from __future__ import annotations

from typing import Protocol

from avance.core.power import PowerReading


class FencingError(Exception):
    """The power could not be switched, or must not be. The message says what failed and what to do."""


class FenceAgent(Protocol):
    """Controls the power of one node through its BMC.

    `off` and `on` return once the BMC accepted the request, or had nothing to do. Neither proves anything: a BMC may
    take seconds, or lie. Poll `status()` until it reads what was wanted.
    """

    async def status(self) -> PowerReading:
        """Ask the BMC now; never raises for a BMC that can't be read, see `PowerReading.error`."""
        ...

    async def off(self, expected_system_uuid: str) -> None:
        """Cut the power at once, without asking the operating system.

        Raises FencingError, with nothing sent, unless the BMC reports `expected_system_uuid` (the Node's systemUUID).
        """
        ...

    async def on(self, expected_system_uuid: str) -> None:
        """Switch the power on, under the same condition."""
        ...

    async def close(self) -> None:
        """Give back connections, threads and files. The agent is unusable afterwards."""
        ...
