"""Power supplies: PowerSupplyProblem."""

from __future__ import annotations

from detectors import ipmi
from detectors.finding import Fault
from detectors.host import Host

_STATES = {
    "failure detected": "failed",
    "predictive failure": "failing",
    "power supply ac lost": "no-input",
    "ac lost or out-of-range": "no-input",
    "ac out-of-range": "no-input",
    "config error": "misconfigured",
}


def faults(host: Host) -> list[Fault]:
    """Raises CantTellError."""
    found = ipmi.sensors(host, "Power Supply")
    single = ipmi.stated_faults(found, _STATES)
    single += ipmi.threshold_faults(found, "failed", "beyond a critical threshold of the management controller")
    return ipmi.with_parts(host, single) or ipmi.redundancy_faults(found)
