"""What is known of a VM's disks, as its status keeps it for people and for whoever looks next."""

from __future__ import annotations

from typing import Any

from avance.api.protected_vm import ProtectedVMStatus
from avance.core.storage import Connection, DiskState, ReplicaView, StorageView, VolumeView, Written

Object = dict[str, Any]


def disks_object(storage: StorageView | None, nodes: tuple[str, ...]) -> list[Object] | None:
    """The copy on each node in the API's shape: the worst of its volumes. None while it cannot be told."""
    if storage is None or storage.error or not storage.volumes:
        return None
    return [_copy(storage, node) for node in nodes]


def _copy(storage: StorageView, node: str) -> Object:
    ends = [volume.on(node) for volume in storage.volumes]
    order = list(Connection)
    copy: Object = {
        "node": node,
        "state": str(storage.state_on(node)),
        "connection": str(max((end.connection for end in ends), key=order.index)),
    }
    percents = [end.sync_percent for end in ends if end.sync_percent is not None]
    return copy | ({"syncedPercent": int(min(percents))} if percents else {})


def written_object(written: Written | None) -> Object | None:
    """The record of what was written last in the API's shape."""
    return None if written is None else {"generation": written.generation, "nodes": list(written.holders)}


def written_of(status: ProtectedVMStatus) -> Written | None:
    """That record as it stands in a status."""
    known = status.last_written
    return Written(known.generation, known.nodes) if known else None


def storage_of(status: ProtectedVMStatus) -> StorageView:
    """What the operator has put on record of the disks, for who cannot ask the storage."""
    if not status.disks:
        return StorageView(error="the operator has nothing on record of its disks")
    replicas = (
        ReplicaView(
            copy.node, DiskState(copy.state), Connection(copy.connection), sync_percent=_number(copy.synced_percent)
        )
        for copy in status.disks
    )
    return StorageView((VolumeView("disks", tuple(replicas)),))


def _number(percent: int | None) -> float | None:
    return None if percent is None else float(percent)
