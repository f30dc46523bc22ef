"""The KubeVirt stand-in as a whole: what runs, who listens to what, start and stop."""

import asyncio
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from e2e.controlplane.client import Api, ApiError
from e2e.controlplane.cluster import ControlPlane
from e2e.kubevirt.admission import Admission
from e2e.kubevirt.api import (
    APISERVER_USER,
    CONTROLLER_USER,
    DOMAIN_ANNOTATION,
    HANDLER_USER,
    KUBELET_USER,
    KUBEVIRT,
    MIGRATION_JOB_ANNOTATION,
    NAMESPACE,
    NODE,
    POD,
    POLICY,
    PVC,
    SYSTEM_NAMESPACE,
    VM,
    VMI,
    VMIM,
    Key,
    Object,
    annotations_of,
    key_of,
)
from e2e.kubevirt.configuration import Configuration, Timings
from e2e.kubevirt.evacuation import Evacuation
from e2e.kubevirt.eviction import EvictionInterceptor
from e2e.kubevirt.faults import Faults
from e2e.kubevirt.guests import Guest, Guests
from e2e.kubevirt.installation import SERVING_NAMES, install, wait_available
from e2e.kubevirt.ledger import Ledger
from e2e.kubevirt.lifecycle import Lifecycle
from e2e.kubevirt.migration_controller import MigrationController
from e2e.kubevirt.migration_policy import MigrationPolicies
from e2e.kubevirt.node_controller import NodeController
from e2e.kubevirt.node_side import HardwareView, NodeSide
from e2e.kubevirt.servers import HttpsServer
from e2e.kubevirt.store import Client, Informer, Stores
from e2e.kubevirt.stream import Weather
from e2e.kubevirt.subresources import Subresources
from e2e.kubevirt.vm_controller import VMController
from e2e.kubevirt.vmi_controller import VMIController
from e2e.kubevirt.workqueue import WorkQueue

log = logging.getLogger(__name__)

_WATCHED = (VM, VMI, VMIM, KUBEVIRT, POLICY, POD, NODE, NAMESPACE, PVC)
_ACCOUNT_GROUPS = ("system:serviceaccounts", f"system:serviceaccounts:{SYSTEM_NAMESPACE}")


class KubeVirt:
    """Start it once the control plane runs and the hardware is there.

    Attributes: `ledger` (what physically ran), `faults` (once started), `timings` (seconds, may be changed before the start).
    """

    def __init__(
        self, control_plane: ControlPlane, hardware: HardwareView, state_dir: Path, nodes: Iterable[str] = (),
        timings: Timings | None = None,
    ) -> None:  # fmt: skip
        """`nodes` are the nodes that may run guests: by default all servers of the hardware."""
        state_dir.mkdir(parents=True, exist_ok=True)
        self.timings = timings or Timings()
        self.ledger = Ledger()
        self._control_plane, self._hardware = control_plane, hardware
        self._node_names = tuple(nodes) or tuple(getattr(hardware, "servers", ()))
        self._guests = Guests(self.ledger, self.timings)
        self._guests.on_change = self._guest_changed
        self._weather = Weather(link_up=lambda: self._hardware.private_link_up)
        self._stores = Stores(_WATCHED)
        self._sides: dict[str, NodeSide] = {}
        self._apis: list[Api] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._queues: list[WorkQueue[Key]] = []
        self._servers: list[HttpsServer] = []

    async def start(self) -> None:
        """Installs KubeVirt and returns when its API is served and its controllers run. Raises ApiError, TimeoutError."""
        serving = self._control_plane.ca.issue_serving("virt-api", SERVING_NAMES)
        webhooks = HttpsServer(serving)
        subresources = HttpsServer(serving, client_ca=self._control_plane.front_proxy_ca.certificate)
        self._servers = [webhooks, subresources]
        ca = self._control_plane.ca.certificate
        controller, apiserver = await self._client(CONTROLLER_USER), await self._client(APISERVER_USER)
        configuration = Configuration(self._stores)
        interceptor = EvictionInterceptor(apiserver, self._stores, configuration)
        admission = Admission(self._stores, configuration, interceptor.review)
        verbs = Subresources(apiserver, self._stores, self._guests, self, Lifecycle(apiserver, self._stores))
        await webhooks.start(admission.application())
        await subresources.start(verbs.application())
        await install(self._control_plane.api, webhooks.port, subresources.port, ca)
        await self._start_nodes()
        self._wire_controllers(controller, configuration)
        self.faults = Faults(self._guests, self._weather, admission, verbs, self._queues)
        await self._start_informers(controller.api)
        for queue in self._queues:
            queue.start()
        for side in self._sides.values():
            side.start()
        self._hardware.subscribe(self._hardware_changed)
        await wait_available(self._control_plane.api)

    async def stop(self) -> None:
        """Ends everything at once; guests end without a trace."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(queue.stop() for queue in self._queues), *(side.stop() for side in self._sides.values()))
        for server in self._servers:
            await server.stop()
        for api in self._apis:
            await api.close()

    def reachable(self, node: str) -> bool:
        """Whether the virt-handler of that node answers virt-api."""
        return node in self._sides and self._sides[node].handler.active

    async def _client(self, user: str, groups: tuple[str, ...] = _ACCOUNT_GROUPS) -> Client:
        api = await self._control_plane.client_for(user, groups)
        self._apis.append(api)
        return Client(api, self._stores)

    async def _start_nodes(self) -> None:
        kubelet, handler = await self._client(KUBELET_USER, ()), await self._client(HANDLER_USER)
        for name in self._node_names:
            self._sides[name] = NodeSide(
                name, self._hardware, kubelet, handler, self._stores, self._guests, self.timings, self._weather
            )

    async def _start_informers(self, api: Api) -> None:
        for store in self._stores:
            task = asyncio.create_task(Informer(api, store).run(), name=f"informer {store.resource.plural}")
            self._tasks.append(task)
        async with asyncio.timeout(30):
            await asyncio.gather(*(store.synced.wait() for store in self._stores))

    def _wire_controllers(self, client: Client, configuration: Configuration) -> None:
        """Which change is looked at by whom."""
        vms = VMController(client, self._stores, configuration, self.timings)
        vmis = WorkQueue("vmi", VMIController(client, self._stores).sync)
        migrations = MigrationController(
            client, self._stores, configuration, MigrationPolicies(self._stores), self.timings
        )
        evacuation = WorkQueue("evacuation", Evacuation(client, self._stores, configuration, self.timings).sync)
        self._queues = [vms.queue, vmis, migrations.queue, evacuation]
        self._wire(vms, vmis, migrations, evacuation)
        node_controller = NodeController(client, self._stores, self.timings)
        self._tasks.append(asyncio.create_task(self._check_nodes(node_controller, evacuation), name="node controller"))

    def _wire(
        self, vms: VMController, vmis: WorkQueue[Key], migrations: MigrationController, evacuation: WorkQueue[Key]
    ) -> None:
        def vmi_changed(vmi: Object, gone: bool) -> None:
            for queue in (vms.queue, vmis, evacuation):
                queue.add(key_of(vmi))
            for migration in self._stores[VMIM]:
                if (key_of(migration)[0], migration["spec"]["vmiName"]) == key_of(vmi):
                    migrations.queue.add(key_of(migration))
            for side in self._sides.values():
                side.vmi_changed(vmi, gone)

        def pod_changed(pod: Object, gone: bool) -> None:
            annotations = annotations_of(pod)
            if DOMAIN_ANNOTATION in annotations:
                vmis.add((key_of(pod)[0], annotations[DOMAIN_ANNOTATION]))
            if MIGRATION_JOB_ANNOTATION in annotations:
                migrations.queue.add((key_of(pod)[0], annotations[MIGRATION_JOB_ANNOTATION]))
            for side in self._sides.values():
                side.pod_changed(pod, gone)

        def migration_changed(migration: Object, gone: bool) -> None:
            migrations.queue.add(key_of(migration))
            if gone:
                evacuation.add((key_of(migration)[0], migration["spec"]["vmiName"]))

        def claim_changed(claim: Object, gone: bool) -> None:
            for vmi in self._stores[VMI]:
                if key_of(vmi)[0] == key_of(claim)[0]:
                    vmis.add(key_of(vmi))

        def node_changed(node: Object, gone: bool) -> None:
            for vmi in self._stores[VMI]:
                if (vmi.get("status") or {}).get("nodeName") == node["metadata"]["name"]:
                    evacuation.add(key_of(vmi))

        self._stores[VM].subscribe(lambda vm, gone: vms.queue.add(key_of(vm)))
        self._stores[VMI].subscribe(vmi_changed)
        self._stores[POD].subscribe(pod_changed)
        self._stores[VMIM].subscribe(migration_changed)
        self._stores[PVC].subscribe(claim_changed)
        self._stores[NODE].subscribe(node_changed)

    async def _check_nodes(self, controller: NodeController, evacuation: WorkQueue[Key]) -> None:
        while True:
            await asyncio.sleep(self.timings.node_check)
            for vmi in self._stores[VMI]:
                evacuation.add(key_of(vmi))
            try:
                await controller.check()
            except (ApiError, OSError, TimeoutError) as error:
                log.debug("node controller: %s", error)

    def _hardware_changed(self, _: Any) -> None:
        for side in self._sides.values():
            side.hardware_changed()

    def _guest_changed(self, guest: Guest) -> None:
        if guest.node in self._sides:
            self._sides[guest.node].guest_changed(guest)
