"""The CDI stand-in as a whole."""

import asyncio

from e2e.cdi.data_volumes import DataVolumes
from e2e.cdi.definitions import USER, install
from e2e.cdi.images import WORLD, Image
from e2e.controlplane.client import Api, ApiError
from e2e.controlplane.cluster import ControlPlane
from e2e.kubevirt.api import DATA_SOURCE, DATA_VOLUME, POD, PVC, Key, Object, key_of, phase_of
from e2e.kubevirt.conditions import condition, set_condition
from e2e.kubevirt.store import Client, Informer, Stores
from e2e.kubevirt.workqueue import WorkQueue

_WATCHED = (DATA_VOLUME, DATA_SOURCE, PVC, POD)
_GROUPS = ("system:serviceaccounts", "system:serviceaccounts:cdi")
_SYNC_TIMEOUT_S = 30


class Cdi:
    """Start it once the control plane runs. `images`: what importers find, by address; may be changed any time."""

    def __init__(self, control_plane: ControlPlane) -> None:
        self.images: dict[str, Image] = dict(WORLD)
        self._control_plane = control_plane
        self._stores = Stores(_WATCHED)
        self._api: Api | None = None
        self._informers: list[asyncio.Task[None]] = []
        self._volumes: DataVolumes | None = None
        self._sources: WorkQueue[Key] = WorkQueue("datasource", self._sync_source)

    async def start(self) -> None:
        """Returns when its kinds are served and its controllers run. Raises ApiError, TimeoutError."""
        await install(self._control_plane.api)
        self._api = await self._control_plane.client_for(USER, _GROUPS)
        self._volumes = DataVolumes(Client(self._api, self._stores), self._stores, self.images)
        self._stores[DATA_SOURCE].subscribe(lambda source, gone: self._sources.add(key_of(source)))
        for resource in (PVC, DATA_VOLUME):
            self._stores[resource].subscribe(self._content_changed)
        self._sources.start()
        for store in self._stores:
            informer = Informer(self._api, store)
            self._informers.append(asyncio.create_task(informer.run(), name=f"cdi {store.resource.plural}"))
        async with asyncio.timeout(_SYNC_TIMEOUT_S):
            await asyncio.gather(*(store.synced.wait() for store in self._stores))

    async def stop(self) -> None:
        """Ends everything at once."""
        for informer in self._informers:
            informer.cancel()
        await asyncio.gather(*self._informers, return_exceptions=True)
        await self._sources.stop()
        if self._volumes is not None:
            await self._volumes.stop()
        if self._api is not None:
            await self._api.close()

    def _content_changed(self, _: Object, __: bool) -> None:
        for source in self._stores[DATA_SOURCE]:
            self._sources.add(key_of(source))

    async def _sync_source(self, key: Key) -> None:
        """Whether what a DataSource names may be cloned."""
        source = self._stores[DATA_SOURCE].get(key)
        if source is None or self._api is None:
            return
        ready, reason, message = self._readiness(key, source)
        known = condition(source, "Ready") or {}
        if (known.get("status"), known.get("message")) == (str(ready), message):
            return
        new: Object = {"status": dict(source.get("status") or {})}
        set_condition(new, "Ready", ready, reason, message)
        try:
            await self._api.patch(DATA_SOURCE.path(*key, "status"), new)
        except ApiError as error:
            if error.status != 404:
                raise

    def _readiness(self, key: Key, source: Object) -> tuple[bool, str, str]:
        claim = ((source["spec"].get("source") or {}).get("pvc")) or {}
        if not claim:
            return False, "NoSource", "No source PVC set"
        where = (claim.get("namespace") or key[0], claim["name"])
        volume = self._stores[DATA_VOLUME].get(where)
        if volume is None and self._stores[PVC].get(where) is None:
            return False, "NotFound", "PVC not found"
        if volume is not None and phase_of(volume) != "Succeeded":
            return False, phase_of(volume) or "Pending", f"Import DataVolume phase {phase_of(volume)}"
        return True, "Ready", "DataSource is ready to be consumed"
