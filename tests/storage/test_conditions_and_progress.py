"""Storage by the nodes' conditions, and how long a resync will still take."""

import pytest

from avance.core.storage import Connection, DiskState, ReplicaView, StorageView, VolumeView
from avance.storage.claims import claims_of
from avance.storage.conditions import by_conditions
from avance.storage.progress import WATCHED_SECONDS, SyncProgress

FINE = ("False", "")


def other(status: str, message: str = "") -> StorageView:
    """Node-b is fine; node-a says this."""
    return by_conditions({"node-a": (status, message), "node-b": FINE})


def test_two_sound_copies_are_in_sync() -> None:
    storage = other(*FINE)
    assert storage.state_on("node-a") is storage.state_on("node-b") is DiskState.UP_TO_DATE
    assert storage.link is Connection.CONNECTED


@pytest.mark.parametrize(
    ("message", "state"),
    [
        ("component=web state=Outdated", DiskState.OUTDATED),
        ("component=web state=Diskless; component=db state=Outdated", DiskState.DISKLESS),
        ("component=web state=syncing done=40", DiskState.INCONSISTENT),
        ("the pool is degraded", DiskState.INCONSISTENT),
    ],
)
def test_a_problem_says_how_bad_it_is(message: str, state: DiskState) -> None:
    assert other("True", message).state_on("node-a") is state
    assert other("True", message).state_on("node-b") is DiskState.UP_TO_DATE


def test_a_sound_copy_that_is_apart() -> None:
    storage = other("True", "component=web state=Disconnected")
    assert storage.state_on("node-a") is DiskState.UP_TO_DATE
    assert storage.link is Connection.DISCONNECTED
    assert other("True", "component=web state=Split").link is Connection.SPLIT


@pytest.mark.parametrize("status", ["", "Unknown"])
def test_a_node_that_says_nothing_has_a_copy_that_nobody_knows(status: str) -> None:
    assert other(status).state_on("node-a") is DiskState.UNKNOWN


def test_progress_is_read() -> None:
    storage = other("True", "component=web state=syncing done=40")
    assert storage.volumes[0].on("node-a").sync_percent == 40


def volume(percent: float | None) -> VolumeView:
    return VolumeView("v", (ReplicaView("node-a", DiskState.INCONSISTENT, sync_percent=percent),))


def left(progress: SyncProgress, percent: float | None, now: float) -> float | None:
    return progress.estimate(volume(percent), now).on("node-a").seconds_left


def test_the_time_left_follows_from_how_far_it_came() -> None:
    progress = SyncProgress()
    assert left(progress, 10, 0) is None
    assert left(progress, 11, WATCHED_SECONDS - 1) is None
    assert left(progress, 20, 100) == pytest.approx(800)
    assert left(progress, 60, 200) == pytest.approx(160)


def test_a_resync_that_begins_anew_is_watched_anew() -> None:
    progress = SyncProgress()
    left(progress, 50, 0)
    assert left(progress, 5, 100) is None
    assert left(progress, 10, 200) == pytest.approx(1800)
    assert left(progress, None, 300) is None
    assert left(progress, 10, 400) is None


def test_the_claims_of_a_virtual_machine() -> None:
    volumes = [
        {"name": "root", "persistentVolumeClaim": {"claimName": "web-root"}},
        {"name": "data", "dataVolume": {"name": "web-data"}},
        {"name": "init", "cloudInitNoCloud": {}},
    ]
    assert claims_of({"spec": {"template": {"spec": {"volumes": volumes}}}}) == ("web-data", "web-root")
    assert claims_of(None) == claims_of({"spec": {}}) == ()
