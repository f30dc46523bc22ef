"""What lies around a pair and still decides what may be begun for it: the cluster, and this operator in it."""

from __future__ import annotations

from dataclasses import dataclass

from avance.core.kubevirt_health import KubeVirtHealth
from avance.core.migration_settings import MigrationSettings


@dataclass(frozen=True, slots=True)
class Surroundings:
    """How the cluster around a pair, and this operator in it, are doing."""

    in_charge_since: float = 0.0
    """When this operator began to lead."""
    migrations: MigrationSettings | None = None
    """KubeVirt's settings for migrations; None before they were read."""
    kubevirt: KubeVirtHealth | None = None
    """How KubeVirt itself is doing; None before it was asked."""
    other_nodes: int = 0
    """Nodes of the cluster outside the pair."""
    silent_nodes: int = 0
    """How many of these have renewed no Lease for as long as makes a node of a pair suspect."""
    writes_fail_since: float | None = None
    """Since when the API server has answered none of this operator's writes; None while it does."""
    storm_seen_at: float | None = None
    """When a storm was last seen; None if none was."""
