"""Longhorn by its custom resources: replicas say where the copies are, the engine which of them take every write."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from avance.core.storage import Connection, DiskState, ReplicaView, VolumeView
from avance.kube.client import Kube
from avance.kube.errors import ApiError, Forbidden, NotFound
from avance.kube.resources import Resource
from avance.storage.provider import StorageError

Object = dict[str, Any]

REPLICAS = Resource("longhorn.io", "v1beta2", "replicas", True, "Replica")
ENGINES = Resource("longhorn.io", "v1beta2", "engines", True, "Engine")
_MODES = {"RW": DiskState.UP_TO_DATE, "WO": DiskState.INCONSISTENT, "ERR": DiskState.OUTDATED}


class Longhorn:
    """The Longhorn of this cluster."""

    def __init__(self, kube: Kube, namespace: str) -> None:
        self._kube = kube
        self._namespace = namespace

    async def read(self, volumes: Collection[str], nodes: Collection[str]) -> Mapping[str, VolumeView]:
        """Every volume's copies. Raises StorageError."""
        try:
            replicas = (await self._kube.list(REPLICAS, self._namespace)).items
            engines = (await self._kube.list(ENGINES, self._namespace)).items
        except Forbidden as error:
            message = f"the operator may not read Longhorn, set storage.provider of its chart: {error}"
            raise StorageError(message) from error
        except NotFound as error:
            raise StorageError(f"Longhorn is not installed in this cluster: {error}") from error
        except ApiError as error:
            raise StorageError(f"Longhorn cannot be asked: {error}") from error
        return volumes_of(replicas, engines, volumes, nodes)

    async def close(self) -> None:
        """The connections are the operator's."""


def volumes_of(
    replicas: Collection[Object], engines: Collection[Object], volumes: Collection[str], nodes: Collection[str]
) -> Mapping[str, VolumeView]:
    """Replica and Engine objects as what the core knows. Raises StorageError when they have another shape."""
    try:
        found: dict[str, VolumeView] = {}
        for name in volumes:
            copies = [each for each in replicas if each["spec"].get("volumeName") == name]
            if copies:
                engine = _engine([each for each in engines if each["spec"].get("volumeName") == name])
                ends = tuple(_on(node, copies, engine) for node in sorted(nodes))
                found[name] = VolumeView(name, ends)
        return found
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise StorageError(f"Longhorn answers in a shape that this release does not know: {error!r}") from error


def _engine(engines: list[Object]) -> Object:
    """While a volume migrates it has two; the active one takes the writes."""
    return max(engines, key=lambda engine: bool(engine["spec"].get("active", True)), default={})


def _on(node: str, copies: list[Object], engine: Object) -> ReplicaView:
    here = [_copy(copy, node, engine) for copy in copies if copy["spec"].get("nodeID") == node]
    order = list(DiskState)
    return min(here, key=lambda each: order.index(each.disk), default=ReplicaView(node, DiskState.DISKLESS))


def _copy(copy: Object, node: str, engine: Object) -> ReplicaView:
    spec, name, status = copy["spec"], copy["metadata"]["name"], engine.get("status") or {}
    told = _by_record(spec)
    state = status.get("currentState") or "stopped"
    if state == "running":
        mode = (status.get("replicaModeMap") or {}).get(name)
        disk = _MODES.get(mode or "", DiskState.OUTDATED if told is not DiskState.UP_TO_DATE else DiskState.UNKNOWN)
        percent = _rebuilt(name, status) if disk is DiskState.INCONSISTENT else None
        connected = mode in ("RW", "WO")
        return ReplicaView(
            node, disk, Connection.CONNECTED if connected else Connection.DISCONNECTED, told, sync_percent=percent
        )
    # Nobody writes to a volume without an engine: what Longhorn has on record of its copies stands. An engine in any
    # other state may be writing where nobody sees it.
    return ReplicaView(node, told, Connection.CONNECTED if state == "stopped" else Connection.DISCONNECTED)


def _by_record(spec: Object) -> DiskState:
    if spec.get("failedAt"):
        return DiskState.OUTDATED
    return DiskState.UP_TO_DATE if spec.get("healthyAt") else DiskState.INCONSISTENT


def _rebuilt(name: str, status: Object) -> float:
    """How far it is rebuilt, in percent; the engine tells it by the address of the copy."""
    address = (status.get("currentReplicaAddressMap") or {}).get(name, "")
    rebuilds = status.get("rebuildStatus") or {}
    told = next((each for key, each in rebuilds.items() if address and key.endswith(address)), None) or {}
    return float(told.get("progress") or 0.0)
