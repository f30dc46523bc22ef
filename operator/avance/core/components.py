"""The parts of a server that can fail, how grave a fault of each is, and which Node condition reports it.

The table is design vocabulary: every kind has a default severity and weight that a pair's spec may override. Weights
are points taken off a health score of 100, so a weight is also the price of moving a VM away (see `health`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much a fault takes away."""

    BENIGN = "Benign"
    """Redundancy is lost, service is kept: one of two power supplies."""
    SERIOUS = "Serious"
    """A service of the node is lost: a public network, a disk."""
    FATAL = "Fatal"
    """The node is gone."""


class ComponentKind(StrEnum):
    """The kinds of parts that faults are recorded against."""

    POWER_SUPPLY = "PowerSupply"
    FAN = "Fan"
    TEMPERATURE = "Temperature"
    DISK = "Disk"
    RAID = "Raid"
    MEMORY = "Memory"
    CPU = "CPU"
    PUBLIC_NETWORK = "PublicNetwork"
    PRIVATE_LINK = "PrivateLink"
    REPLICA_STORAGE = "ReplicaStorage"
    KERNEL = "Kernel"
    KUBELET = "Kubelet"
    CONTAINER_RUNTIME = "ContainerRuntime"
    VIRT_HANDLER = "VirtHandler"
    SERVER = "Server"
    """The server as a whole: its crashes are recorded, no condition reports them."""


@dataclass(frozen=True, slots=True)
class ComponentClass:
    """What a fault of one kind of component means."""

    noun: str
    """As it stands in a sentence: `power supply PSU2 of node-a failed`."""
    severity: Severity
    weight: int
    """Points off the health score for each failed component, 0 to 100."""
    spare_part: bool
    """A part that somebody can send: its faults call home."""


_B, _S = Severity.BENIGN, Severity.SERIOUS

COMPONENT_CLASSES: dict[ComponentKind, ComponentClass] = {
    ComponentKind.POWER_SUPPLY: ComponentClass("power supply", _B, 8, spare_part=True),
    ComponentKind.FAN: ComponentClass("fan", _B, 6, spare_part=True),
    ComponentKind.TEMPERATURE: ComponentClass("temperature sensor", _B, 10, spare_part=True),
    ComponentKind.RAID: ComponentClass("RAID array", _B, 10, spare_part=True),
    ComponentKind.MEMORY: ComponentClass("memory", _B, 10, spare_part=True),
    ComponentKind.CPU: ComponentClass("CPU", _S, 30, spare_part=True),
    ComponentKind.DISK: ComponentClass("disk", _S, 40, spare_part=True),
    ComponentKind.PUBLIC_NETWORK: ComponentClass("public network interface", _S, 40, spare_part=True),
    ComponentKind.REPLICA_STORAGE: ComponentClass("replica storage", _S, 40, spare_part=False),
    # Both ends see a broken link, and a dead peer looks the same: it says nothing about which server is the better one
    # or which part is broken, so it neither moves a VM nor calls home.
    ComponentKind.PRIVATE_LINK: ComponentClass("private link", _S, 0, spare_part=False),
    ComponentKind.KERNEL: ComponentClass("kernel", _S, 50, spare_part=False),
    ComponentKind.KUBELET: ComponentClass("kubelet", _S, 30, spare_part=False),
    ComponentKind.CONTAINER_RUNTIME: ComponentClass("container runtime", _S, 30, spare_part=False),
    ComponentKind.VIRT_HANDLER: ComponentClass("virt-handler", _S, 30, spare_part=False),
    ComponentKind.SERVER: ComponentClass("server", Severity.FATAL, 100, spare_part=False),
}

PEER_UNREACHABLE = "PeerUnreachable"
"""The condition by which one node reports that it hears nothing of the other: an opinion on the *peer*, no fault."""

CONDITION_KINDS: dict[str, ComponentKind] = {
    # avance's own detectors
    "PowerSupplyProblem": ComponentKind.POWER_SUPPLY,
    "FanProblem": ComponentKind.FAN,
    "TemperatureProblem": ComponentKind.TEMPERATURE,
    "DiskProblem": ComponentKind.DISK,
    "RaidProblem": ComponentKind.RAID,
    "MemoryProblem": ComponentKind.MEMORY,
    "CPUProblem": ComponentKind.CPU,
    "PublicNetworkProblem": ComponentKind.PUBLIC_NETWORK,
    "PrivateLinkProblem": ComponentKind.PRIVATE_LINK,
    "ReplicaStorageProblem": ComponentKind.REPLICA_STORAGE,
    # node-problem-detector's stock monitors
    "KernelDeadlock": ComponentKind.KERNEL,
    "ReadonlyFilesystem": ComponentKind.DISK,
    "XfsShutdown": ComponentKind.DISK,
    "FrequentUnregisterNetDevice": ComponentKind.KERNEL,
    "FrequentKubeletRestart": ComponentKind.KUBELET,
    "KubeletUnhealthy": ComponentKind.KUBELET,
    "FrequentContainerdRestart": ComponentKind.CONTAINER_RUNTIME,
    "FrequentDockerRestart": ComponentKind.CONTAINER_RUNTIME,
    "ContainerRuntimeUnhealthy": ComponentKind.CONTAINER_RUNTIME,
}
