"""A virtual BMC that speaks IPMI over LAN (pyghmi's), as a process: `python -m e2e.hardware.ipmi_bmc PORT STATE-FILE`.

The state file holds `on` or `off`: it is the server's power, written by orders and, from outside, by whatever else
switches the server. User and password are those of the lab's other BMCs.
"""

from __future__ import annotations

import sys
from pathlib import Path

from pyghmi.ipmi.bmc import Bmc

from e2e.hardware.redfish_emulator import PASSWORD, USERNAME


class IpmiBmc(Bmc):  # type: ignore[misc]
    """One server's; what it does not override answers that it can't."""

    def __init__(self, port: int, state: Path) -> None:
        super().__init__({USERNAME: PASSWORD}, port=port, address="127.0.0.1")
        self._state = state

    def get_power_state(self) -> str:
        return self._state.read_text().strip()

    def power_off(self) -> None:
        self._state.write_text("off")

    def power_on(self) -> None:
        self._state.write_text("on")


if __name__ == "__main__":
    IpmiBmc(int(sys.argv[1]), Path(sys.argv[2])).listen()
