"""Block devices below /sys."""

from __future__ import annotations

from detectors.host import Host


def in_software_array(host: Host, device: str) -> bool:
    """Whether a disk, or a partition of it, is a member of an md array: then its loss costs redundancy only."""
    disk = host.root / "sys/block" / device
    return any(disk.glob("holders/md*")) or any(disk.glob("*/holders/md*"))


def numbers_of(host: Host, device: str) -> tuple[str, str]:
    """Part and serial number of a disk, `-` where the kernel does not know them."""
    found = []
    for name in ("model", "serial"):
        try:
            found.append(host.read(f"sys/block/{device}/device/{name}") or "-")
        except OSError:
            found.append("-")
    return found[0], found[1]
