"""What happens to the hardware, as its observers see it."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class HardwareEvent:
    """Something physical changed. `node` is the server it happened to; empty for the private link."""

    node: str


@dataclass(frozen=True)
class NodeDied(HardwareEvent):
    """The kernel stopped, for whatever cause: every guest on the node is gone."""


@dataclass(frozen=True)
class NodeBooted(HardwareEvent):
    """The kernel runs again, under a new boot id."""

    boot_id: str


@dataclass(frozen=True)
class Partitioned(HardwareEvent):
    """The node lives, and its guests run on, but it can no longer reach the API server."""


@dataclass(frozen=True)
class Healed(HardwareEvent):
    """The node reaches the API server again."""


@dataclass(frozen=True)
class PrivateLinkChanged(HardwareEvent):
    """The private link between the two pair nodes went down or came up."""

    up: bool


@dataclass(frozen=True)
class ComponentsChanged(HardwareEvent):
    """A component of the node failed or was repaired."""


Listener = Callable[[HardwareEvent], None]
