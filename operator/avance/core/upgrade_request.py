"""What a rolling upgrade is asked to wait for on each server, beside a person's word."""

from __future__ import annotations

from dataclasses import dataclass

VERSIONS = ("kubeletVersion", "kernelVersion", "osImage", "containerRuntimeVersion")
"""Of Node.status.nodeInfo: those that may be waited for."""
ANYTHING_NEW = "*"
"""In the place of a version: another one than before the upgrade began."""


@dataclass(frozen=True, slots=True)
class UpgradeWord:
    """All of it has to be so, with the server Ready."""

    versions: tuple[tuple[str, str], ...] = ()
    """Versions that the server has to report, by their names."""
