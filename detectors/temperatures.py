"""Temperatures: TemperatureProblem. The thresholds are those that the vendor has set in the management controller."""

from __future__ import annotations

from detectors import ipmi
from detectors.finding import Fault
from detectors.host import Host

_STATES = {
    "transition to critical": "too-hot",
    "transition to non-recoverable": "too-hot",
    "upper critical going high": "too-hot",
    "upper non-recoverable going high": "too-hot",
}


def faults(host: Host) -> list[Fault]:
    """Raises CantTellError."""
    found = ipmi.sensors(host, "Temperature")
    return ipmi.threshold_faults(found, "too-hot", "beyond a critical threshold") + ipmi.stated_faults(found, _STATES)
