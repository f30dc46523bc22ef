"""KubeVirt's settings for live migrations, as plain values, and what they should be for a pair."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class MigrationSettings:
    """What KubeVirt's configuration says about live migrations; the defaults are KubeVirt's own."""

    in_cluster: int = 5
    """`parallelMigrationsPerCluster`."""
    from_node: int = 2
    """`parallelOutboundMigrationsPerNode`."""
    bandwidth: int = 0
    """`bandwidthPerMigration`, bytes a second; 0 is no limit."""
    completion_seconds_per_gib: int = 150
    """`completionTimeoutPerGiB`."""
    progress_seconds: int = 150
    """`progressTimeout`."""
    post_copy: bool = False
    """`allowPostCopy`."""
    network: str = ""
    """The network that the streams take; empty: that of the pods."""
    post_copy_forbidden: bool = False
    """The pair's own MigrationPolicy is in place."""


def recommended(found: MigrationSettings, max_vms: int) -> MigrationSettings:
    """The same with what keeps `max_vms` VMs from moving at once raised; nothing is ever lowered."""
    return replace(found, in_cluster=max(found.in_cluster, max_vms), from_node=max(found.from_node, max_vms))
