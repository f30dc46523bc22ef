"""The KubeVirt stand-in as a whole: its programs, started and stopped together."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from e2e.controlplane.client import Api
from e2e.controlplane.cluster import ControlPlane
from e2e.kubevirt.api import (
    APISERVER_USER,
    CLUSTER_INSTANCE_TYPE,
    CLUSTER_PREFERENCE,
    CONTROLLER_USER,
    DATA_SOURCE,
    DATA_VOLUME,
    HANDLER_USER,
    INSTANCE_TYPE,
    KUBELET_USER,
    KUBEVIRT,
    NAMESPACE,
    NETWORK_ATTACHMENT,
    NODE,
    POD,
    POLICY,
    PREFERENCE,
    PVC,
    SYSTEM_NAMESPACE,
    VM,
    VMI,
    VMIM,
)
from e2e.kubevirt.configuration import Configuration, Timings
from e2e.kubevirt.faults import Faults
from e2e.kubevirt.guests import Guest, Guests
from e2e.kubevirt.installation import install, wait_available
from e2e.kubevirt.ledger import Ledger
from e2e.kubevirt.node_side import HardwareView, NodeSide
from e2e.kubevirt.store import Client, Informer, Stores
from e2e.kubevirt.stream import Weather
from e2e.kubevirt.virt_api import VirtApi
from e2e.kubevirt.virt_controller import VirtController

_OF_CDI = (DATA_VOLUME, DATA_SOURCE)
_WATCHED = (
    *(VM, VMI, VMIM, KUBEVIRT, POLICY, POD, NODE, NAMESPACE, PVC, *_OF_CDI),
    *(CLUSTER_INSTANCE_TYPE, INSTANCE_TYPE, CLUSTER_PREFERENCE, PREFERENCE, NETWORK_ATTACHMENT),
)
_ACCOUNT_GROUPS = ("system:serviceaccounts", f"system:serviceaccounts:{SYSTEM_NAMESPACE}")
_SYNC_TIMEOUT_S = 30


class KubeVirt:
    """Start it once the control plane runs and the hardware is there.

    Attributes: `ledger` (what physically ran), `faults` (once started), `timings` (seconds; may be changed any time).
    """

    def __init__(
        self, control_plane: ControlPlane, hardware: HardwareView, state_dir: Path, nodes: Iterable[str] = (),
        timings: Timings | None = None,
    ) -> None:  # fmt: skip
        """`nodes`: those that may run guests, by default all servers of the hardware. `state_dir` gets the ledger."""
        state_dir.mkdir(parents=True, exist_ok=True)
        self.timings = timings or Timings()
        self.ledger = Ledger(state_dir / "guests.jsonl")
        self.faults: Faults
        self._control_plane, self._hardware = control_plane, hardware
        self._node_names = tuple(nodes) or tuple(getattr(hardware, "servers", ()))
        self._guests = Guests(self.ledger, self.timings)
        self._guests.on_change = self._guest_changed
        self._stores = Stores(_WATCHED)
        self._sides: dict[str, NodeSide] = {}
        self._apis: list[Api] = []
        self._informers: list[asyncio.Task[None]] = []
        self._virt_api: VirtApi | None = None
        self._virt_controller: VirtController | None = None

    async def start(self) -> None:
        """Returns when KubeVirt's API is served and its controllers run. Raises ApiError, TimeoutError."""
        configuration = Configuration(self._stores)
        apiserver, controller = await self._client(APISERVER_USER), await self._client(CONTROLLER_USER)
        api = VirtApi(self._control_plane, apiserver, self._stores, configuration, self._guests, self)
        self._virt_api = api
        await api.start()
        await install(
            self._control_plane.api, api.webhook_port, api.subresource_port, self._control_plane.ca.certificate
        )
        self._virt_controller = VirtController(controller, self._stores, configuration, self.timings)
        weather = Weather(link_up=lambda: self._hardware.private_link_up)
        await self._create_node_sides(weather)
        self.faults = Faults(self._guests, weather, api, self._virt_controller, self._sides)
        await self._start_informers(controller.api)
        self._virt_controller.start()
        for side in self._sides.values():
            side.start()
        self._hardware.subscribe(self._hardware_changed)
        await wait_available(self._control_plane.api)

    async def stop(self) -> None:
        """Ends everything at once; guests end without a trace."""
        for informer in self._informers:
            informer.cancel()
        await asyncio.gather(*self._informers, return_exceptions=True)
        for part in (self._virt_controller, *self._sides.values(), self._virt_api):
            if part is not None:
                await part.stop()
        for api in self._apis:
            await api.close()

    def reachable(self, node: str) -> bool:
        """Whether the virt-handler of that node has come up since its boot and answers virt-api."""
        return node in self._sides and self._sides[node].ready

    async def _client(self, user: str, groups: tuple[str, ...] = _ACCOUNT_GROUPS) -> Client:
        api = await self._control_plane.client_for(user, groups)
        self._apis.append(api)
        return Client(api, self._stores)

    async def _create_node_sides(self, weather: Weather) -> None:
        kubelet, handler = await self._client(KUBELET_USER, ()), await self._client(HANDLER_USER)
        for name in self._node_names:
            side = NodeSide(name, self._hardware, kubelet, handler, self._stores, self._guests, self.timings, weather)
            self._sides[name] = side
            self._stores[VMI].subscribe(side.vmi_changed)
            self._stores[POD].subscribe(side.pod_changed)

    async def _start_informers(self, api: Api) -> None:
        for store in self._stores:
            task = asyncio.create_task(Informer(api, store).run(), name=f"informer {store.resource.plural}")
            self._informers.append(task)
        async with asyncio.timeout(_SYNC_TIMEOUT_S):
            # CDI need not be installed; where it is, its kinds are seen as soon as they are served.
            own = [store for store in self._stores if store.resource not in _OF_CDI]
            await asyncio.gather(*(store.synced.wait() for store in own))

    def _hardware_changed(self, _: Any) -> None:
        for side in self._sides.values():
            side.hardware_changed()

    def _guest_changed(self, guest: Guest) -> None:
        if guest.node in self._sides:
            self._sides[guest.node].guest_changed(guest)
