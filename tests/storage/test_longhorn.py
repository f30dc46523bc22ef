"""What Longhorn's Replica and Engine objects say of the copies."""

from typing import Any

import pytest

from avance.core.storage import Connection, DiskState, VolumeView
from avance.storage.longhorn import volumes_of
from avance.storage.provider import StorageError

Object = dict[str, Any]
NODES = ("node-a", "node-b")
HEALTHY = {"healthyAt": "2026-01-01T00:00:00Z", "failedAt": ""}


def replica(node: str, **spec: Any) -> Object:
    known = {"volumeName": "pvc-1", "nodeID": node, "active": True, **HEALTHY, **spec}
    return {"metadata": {"name": f"pvc-1-r-{node}"}, "spec": known, "status": {"currentState": "running"}}


def engine(state: str = "running", rebuilt: int | None = None, active: bool = True, **modes: str) -> Object:
    status: Object = {
        "currentState": state,
        "replicaModeMap": {f"pvc-1-r-node-{letter}": mode for letter, mode in modes.items()},
        "currentReplicaAddressMap": {"pvc-1-r-node-a": "10.0.0.1:10000", "pvc-1-r-node-b": "10.0.0.2:10000"},
    }
    if rebuilt is not None:
        status["rebuildStatus"] = {"tcp://10.0.0.2:10000": {"isRebuilding": True, "progress": rebuilt}}
    spec = {"volumeName": "pvc-1", "nodeID": "node-a", "active": active}
    return {"metadata": {"name": "pvc-1-e-0"}, "spec": spec, "status": status}


def volume(replicas: list[Object], *engines: Object) -> VolumeView:
    return volumes_of(replicas, engines, {"pvc-1"}, NODES)["pvc-1"]


BOTH = [replica("node-a"), replica("node-b")]


def test_copies_that_take_every_write_are_up_to_date() -> None:
    view = volume(BOTH, engine(a="RW", b="RW"))
    assert view.on("node-a").state is view.on("node-b").state is DiskState.UP_TO_DATE
    assert view.link is Connection.CONNECTED


def test_a_copy_that_is_rebuilt_is_told_with_its_percent() -> None:
    view = volume([replica("node-a"), replica("node-b", healthyAt="")], engine(a="RW", b="WO", rebuilt=41))
    assert view.on("node-b").state is DiskState.INCONSISTENT
    assert view.on("node-b").sync_percent == 41


def test_a_copy_that_failed_is_outdated_whether_the_volume_is_attached_or_not() -> None:
    failed = [replica("node-a"), replica("node-b", failedAt="2026-01-02T00:00:00Z")]
    for attached in (engine(a="RW"), engine(a="RW", b="ERR"), engine(state="stopped")):
        assert volume(failed, attached).on("node-b").state is DiskState.OUTDATED
        assert volume(failed, attached).on("node-a").state is DiskState.UP_TO_DATE


def test_a_copy_that_the_engine_does_not_name_is_unknown() -> None:
    assert volume(BOTH, engine(a="RW")).on("node-b").state is DiskState.UNKNOWN


def test_a_volume_that_nobody_writes_to_is_what_is_on_record() -> None:
    view = volume(BOTH, engine(state="stopped"))
    assert view.on("node-b").state is DiskState.UP_TO_DATE
    assert view.link is Connection.CONNECTED


def test_an_engine_that_nobody_hears_may_be_writing() -> None:
    view = volume(BOTH, engine(state="unknown", a="RW", b="RW"))
    assert view.link is Connection.DISCONNECTED


def test_while_a_volume_migrates_the_active_engine_counts() -> None:
    view = volume(BOTH, engine(active=False), engine(a="RW", b="RW"))
    assert view.on("node-b").state is DiskState.UP_TO_DATE


def test_a_node_without_a_copy_is_diskless_and_of_two_copies_the_better_counts() -> None:
    assert volume([replica("node-a")], engine(a="RW")).on("node-b").state is DiskState.DISKLESS
    stale = replica("node-a", failedAt="2026-01-02T00:00:00Z")
    stale["metadata"]["name"] = "pvc-1-r-old"
    assert volume([stale, *BOTH], engine(a="RW", b="RW")).on("node-a").state is DiskState.UP_TO_DATE


def test_a_volume_without_copies_is_left_out_and_another_shape_is_told() -> None:
    assert volumes_of([], [engine()], {"pvc-1"}, NODES) == {}
    with pytest.raises(StorageError, match="shape"):
        volumes_of([{"metadata": {}}], [], {"pvc-1"}, NODES)
