"""The servers of a lab as physical things: power, kernel, boot id, network, failed components. Knows no Kubernetes."""

import enum
import uuid
from dataclasses import dataclass, field

from e2e.hardware.components import Fault

PAIR_NODES = ("node-a", "node-b")
CONTROL_PLANE_NODE = "cp-0"


class Power(enum.StrEnum):
    """What a BMC truthfully reports."""

    ON = "On"
    OFF = "Off"


KUBELET_VERSION = "v1.36.3"


@dataclass
class Server:
    """One machine. `uuid` is its SMBIOS system UUID; `failed` holds faults by condition type and component."""

    name: str
    uuid: str
    address: str
    cpus: int
    memory_gib: int
    power: Power = Power.ON
    kernel_running: bool = True
    partitioned: bool = False
    kubelet_version: str = KUBELET_VERSION
    boot_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    failed: dict[tuple[str, str], Fault] = field(default_factory=dict)

    @property
    def alive(self) -> bool:
        """Whether programs run on it."""
        return self.power is Power.ON and self.kernel_running

    @property
    def api_reachable(self) -> bool:
        """Whether programs run on it that can talk to the API server."""
        return self.alive and not self.partitioned

    def faults(self, condition: str) -> list[Fault]:
        """The failed components of a kind, by component name."""
        return [fault for (kind, _), fault in sorted(self.failed.items()) if kind == condition]


def new_servers() -> dict[str, Server]:
    """Two equal pair nodes and a small one for the control plane, with fresh UUIDs, powered on and booted."""
    servers = [
        Server(name, str(uuid.uuid4()), f"192.0.2.{11 + index}", cpus=16, memory_gib=64)
        for index, name in enumerate(PAIR_NODES)
    ]
    servers.append(Server(CONTROL_PLANE_NODE, str(uuid.uuid4()), "192.0.2.10", cpus=4, memory_gib=8))
    return {server.name: server for server in servers}
