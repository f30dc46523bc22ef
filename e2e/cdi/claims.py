"""The claim of a DataVolume, and the volume that it is bound to: the lab's provisioner."""

import asyncio
from typing import Any

from e2e.cdi.definitions import DEFAULT_CLASS
from e2e.controlplane.client import ApiError
from e2e.kubevirt.api import DATA_VOLUME, POD, PV, PVC, STORAGE_CLASS, Key, Object, is_final, key_of, owner_reference
from e2e.kubevirt.quantity import parse_bytes
from e2e.kubevirt.store import Client, Stores

_POLL_S = 0.05


class Claims:
    """Makes claims and has them bound."""

    def __init__(self, client: Client, stores: Stores) -> None:
        self._client, self._stores = client, stores
        stores[PVC].subscribe(self._changed)
        self._released: set[asyncio.Task[None]] = set()

    def size(self, key: Key) -> int | None:
        """Bytes that a claim asks for; None when there is none of that name."""
        claim = self._stores[PVC].get(key)
        return parse_bytes(claim["spec"]["resources"]["requests"]["storage"]) if claim else None

    def is_bound(self, key: Key) -> bool:
        """Whether there is such a claim, and it has its volume."""
        claim = self._stores[PVC].get(key)
        return bool(claim) and (claim or {}).get("status", {}).get("phase") == "Bound"

    def user(self, key: Key) -> str:
        """A pod that uses a claim now, empty when there is none."""
        for pod in self._stores[POD]:
            volumes = pod["spec"].get("volumes") or []
            names = {(each.get("persistentVolumeClaim") or {}).get("claimName") for each in volumes}
            if key_of(pod)[0] == key[0] and key[1] in names and not is_final(pod):
                return f"{key[0]}/{pod['metadata']['name']}"
        return ""

    async def make(self, dv: Object, size: str) -> str:
        """The claim of a DataVolume; why it cannot be made, empty when it is there."""
        storage: dict[str, Any] = dv["spec"].get("storage") or dv["spec"].get("pvc") or {}
        class_name = storage.get("storageClassName") or DEFAULT_CLASS
        try:
            await self._client.api.get(STORAGE_CLASS.path("", class_name))
        except ApiError as error:
            if error.status != 404:
                raise
            return f'storageclasses.storage.k8s.io "{class_name}" not found'
        spec = {
            "storageClassName": class_name,
            "accessModes": storage.get("accessModes") or ["ReadWriteMany"],
            "volumeMode": storage.get("volumeMode") or "Block",
            "resources": {"requests": {"storage": size}},
        }
        namespace, name = key_of(dv)
        metadata = {"name": name, "namespace": namespace, "ownerReferences": [owner_reference(dv, DATA_VOLUME)]}
        known = self._stores[PVC].get((namespace, name))
        if known is None:
            await self._client.create(PVC, {"metadata": metadata, "spec": spec})
        elif not any(owner["uid"] == dv["metadata"]["uid"] for owner in known["metadata"].get("ownerReferences") or ()):
            return f'Resource "{name}" already exists and is not managed by DataVolume'
        return ""

    async def bind(self, key: Key) -> None:
        """Gives the claim a volume, and returns when kube-controller-manager has bound them."""
        claim = self._stores[PVC].get(key)
        if claim is None:
            return
        metadata, spec = claim["metadata"], claim["spec"]
        volume = {
            **{field: spec[field] for field in ("accessModes", "volumeMode", "storageClassName")},
            "capacity": spec["resources"]["requests"],
            "claimRef": {"namespace": key[0], "name": key[1], "uid": metadata["uid"]},
            "csi": {"driver": "storage.example", "volumeHandle": metadata["uid"]},
        }
        try:
            await self._client.create(PV, {"metadata": {"name": f"pvc-{metadata['uid']}"}, "spec": volume})
        except ApiError as error:
            if error.status != 409:
                raise
        while self._stores[PVC].get(key) is not None and not self.is_bound(key):
            await asyncio.sleep(_POLL_S)

    def _changed(self, claim: Object, gone: bool) -> None:
        if gone:
            task = asyncio.create_task(self._release(f"pvc-{claim['metadata']['uid']}"))
            self._released.add(task)
            task.add_done_callback(self._released.discard)

    async def _release(self, volume: str) -> None:
        """Reclaim policy Delete."""
        path = PV.path("", volume)
        try:
            await self._client.api.patch(path, {"metadata": {"finalizers": None}})
            await self._client.api.delete(path)
        except ApiError as error:
            if error.status != 404:
                raise
