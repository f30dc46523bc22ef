"""What the KubeVirt object configures, read anew at every use so that a change acts at once, and the stand-in's own
timings.
"""

from dataclasses import dataclass
from typing import Any

from e2e.kubevirt.api import KUBEVIRT, SYSTEM_NAMESPACE
from e2e.kubevirt.store import Stores

_MIGRATION_DEFAULTS: dict[str, Any] = {
    "parallelMigrationsPerCluster": 5,
    "parallelOutboundMigrationsPerNode": 2,
    "allowAutoConverge": False,
    "bandwidthPerMigration": "0",
    "completionTimeoutPerGiB": 150,
    "progressTimeout": 150,
    "maxDowntimeMs": 900,
    "allowPostCopy": False,
    "allowWorkloadDisruption": False,
    "unsafeMigrationOverride": False,
    "nodeDrainTaintKey": "kubevirt.io/drain",
}


@dataclass
class Timings:
    """Seconds. The first group is physics and may be shortened by tests; the second is KubeVirt's own."""

    boot: float = 1.0
    shutdown: float = 1.0
    agent_connects: float = 0.3
    container_start: float = 0.1
    prepare_target: float = 0.3
    copy_base: float = 0.5
    copy_per_gib: float = 0.25
    socket_break: float = 0.06
    kubelet_back: float = 2.0
    """From a boot or a healed partition to the kubelet's first look at its pods, which ends stray QEMUs ..."""
    handler_back: float = 3.0
    """... and to virt-handler's first look at its VMIs."""
    watchdog: float = 30.0
    """The guest's watchdog device fires this long after the guest stopped feeding it."""

    heartbeat: float = 60.0
    heartbeat_jitter: float = 1.2
    node_check: float = 60.0
    node_timeout: float = 300.0
    migration_retry: float = 5.0
    blocked_migration_retry: float = 1.0
    evacuation_resync: float = 300.0
    workload_update: float = 1.0
    """How often virt-controller looks for outdated launchers; the real one does every 30 s or so."""
    start_backoff: float = 10.0
    start_backoff_cap: float = 300.0


class Configuration:
    """The effective configuration of KubeVirt."""

    def __init__(self, stores: Stores) -> None:
        self._store = stores[KUBEVIRT]
        self.launcher_image = "kubevirt.invalid/virt-launcher:stand-in"
        """Of the pods that virt-controller makes; another one after an upgrade of KubeVirt."""

    def _kubevirt(self) -> dict[str, Any]:
        found = self._store.get((SYSTEM_NAMESPACE, "kubevirt")) or {}
        spec: dict[str, Any] = found.get("spec") or {}
        return spec

    def _spec(self) -> dict[str, Any]:
        configuration: dict[str, Any] = self._kubevirt().get("configuration") or {}
        return configuration

    def workload_update_methods(self) -> list[str]:
        """What is done about VMIs whose launcher is outdated (workloadUpdateStrategy); nothing by default."""
        methods: list[str] = (self._kubevirt().get("workloadUpdateStrategy") or {}).get("workloadUpdateMethods") or []
        return methods

    def migrations(self) -> dict[str, Any]:
        """Migration options with defaults filled in."""
        return {**_MIGRATION_DEFAULTS, **(self._spec().get("migrations") or {})}

    def eviction_strategy(self) -> str:
        """The strategy of VMIs that name none."""
        strategy: str = self._spec().get("evictionStrategy") or "None"
        return strategy

    def live_update(self) -> bool:
        """Whether live-updatable template edits reach the running VMI (vmRolloutStrategy)."""
        return bool(self._spec().get("vmRolloutStrategy", "LiveUpdate") == "LiveUpdate")

    def feature_gates(self) -> frozenset[str]:
        """The feature gates switched on."""
        return frozenset((self._spec().get("developerConfiguration") or {}).get("featureGates") or ())
