"""Disks whose loss is more than lost redundancy: DiskProblem."""

from __future__ import annotations

from functools import partial

from detectors import controllers, smart, software_arrays
from detectors.arrays import LOST
from detectors.finding import CantTellError, Fault, collect
from detectors.host import Host


def faults(host: Host) -> list[Fault]:
    """Failing disks outside arrays, and arrays that serve no more. Raises CantTellError."""
    return collect((partial(_single, host), partial(_lost_arrays, host)))


def _single(host: Host) -> list[Fault]:
    def outside(look: smart.Look) -> list[Fault]:
        return [disk.fault for disk in look() if not disk.redundant]

    return collect(partial(outside, look) for look in smart.looks(host))


def _lost_arrays(host: Host) -> list[Fault]:
    """What cannot be told of arrays is RaidProblem's to say."""
    found = []
    for faults_of in (software_arrays.faults, controllers.faults):
        try:
            found += faults_of(host)
        except CantTellError:
            continue
    return [fault for fault in found if fault.state == LOST]
