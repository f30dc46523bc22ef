"""cdi-deployment's part for DataVolumes: what fills a claim, step by step, with its phases and conditions."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

from e2e.cdi.claims import Claims
from e2e.cdi.images import Image, found, too_small
from e2e.controlplane.client import ApiError
from e2e.kubevirt.api import DATA_SOURCE, DATA_VOLUME, Key, Object, is_deleting, key_of, phase_of, timestamp, uid_of
from e2e.kubevirt.conditions import condition
from e2e.kubevirt.quantity import parse_bytes
from e2e.kubevirt.store import Client, Stores

log = logging.getLogger(__name__)

_RETRY_S = 0.3
_POLL_S = 0.05
_BACKOFF_S = 1.0
"""Between the lives of an importer that fails; the kubelet's own begins with 10 s."""
_STEPS = 4


class DataVolumes:
    """One task for each DataVolume that is not filled yet."""

    def __init__(self, client: Client, stores: Stores, images: dict[str, Image]) -> None:
        self._client, self._stores, self._images = client, stores, images
        self.claims = Claims(client, stores)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        stores[DATA_VOLUME].subscribe(self._changed)

    async def stop(self) -> None:
        """Ends for good."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _changed(self, dv: Object, gone: bool) -> None:
        uid = uid_of(dv)
        if gone or is_deleting(dv):
            task = self._tasks.pop(uid, None)
            if task is not None:
                task.cancel()
        elif uid not in self._tasks and phase_of(dv) != "Succeeded":
            self._tasks[uid] = asyncio.create_task(self._fill(key_of(dv)), name=f"DataVolume {'/'.join(key_of(dv))}")

    async def _fill(self, key: Key) -> None:
        while True:
            try:
                await self._filled(key)
                return
            except (ApiError, OSError, TimeoutError) as error:
                log.debug("DataVolume %s: %s", "/".join(key), error)
                await asyncio.sleep(_RETRY_S)

    async def _filled(self, key: Key) -> None:
        dv = self._stores[DATA_VOLUME].get(key)
        if dv is None:
            return
        await self._tell(key, "Pending", "N/A", Bound=(False, "Pending", f"PVC {key[1]} Pending"))
        source = await self._source(key, dv)
        if "pvc" in source:
            await self._clone(key, dv, source["pvc"])
        elif "blank" in source:
            await self._claim(key, dv, self._asked(dv))
        else:
            [(kind, where)] = source.items()
            await self._import(key, dv, kind, where["url"])
        await self.claims.bind(key)
        bound, ready = (True, "Bound", f"PVC {key[1]} Bound"), (True, "", "")
        await self._tell(key, "Succeeded", "100.0%", Bound=bound, Ready=ready, Running=(False, "Completed", ""))

    async def _source(self, key: Key, dv: Object) -> dict[str, Any]:
        """Where the content comes from; a DataSource is followed to its claim."""
        if dv["spec"].get("source"):
            return dict(dv["spec"]["source"])
        reference = dv["spec"]["sourceRef"]
        where = (reference.get("namespace") or key[0], reference["name"])
        async for _ in self._until("Pending", key, f'datasources.cdi.kubevirt.io "{where[1]}" not found'):
            named = self._stores[DATA_SOURCE].get(where)
            if named is not None:
                return dict(named["spec"]["source"])
        raise AssertionError

    def _asked(self, dv: Object) -> str:
        storage = dv["spec"].get("storage") or dv["spec"].get("pvc") or {}
        return str(((storage.get("resources") or {}).get("requests") or {}).get("storage") or "")

    async def _claim(self, key: Key, dv: Object, size: str) -> None:
        """Returns when the claim is there."""
        while trouble := await self.claims.make(dv, size):
            await self._tell(key, "Pending", "N/A", Bound=(False, "ErrClaimNotValid", trouble))
            await asyncio.sleep(_RETRY_S)

    async def _import(self, key: Key, dv: Object, kind: str, url: str) -> None:
        """An importer that ends with an error is started again, for ever."""
        await self._claim(key, dv, self._asked(dv))
        restarts = 0
        await self._tell(key, "ImportScheduled", "N/A", Running=(False, "ContainerCreating", ""))
        while True:
            await self._tell(key, "ImportInProgress", "N/A", restarts, Running=(True, "Pod is running", ""))
            image, trouble = found(self._images, kind, url)
            size = parse_bytes(self._asked(dv))
            if image is not None and image.gib * 1024**3 > size:
                trouble = too_small(image, size)
            if image is not None and not trouble:
                await self._copy(key, image, url, restarts)
                return
            await self._tell(key, "ImportInProgress", "N/A", restarts, Running=(False, "Error", trouble))
            await asyncio.sleep(_BACKOFF_S)
            restarts += 1

    async def _copy(self, key: Key, image: Image, url: str, restarts: int) -> None:
        for step in range(1, _STEPS):
            await asyncio.sleep(image.seconds / _STEPS)
            percent = f"{100 * step / _STEPS:.2f}%"
            await self._tell(key, "ImportInProgress", percent, restarts, Running=(True, "Pod is running", ""))
            while self._images[url].hangs:
                await asyncio.sleep(_POLL_S)
        await asyncio.sleep(image.seconds / _STEPS)

    async def _clone(self, key: Key, dv: Object, source: dict[str, str]) -> None:
        """Waits for a source that is not there or that somebody uses; a smaller target is refused for good."""
        where = (source.get("namespace") or key[0], source["name"])
        async for _ in self._until("CloneScheduled", key, f"The source pvc {where[1]} doesn't exist"):
            if self.claims.is_bound(where):
                break
        size = self.claims.size(where) or 0
        asked = self._asked(dv) or str(size)
        too_little = "target resources requests storage size is smaller than the source"
        async for _ in self._until("Pending", key, f"The clone doesn't meet the validation requirements: {too_little}"):
            if parse_bytes(asked) >= size:
                break
        await self._claim(key, dv, asked)
        while self.claims.user(where):  # told by an Event alone, as with the real one
            await self._tell(key, "CloneScheduled", "N/A", Running=(False, "", ""))
            await asyncio.sleep(_RETRY_S)
        await self._tell(key, "CSICloneInProgress", "N/A")
        await asyncio.sleep(0.2)

    async def _until(self, phase: str, key: Key, trouble: str) -> AsyncIterator[None]:
        """Looks again and again; the trouble is told once the first look has shown it."""
        while True:
            yield
            await self._tell(key, phase, "N/A", Running=(False, "", trouble), Bound=(False, "Pending", trouble))
            await asyncio.sleep(_RETRY_S)

    async def _tell(
        self, key: Key, phase: str, progress: str, restarts: int = 0, **conditions: tuple[bool, str, str]
    ) -> None:
        """Writes the status, unless it says so already."""
        dv = self._stores[DATA_VOLUME].get(key)
        if dv is None:
            return
        told = {"Ready": (False, "", ""), **conditions}
        now = [_condition(dv, kind, *said) for kind, said in told.items()]
        kept = [each for each in (dv.get("status") or {}).get("conditions") or () if each["type"] not in told]
        status = {"phase": phase, "progress": progress, "restartCount": restarts, "conditions": [*kept, *now]}
        if phase != "Pending":
            status["claimName"] = key[1]
        known = dv.get("status") or {}
        if any(known.get(field) != value for field, value in status.items()):
            await self._client.patch(DATA_VOLUME, key, {"status": status}, "status")


def _condition(dv: Object, kind: str, holds: bool, reason: str, message: str) -> dict[str, str]:
    known = condition(dv, kind) or {}
    same = known.get("status") == str(holds)
    moment = known["lastTransitionTime"] if same else timestamp()
    return {"type": kind, "status": str(holds), "reason": reason, "message": message, "lastTransitionTime": moment}
