"""virt-controller's workload updates: VMIs whose launcher is of another release than KubeVirt are moved or evicted.

By the KubeVirt CR's `workloadUpdateStrategy`, and whatever their eviction strategy is: LiveMigrate makes a migration of
its own to any node that fits, Evict evicts the launcher pod of those that cannot migrate.
"""

from e2e.controlplane.client import ApiError
from e2e.kubevirt.api import (
    POD,
    VMI,
    VMIM,
    WORKLOAD_UPDATE_ANNOTATION,
    Key,
    Object,
    is_deleting,
    is_final,
    key_of,
    phase_of,
)
from e2e.kubevirt.conditions import is_true
from e2e.kubevirt.configuration import Configuration
from e2e.kubevirt.launcher_pod import launcher_image
from e2e.kubevirt.store import Client, Stores
from e2e.kubevirt.vmi_controller import current_pod, pods_of


class WorkloadUpdates:
    """`sync` looks at one VMI."""

    def __init__(self, client: Client, stores: Stores, configuration: Configuration) -> None:
        self._client = client
        self._vmis, self._migrations, self._pods = stores[VMI], stores[VMIM], stores[POD]
        self._configuration = configuration

    async def sync(self, key: Key) -> None:
        """Has the VMI moved or evicted if its launcher is outdated and no migration is under way. Raises ApiError."""
        vmi = self._vmis.get(key)
        if vmi is None or phase_of(vmi) != "Running" or is_deleting(vmi) or self._migrates(key):
            return
        pod = current_pod(vmi, pods_of(vmi, self._pods))
        if pod is None or launcher_image(pod) == self._configuration.launcher_image:
            return
        methods = self._configuration.workload_update_methods()
        if is_true(vmi, "LiveMigratable") and "LiveMigrate" in methods:
            metadata = {
                "generateName": "kubevirt-workload-update-",
                "namespace": key[0],
                "annotations": {WORKLOAD_UPDATE_ANNOTATION: ""},
            }
            spec = {"vmiName": key[1], "priority": "system-critical"}
            await self._client.create(VMIM, {"metadata": metadata, "spec": spec})
        elif "Evict" in methods:
            await self._evict(pod)

    def _migrates(self, key: Key) -> bool:
        same = (each for each in self._migrations if (key_of(each)[0], each["spec"]["vmiName"]) == key)
        return any(not is_final(migration) for migration in same)

    async def _evict(self, pod: Object) -> None:
        namespace, name = key_of(pod)
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": namespace}}
        try:
            await self._client.api.post(f"{POD.path(namespace, name)}/eviction", eviction)
        except ApiError as refusal:
            if refusal.status != 429:
                raise
