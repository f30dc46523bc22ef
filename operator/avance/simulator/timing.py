"""How long things take in a simulated world: typical values, or what was measured on a real pair."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds. VMs are named by `namespace/name`; one that is not named takes the typical time."""

    power_off: float = 1.25
    """From a BMC's accepting a power cut to its reading Off."""
    guest_boot: float = 1.0
    """From a launcher pod's running to the guest's."""
    copy: float = 4.0
    """Of a live migration."""
    guest_boots: Mapping[str, float] = field(default_factory=dict)
    copies: Mapping[str, float] = field(default_factory=dict)

    def boot_of(self, vm: str) -> float:
        return self.guest_boots.get(vm, self.guest_boot)

    def copy_of(self, vm: str) -> float:
        return self.copies.get(vm, self.copy)
