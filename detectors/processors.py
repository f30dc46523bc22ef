"""Processors: CPUProblem."""

from __future__ import annotations

from detectors import ipmi
from detectors.finding import Fault
from detectors.host import Host

_STATES = {
    "ierr": "failed",
    "thermal trip": "too-hot",
    "frb1/bist failure": "failed",
    "frb2/hang in post failure": "failed",
    "frb3/processor startup/init failure": "failed",
    "configuration error": "misconfigured",
    "sm bios uncorrectable cpu-complex error": "failed",
    "disabled": "disabled",
    "uncorrectable machine check exception": "failed",
}


def faults(host: Host) -> list[Fault]:
    """Raises CantTellError."""
    return ipmi.with_parts(host, ipmi.stated_faults(ipmi.sensors(host, "Processor"), _STATES))
