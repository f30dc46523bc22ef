"""What a node has to be told: its peer, its interfaces, and from where on a count is a fault.

A JSON file, made by the chart from `detectors.pairs` and `detectors.limits`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


class SettingsError(ValueError):
    """The file cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class PublicInterface:
    """One interface of the public network."""

    name: str
    gateway: str = ""
    """IPv4 address that has to answer; empty: the default route's gateway, if it is on this interface."""


@dataclass(frozen=True, slots=True)
class Peer:
    """The other node of the pair, and the two ways to it."""

    name: str
    private_interface: str
    private_address: str
    public_address: str


@dataclass(frozen=True, slots=True)
class Limits:
    """From where on a count is a fault, and for how long silence is none."""

    corrected_errors_per_day: int = 24
    network_errors_per_minute: int = 100
    probe_seconds: float = 0.2
    missed_probes: int = 5


@dataclass(frozen=True, slots=True)
class Settings:
    """All that one node is told."""

    node: str = ""
    peer: Peer | None = None
    public_interfaces: tuple[PublicInterface, ...] = ()
    """Empty: the interface of the default route."""
    replica_storage: bool = False
    """Whether this node holds copies of disks that DRBD replicates."""
    limits: Limits = field(default_factory=Limits)


def load(path: Path, node: str) -> Settings:
    """The settings of this node; without a file the defaults, which know no peer. Raises SettingsError."""
    try:
        return _settings(json.loads(path.read_text()), node)
    except FileNotFoundError:
        return Settings(node=node)
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise SettingsError(f"{path} is no file of settings ({error!r}): install the chart again") from None


def _settings(document: dict[str, Any], node: str) -> Settings:
    limits = Limits(**document.get("limits", {}))
    replicated = bool(document.get("replica_storage", False))
    entry = document.get("nodes", {}).get(node)
    if entry is None:
        return Settings(node=node, replica_storage=replicated, limits=limits)
    return Settings(
        node=node,
        peer=Peer(**entry["peer"]),
        public_interfaces=tuple(PublicInterface(**interface) for interface in entry.get("public_interfaces", ())),
        replica_storage=replicated,
        limits=limits,
    )
