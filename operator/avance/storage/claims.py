"""From the disks of a VirtualMachine to the names by which the storage knows their volumes."""

from __future__ import annotations

from typing import Any

from avance.kube.client import Kube
from avance.kube.errors import ApiError, NotFound
from avance.kube.resources import Resource
from avance.storage.provider import StorageError

Object = dict[str, Any]

CLAIMS = Resource("", "v1", "persistentvolumeclaims", True, "PersistentVolumeClaim")
VOLUMES = Resource("", "v1", "persistentvolumes", False, "PersistentVolume")


def claims_of(machine: Object | None) -> tuple[str, ...]:
    """Names of the claims that hold the disks of a VirtualMachine; empty without any."""
    template = ((machine or {}).get("spec") or {}).get("template") or {}
    volumes = (template.get("spec") or {}).get("volumes") or ()
    found = {(each.get("persistentVolumeClaim") or {}).get("claimName", "") for each in volumes}
    found |= {(each.get("dataVolume") or {}).get("name", "") for each in volumes}
    return tuple(sorted(found - {""}))


class VolumeNames:
    """Looks up what a claim is bound to, once: that never changes."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube
        self._known: dict[tuple[str, str], str] = {}

    async def of(self, namespace: str, claim: str) -> str:
        """The volume handle of a claim; empty while it has none. Raises StorageError when that cannot be read."""
        key = (namespace, claim)
        known = self._known.get(key) or await self._look_up(namespace, claim)
        if known:
            self._known[key] = known
        return known

    def forget(self, namespace: str, claim: str) -> None:
        """Look it up again: the storage knows no volume of that name."""
        self._known.pop((namespace, claim), None)

    async def _look_up(self, namespace: str, claim: str) -> str:
        try:
            bound = (await self._kube.get(CLAIMS, claim, namespace))["spec"].get("volumeName")
            if not bound:
                return ""
            volume = await self._kube.get(VOLUMES, bound)
        except NotFound:
            return ""
        except ApiError as error:
            raise StorageError(f"what claim {namespace}/{claim} is bound to cannot be read: {error}") from error
        handle = (volume["spec"].get("csi") or {}).get("volumeHandle") or bound
        return str(handle)
