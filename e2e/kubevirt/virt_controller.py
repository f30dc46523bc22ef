"""virt-controller as one program: its controllers, which change is looked at by which of them, and periodic work."""

import asyncio
import logging
from datetime import UTC, datetime

from e2e.controlplane.client import APPLY, ApiError
from e2e.kubevirt.api import (
    DATA_VOLUME,
    DOMAIN_ANNOTATION,
    LEASE,
    MIGRATION_JOB_ANNOTATION,
    NODE,
    POD,
    PVC,
    SYSTEM_NAMESPACE,
    VM,
    VMI,
    VMIM,
    Key,
    Object,
    annotations_of,
    is_final,
    key_of,
)
from e2e.kubevirt.configuration import Configuration, Timings
from e2e.kubevirt.evacuation import Evacuation
from e2e.kubevirt.migration_controller import MigrationController
from e2e.kubevirt.migration_policy import MigrationPolicies
from e2e.kubevirt.node_controller import NodeController
from e2e.kubevirt.store import Client, Stores
from e2e.kubevirt.vm_controller import VMController
from e2e.kubevirt.vmi_controller import VMIController
from e2e.kubevirt.workload_update import WorkloadUpdates
from e2e.kubevirt.workqueue import WorkQueue

log = logging.getLogger(__name__)


class VirtController:
    """Listens from its creation; acts between `start` and `stop`, but not while `set_down(True)`."""

    def __init__(self, client: Client, stores: Stores, configuration: Configuration, timings: Timings) -> None:
        self._stores, self._timings = stores, timings
        self._nodes = NodeController(client, stores, timings)
        self._vms = VMController(client, stores, configuration, timings).queue
        self._vmis = VMIController(client, stores, configuration).queue
        policies = MigrationPolicies(stores)
        self._migrations = MigrationController(client, stores, configuration, policies, timings).queue
        self._evacuations = WorkQueue("evacuation", Evacuation(client, stores, configuration, timings).sync)
        self._updates = WorkQueue("workload update", WorkloadUpdates(client, stores, configuration).sync)
        self._queues: list[WorkQueue[Key]] = [
            self._vms, self._vmis, self._migrations, self._evacuations, self._updates
        ]  # fmt: skip
        self._configuration = configuration
        self._periodic: list[asyncio.Task[None]] = []
        self._api = client.api
        self._down = False
        stores[VM].subscribe(lambda vm, gone: self._vms.add(key_of(vm)))
        stores[VMI].subscribe(self._vmi_changed)
        stores[POD].subscribe(self._pod_changed)
        stores[VMIM].subscribe(self._migration_changed)
        stores[PVC].subscribe(self._claim_changed)
        stores[NODE].subscribe(self._node_changed)
        stores[DATA_VOLUME].subscribe(self._data_volume_changed)

    def start(self) -> None:
        """Begins with everything that is there."""
        self._periodic = [
            asyncio.create_task(self._look_around(), name="virt-controller"),
            asyncio.create_task(self._renew_lease(), name="virt-controller Lease"),
            asyncio.create_task(self._look_for_outdated(), name="virt-controller workload updates"),
        ]
        self.set_down(False)

    async def stop(self) -> None:
        """Ends for good."""
        for task in self._periodic:
            task.cancel()
        for queue in self._queues:
            await queue.stop()

    def set_down(self, down: bool) -> None:
        """While down it does nothing; what changed meanwhile is looked at afterwards."""
        self._down = down
        for queue in self._queues:
            if down:
                queue.pause()
            else:
                queue.start()

    async def _look_around(self) -> None:
        """Once a minute: silent nodes, and evacuations that were given up."""
        while True:
            await asyncio.sleep(self._timings.node_check)
            for vmi in self._stores[VMI]:
                self._evacuations.add(key_of(vmi))
            try:
                if not self._down:
                    await self._nodes.check()
            except (ApiError, OSError, TimeoutError) as error:
                log.debug("node controller: %s", error)

    def upgrade(self, launcher_image: str) -> None:
        """KubeVirt is of another release from now on: launchers that run are outdated."""
        self._configuration.launcher_image = launcher_image

    async def _look_for_outdated(self) -> None:
        while True:
            await asyncio.sleep(self._timings.workload_update)
            for vmi in self._stores[VMI] if self._configuration.workload_update_methods() else ():
                self._updates.add(key_of(vmi))

    async def _renew_lease(self) -> None:
        """As leader election does: every 2 s, for 15 s."""
        while True:
            if not self._down:
                spec = {
                    "holderIdentity": "virt-controller-stand-in",
                    "leaseDurationSeconds": 15,
                    "renewTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
                }
                name = {"name": "virt-controller", "namespace": SYSTEM_NAMESPACE}
                body = {"apiVersion": LEASE.api_version, "kind": LEASE.kind, "metadata": name, "spec": spec}
                path = LEASE.path(SYSTEM_NAMESPACE, "virt-controller")
                try:
                    await self._api.patch(path, body, APPLY, fieldManager="virt-controller", force="true")
                except (ApiError, OSError, TimeoutError) as error:
                    log.debug("Lease of virt-controller: %s", error)
            await asyncio.sleep(2)

    def _vmi_changed(self, vmi: Object, _: bool) -> None:
        for queue in (self._vms, self._vmis, self._evacuations):
            queue.add(key_of(vmi))
        for migration in self._stores[VMIM]:
            if _vmi_of(migration) == key_of(vmi):
                self._migrations.add(key_of(migration))

    def _pod_changed(self, pod: Object, _: bool) -> None:
        namespace, annotations = key_of(pod)[0], annotations_of(pod)
        if DOMAIN_ANNOTATION in annotations:
            self._vmis.add((namespace, annotations[DOMAIN_ANNOTATION]))
        if MIGRATION_JOB_ANNOTATION in annotations:
            self._migrations.add((namespace, annotations[MIGRATION_JOB_ANNOTATION]))

    def _migration_changed(self, migration: Object, gone: bool) -> None:
        self._migrations.add(key_of(migration))
        if gone or is_final(migration):
            self._evacuations.add(_vmi_of(migration))

    def _claim_changed(self, claim: Object, _: bool) -> None:
        for vmi in self._stores[VMI]:
            if key_of(vmi)[0] == key_of(claim)[0]:
                self._vmis.add(key_of(vmi))

    def _data_volume_changed(self, volume: Object, _: bool) -> None:
        for owner in volume["metadata"].get("ownerReferences") or ():
            if owner["kind"] == VM.kind:
                self._vms.add((key_of(volume)[0], owner["name"]))

    def _node_changed(self, node: Object, _: bool) -> None:
        for vmi in self._stores[VMI]:
            if (vmi.get("status") or {}).get("nodeName") == node["metadata"]["name"]:
                self._evacuations.add(key_of(vmi))


def _vmi_of(migration: Object) -> Key:
    return key_of(migration)[0], migration["spec"]["vmiName"]
