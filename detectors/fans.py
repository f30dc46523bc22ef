"""Fans: FanProblem."""

from __future__ import annotations

from detectors import ipmi
from detectors.finding import Fault
from detectors.host import Host

_STATES = {
    "transition to critical": "failed",
    "transition to non-recoverable": "failed",
    "predictive failure asserted": "failing",
}


def faults(host: Host) -> list[Fault]:
    """Raises CantTellError."""
    found = ipmi.sensors(host, "Fan")
    single = ipmi.threshold_faults(found, "failed", "its speed is beyond a critical threshold")
    single += ipmi.stated_faults(found, _STATES)
    return ipmi.with_parts(host, single) or ipmi.redundancy_faults(found)
