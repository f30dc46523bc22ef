"""virt-controller's evacuation: VMIs that an eviction or a drain taint marked leave their node by live migration.

VMIs with eviction strategy External are marked and never moved: somebody else is meant to do that.
"""

import asyncio

from e2e.kubevirt.api import (
    EVACUATION_ANNOTATION,
    NODE,
    VMI,
    VMIM,
    Key,
    Object,
    is_deleting,
    is_final,
    key_of,
    phase_of,
    uid_of,
)
from e2e.kubevirt.conditions import is_true
from e2e.kubevirt.configuration import Configuration, Timings
from e2e.kubevirt.store import Client, Stores

_MIGRATING_STRATEGIES = ("LiveMigrate", "LiveMigrateIfPossible")


class Evacuation:
    """Creates evacuation migrations. `sync` looks at one VMI."""

    def __init__(self, client: Client, stores: Stores, configuration: Configuration, timings: Timings) -> None:
        self._client = client
        self._vmis, self._migrations, self._nodes = stores[VMI], stores[VMIM], stores[NODE]
        self._configuration, self._timings = configuration, timings
        self._asked: dict[str, str] = {}
        """Evacuation migration (its name) last made for a VMI (by UID)."""
        self._cancelled: dict[str, float] = {}

    async def sync(self, key: Key) -> None:
        """Makes a migration if the VMI has to leave and none is under way. Raises ApiError."""
        vmi = self._vmis.get(key)
        if vmi is None or not self._must_leave(vmi):
            return
        if any(self._is_open(migration, key) for migration in self._migrations):
            return
        if self._was_cancelled(vmi):
            return
        node = vmi["status"]["nodeName"]
        created = await self._client.create(
            VMIM,
            {
                "metadata": {
                    "generateName": "kubevirt-evacuation-",
                    "namespace": key[0],
                    "annotations": {EVACUATION_ANNOTATION: node},
                },
                "spec": {"vmiName": key[1], "priority": "system-critical"},
            },
        )
        self._asked[uid_of(vmi)] = created["metadata"]["name"]

    def _must_leave(self, vmi: Object) -> bool:
        status = vmi.get("status") or {}
        if phase_of(vmi) != "Running" or is_deleting(vmi) or not is_true(vmi, "LiveMigratable"):
            return False
        strategy = vmi["spec"].get("evictionStrategy") or self._configuration.eviction_strategy()
        if strategy not in _MIGRATING_STRATEGIES:
            return False
        return status.get("evacuationNodeName") == status.get("nodeName") or self._drained(status.get("nodeName", ""))

    def _drained(self, name: str) -> bool:
        node = self._nodes.get(("", name)) or {"spec": {}}
        drain_key = self._configuration.migrations()["nodeDrainTaintKey"]
        taints = node["spec"].get("taints") or []
        return any(taint["key"] == drain_key and taint["effect"] == "NoSchedule" for taint in taints)

    def _is_open(self, migration: Object, key: Key) -> bool:
        same = key_of(migration)[0] == key[0] and migration["spec"]["vmiName"] == key[1]
        return same and not is_final(migration)

    def _was_cancelled(self, vmi: Object) -> bool:
        """A cancelled evacuation is taken up again only by the next periodic look at everything."""
        now = asyncio.get_running_loop().time()
        asked = self._asked.get(uid_of(vmi))
        if asked and self._migrations.get((key_of(vmi)[0], asked)) is None:
            self._cancelled[uid_of(vmi)] = now
            del self._asked[uid_of(vmi)]
        since = self._cancelled.get(uid_of(vmi))
        return since is not None and now - since < self._timings.evacuation_resync
