"""The kinds of components that can fail, the Node condition that reports each, and how a fault is worded.

Conditions are True when bad, as node-problem-detector does it. A message names every failed component of its kind:
`component=<id> state=<…> part=<…> serial=<…> detail=<free text>`, several of them separated by `; `.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class ComponentKind:
    """One Node condition: its type, the reasons for False and True, and the part number of such a component."""

    condition: str
    healthy_reason: str
    problem_reason: str
    part: str = "-"

    @property
    def healthy_message(self) -> str:
        """The message while nothing of this kind is wrong."""
        return f"no {self.condition} detected"


KINDS = {
    kind.condition: kind
    for kind in (
        ComponentKind("PowerSupplyProblem", "PowerSuppliesAreHealthy", "PowerSupplyFailed", "PSU-920W-P"),
        ComponentKind("FanProblem", "FansAreHealthy", "FanFailed", "FAN-40X56"),
        ComponentKind("TemperatureProblem", "TemperatureIsNormal", "TemperatureTooHigh"),
        ComponentKind("DiskProblem", "DisksAreHealthy", "DiskFailed", "SSD-1T92-R"),
        ComponentKind("RaidProblem", "RaidIsRedundant", "RaidDegraded"),
        ComponentKind("MemoryProblem", "MemoryIsHealthy", "MemoryErrorsCorrected", "DIMM-32G-E"),
        ComponentKind("CPUProblem", "CPUIsHealthy", "CPUErrors", "CPU-16C"),
        ComponentKind("PublicNetworkProblem", "PublicNetworkIsUp", "PublicNetworkDown", "NIC-25G-2"),
        ComponentKind("PrivateLinkProblem", "PrivateLinkIsUp", "PrivateLinkDown"),
        ComponentKind("PeerUnreachable", "PeerAnswers", "PeerDoesNotAnswer"),
        ComponentKind("ReplicaStorageProblem", "ReplicaStorageIsInSync", "ReplicaStorageFailed"),
    )
}

# These two are not parts that fail: they follow from the state of the link and of the peer.
DERIVED = {"PrivateLinkProblem": "cut-link", "PeerUnreachable": "power-cut, crash, or partition with cut-link"}


@dataclass(frozen=True)
class Fault:
    """A failed component."""

    component: str
    state: str
    part: str
    serial: str
    detail: str

    def __str__(self) -> str:
        return (
            f"component={self.component} state={self.state} part={self.part} serial={self.serial} detail={self.detail}"
        )


def component_kind(name: str) -> ComponentKind:
    """The kind for a condition type (`PowerSupplyProblem`) or a friendly name (`PowerSupply`). Raises ValueError."""
    wanted = name.lower().replace("-", "")
    for condition, kind in KINDS.items():
        if wanted in (condition.lower(), condition.removesuffix("Problem").lower()):
            return kind
    known = ", ".join(condition.removesuffix("Problem") for condition in KINDS)
    raise ValueError(f"unknown component kind {name!r}: use one of {known}")
