"""The physical truth of a lab: servers with power and boot ids, their network, BMCs, kubelets and problem detectors.

Knows nothing of the product or of KubeVirt, and of Kubernetes only what a kubelet and a problem detector tell it.
"""

from e2e.hardware.bmc import Bmc, BmcMode
from e2e.hardware.events import (
    ComponentsChanged,
    HardwareEvent,
    Healed,
    NodeBooted,
    NodeDied,
    Partitioned,
    PrivateLinkChanged,
)
from e2e.hardware.hardware import Hardware, HardwareError
from e2e.hardware.servers import CONTROL_PLANE_NODE, PAIR_NODES, Power, Server

__all__ = [
    "CONTROL_PLANE_NODE",
    "PAIR_NODES",
    "Bmc",
    "BmcMode",
    "ComponentsChanged",
    "Hardware",
    "HardwareError",
    "HardwareEvent",
    "Healed",
    "NodeBooted",
    "NodeDied",
    "Partitioned",
    "Power",
    "PrivateLinkChanged",
    "Server",
]
