"""Arrays that have lost redundancy: RaidProblem. Arrays that serve no more are DiskProblem's."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from detectors import controllers, smart, software_arrays
from detectors.arrays import LOST
from detectors.finding import CantTellError, Fault, collect
from detectors.host import Host


def faults(host: Host) -> list[Fault]:
    """Degraded arrays, failed members, and members that are about to fail. Raises CantTellError."""
    kinds = (software_arrays.faults, controllers.faults)
    return collect([*(partial(_degraded, faults_of, host) for faults_of in kinds), partial(_members, host)])


def _degraded(faults_of: Callable[[Host], list[Fault]], host: Host) -> list[Fault]:
    return [fault for fault in faults_of(host) if fault.state != LOST]


def _members(host: Host) -> list[Fault]:
    """Failing disks within arrays. What cannot be told of a disk is DiskProblem's to say."""
    failing = []
    for look in smart.looks(host):
        try:
            failing += look()
        except CantTellError:
            continue
    return [disk.fault for disk in failing if disk.redundant]
