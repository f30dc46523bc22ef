"""LINSTOR by its REST API: one request tells of every volume, as both ends of DRBD see it.

python-linstor is not used: it blocks, keeps a connection of its own kind, and one GET is all that is needed.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import aiohttp

from avance.core.storage import Connection, DiskState, ReplicaView, VolumeView, worse
from avance.storage.provider import StorageError

Object = Mapping[str, Any]

VIEW = "/v1/view/resources"
_DISK = {
    **{state.value: state for state in DiskState},
    "TieBreaker": DiskState.DISKLESS,
    "Detaching": DiskState.FAILED,
}
"""DRBD's words for the state of a disk; one that is not here (Attaching, Negotiating, DUnknown) is unknown."""
_DISKLESS_FLAGS = {"DISKLESS", "DRBD_DISKLESS", "TIE_BREAKER"}
_TARGET = {"SyncTarget", "PausedSyncT", "WFBitMapT", "StartingSyncT", "WFSyncUUID"}
_SOURCE = {"SyncSource", "PausedSyncS", "WFBitMapS", "StartingSyncS"}


class Linstor:
    """One LINSTOR controller."""

    def __init__(self, url: str, timeout: float, ca_bundle: str = "") -> None:
        """`url`: http(s)://host:port. `timeout`: seconds. `ca_bundle`: PEM; empty trusts the system's authorities."""
        self._url = url.rstrip("/") + VIEW
        self._timeout = timeout
        self._ssl = ssl.create_default_context(cadata=ca_bundle or None) if url.startswith("https:") else True
        self._session: aiohttp.ClientSession | None = None

    async def read(self, volumes: Collection[str], nodes: Collection[str]) -> Mapping[str, VolumeView]:
        """Every volume's copies. Raises StorageError."""
        return volumes_of(await self._get(), volumes, nodes)

    async def close(self) -> None:
        """End the connections."""
        if self._session is not None:
            await self._session.close()

    async def _get(self) -> list[Object]:
        self._session = self._session or aiohttp.ClientSession()
        try:
            async with (
                asyncio.timeout(self._timeout),
                self._session.get(self._url, ssl=self._ssl, allow_redirects=False) as answer,
            ):
                if answer.status != 200:
                    raise StorageError(f"LINSTOR at {self._url} answers {answer.status}: check spec.storage.linstor")
                body = await answer.json(content_type=None)
        except TimeoutError as error:
            raise StorageError(f"LINSTOR at {self._url} gave no answer in {self._timeout:g} s") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise StorageError(f"LINSTOR at {self._url} cannot be asked: {error}") from error
        if not isinstance(body, list) or not all(isinstance(each, dict) for each in body):
            raise StorageError(f"what {self._url} answers is no list of resources: check spec.storage.linstor.url")
        return body


def volumes_of(
    resources: Collection[Object], volumes: Collection[str], nodes: Collection[str]
) -> Mapping[str, VolumeView]:
    """The answer of `/v1/view/resources` as what the core knows. Raises StorageError when it has another shape."""
    try:
        by_name: dict[str, dict[str, Object]] = {}
        for resource in resources:
            if resource["name"] in volumes and resource["node_name"] in nodes:
                by_name.setdefault(resource["name"], {})[resource["node_name"]] = resource
        return {
            name: VolumeView(name, tuple(_replica(node, copies, nodes) for node in sorted(nodes)))
            for name, copies in by_name.items()
        }
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise StorageError(f"LINSTOR answers in a shape that this release does not know: {error!r}") from error


def _replica(node: str, copies: Mapping[str, Object], nodes: Collection[str]) -> ReplicaView:
    """The copy on a node; LINSTOR has no resource where there is none."""
    resource = copies.get(node)
    peer = next((other for other in nodes if other != node), "")
    told = _peer_says(node, copies.get(peer, {}))
    if resource is None:
        return ReplicaView(node, DiskState.DISKLESS, peer_says=told)
    disk, percent = DiskState.UP_TO_DATE, None
    for volume in resource.get("volumes") or [{}]:
        state = volume.get("state") or {}
        disk = worse(disk, _DISK.get(state.get("disk_state") or "", DiskState.UNKNOWN))
        replication = (state.get("replication_states") or {}).get(peer) or {}
        if replication.get("replication_state") in _TARGET:
            disk = worse(disk, DiskState.INCONSISTENT)
            done = float(replication.get("done_percentage") or 0.0)
            percent = done if percent is None else min(percent, done)
    if _DISKLESS_FLAGS & set(resource.get("flags") or ()):
        disk = DiskState.DISKLESS
    link = _connection(resource, peer)
    if disk is DiskState.UP_TO_DATE and link is not Connection.CONNECTED and _may_not_promote(resource):
        # DRBD itself would refuse it: apart from the other copy, and without a majority that vouches for this one.
        disk = DiskState.CONSISTENT
    return ReplicaView(node, disk, link, peer_says=told, sync_percent=percent)


def _peer_says(node: str, peer: Object) -> DiskState | None:
    """What the other end holds this copy to be: it sends it what it has missed."""
    for volume in peer.get("volumes") or ():
        replication = ((volume.get("state") or {}).get("replication_states") or {}).get(node) or {}
        if replication.get("replication_state") in _SOURCE:
            return DiskState.INCONSISTENT
    return None


def _connection(resource: Object, peer: str) -> Connection:
    known = _drbd(resource).get("connections") or {}
    if peer not in known:
        return Connection.UNKNOWN
    word = known[peer].get("message") or ""
    if word == "StandAlone":
        return Connection.SPLIT
    connected = bool(known[peer].get("connected")) and word in ("", "Connected")
    return Connection.CONNECTED if connected else Connection.DISCONNECTED


def _may_not_promote(resource: Object) -> bool:
    in_use = bool((resource.get("state") or {}).get("in_use"))
    return not in_use and _drbd(resource).get("may_promote") is False


def _drbd(resource: Object) -> Object:
    """The DRBD layer of a resource, wherever in its stack it is."""
    return next((layer["drbd"] for layer in _layers(resource.get("layer_object") or {}) if layer.get("drbd")), {})


def _layers(layer: Object) -> Iterator[Object]:
    yield layer
    for child in layer.get("children") or ():
        yield from _layers(child)
