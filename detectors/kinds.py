"""The conditions that are reported, their words, and what senses each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from detectors import (
    disks,
    fans,
    memory,
    power_supplies,
    processors,
    public_network,
    raid,
    replica_storage,
    temperatures,
)
from detectors.finding import Fault
from detectors.host import Host

Sense = Callable[[Host], list[Fault]]


@dataclass(frozen=True, slots=True)
class Kind:
    """One Node condition, True when bad."""

    condition: str
    healthy_reason: str
    problem_reason: str

    @property
    def healthy_message(self) -> str:
        return f"no {self.condition} detected"


PEER = Kind("PeerUnreachable", "PeerAnswers", "PeerDoesNotAnswer")
PRIVATE_LINK = Kind("PrivateLinkProblem", "PrivateLinkIsUp", "PrivateLinkDown")
REPLICA_STORAGE = Kind("ReplicaStorageProblem", "ReplicaStorageIsInSync", "ReplicaStorageFailed")

WATCHED = (PEER, PRIVATE_LINK, REPLICA_STORAGE)
"""Reported by `detectors.watch` itself."""

PLUGINS: dict[Kind, Sense] = {
    Kind("PowerSupplyProblem", "PowerSuppliesAreHealthy", "PowerSupplyFailed"): power_supplies.faults,
    Kind("FanProblem", "FansAreHealthy", "FanFailed"): fans.faults,
    Kind("TemperatureProblem", "TemperatureIsNormal", "TemperatureTooHigh"): temperatures.faults,
    Kind("DiskProblem", "DisksAreHealthy", "DiskFailed"): disks.faults,
    Kind("RaidProblem", "RaidIsRedundant", "RaidDegraded"): raid.faults,
    Kind("MemoryProblem", "MemoryIsHealthy", "MemoryErrorsCorrected"): memory.faults,
    Kind("CPUProblem", "CPUIsHealthy", "CPUErrors"): processors.faults,
    Kind("PublicNetworkProblem", "PublicNetworkIsUp", "PublicNetworkDown"): public_network.faults,
}
"""Called by node-problem-detector."""

SENSES: dict[Kind, Sense] = {**PLUGINS, REPLICA_STORAGE: replica_storage.faults}
"""Everything that can be looked at once, and so tried by hand."""
