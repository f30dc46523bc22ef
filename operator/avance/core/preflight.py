"""Could every VM of the pair move at the same time now, by what KubeVirt's configuration allows?

A graceful failover moves all VMs at once, each independently. KubeVirt's defaults let two leave a node at a time, and
the rest queues. Post-copy is never used: with it the guest is lost if either server dies in the middle.
"""

from __future__ import annotations

from collections.abc import Iterator

from avance.core.capacity import admitted
from avance.core.condition import Condition
from avance.core.migration_settings import MigrationSettings
from avance.core.model import PairView

LINK_SECONDS_PER_GIB = 10.0
"""What a link of 1 Gbit/s takes; a time limit of less gives moves up that only need their time."""


def migrations_ready(view: PairView) -> Condition:
    """Whether all VMs may move at once, and if not, what to change in KubeVirt."""
    found = view.surroundings.migrations
    if found is None:
        return Condition("MigrationsReady", None, "NotKnown", "KubeVirt's configuration has not been read yet")
    lacks = list(_lacks(view, found))
    if lacks:
        where = "in spec.configuration.migrations of the KubeVirt object"
        return Condition("MigrationsReady", False, "Limited", f"{'; '.join(lacks)}; change it {where}")
    way = f"over the network {found.network}" if found.network else "over the network of the pods"
    return Condition("MigrationsReady", True, "AsExpected", f"every VM can move at the same time, {way}")


def _lacks(view: PairView, found: MigrationSettings) -> Iterator[str]:
    """First what slows a failover down, then what ends or endangers it."""
    vms, wanted = len(admitted(view)), view.policy.limits.max_vms
    if found.from_node < vms:
        yield (
            f"{found.from_node} of {vms} VMs leave a node at a time: set parallelOutboundMigrationsPerNode to {wanted}"
        )
    if found.in_cluster < vms:
        yield f"{found.in_cluster} of {vms} VMs move at a time: set parallelMigrationsPerCluster to {wanted}"
    largest = max((vm.needs.memory_bytes for vm in admitted(view)), default=0)
    if found.bandwidth and largest / found.bandwidth > view.policy.migration.timeout_seconds:
        needed = largest / view.policy.migration.timeout_seconds / 1024**2
        yield (
            f"the largest VM needs {needed:.0f}Mi a second to move within migration.timeoutSeconds: "
            "raise bandwidthPerMigration"
        )
    if found.completion_seconds_per_gib < LINK_SECONDS_PER_GIB:
        yield (
            f"KubeVirt gives a move up after {found.completion_seconds_per_gib} s a GiB: "
            "set completionTimeoutPerGiB to 150"
        )
    if found.progress_seconds < view.policy.migration.unschedulable_seconds:
        yield f"KubeVirt gives a move up after {found.progress_seconds} s without progress: set progressTimeout to 150"
    if found.post_copy and not found.post_copy_forbidden:
        yield "post-copy is allowed and loses a guest if either server dies: set allowPostCopy to false"
