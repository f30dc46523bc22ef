"""Start only from up-to-date disks; a move only to them; never take the only good copy away by choice."""

from dataclasses import replace

import pytest

from avance.core.licence import why_not_start
from avance.core.model import ActionType, MigrationView, PairView, VmView
from avance.core.replication import (
    in_sync,
    only_good_copy,
    resyncing,
    split_brain,
    why_not_fence,
    why_not_move,
    why_not_start_on,
    why_not_synced,
    written_now,
)
from avance.core.storage import Connection, DiskState, ReplicaView, StorageView, VolumeView, Written
from tests.core.views import NOW, action, disks, ended, evidence, launcher, node, pair, reads, running

UP, OUTDATED, UNKNOWN, LOST = DiskState.UP_TO_DATE, DiskState.OUTDATED, DiskState.UNKNOWN, DiskState.DISKLESS
CONNECTED, APART, SPLIT = Connection.CONNECTED, Connection.DISCONNECTED, Connection.SPLIT
BOTH, ONLY_A = Written(3, ("node-a", "node-b")), Written(4, ("node-a",))
NOT_GOOD = [state for state in DiskState if state is not UP]
SILENT = StorageView(disks().volumes, error="no answer in 5 s")


def start(vm: VmView, on: str, view: PairView | None = None) -> str:
    return why_not_start_on(replace(view or pair(), vms=(vm,)), vm, on)


def fenced(name: str = "node-a") -> PairView:
    """A pair of which one server is proven off."""
    proof = action(ActionType.FENCE, name, evidence=evidence(node(name)))
    return pair(actions=(proof,))


# ── two ends ──


@pytest.mark.parametrize("told", NOT_GOOD)
def test_of_two_opinions_on_a_copy_the_worse_counts(told: DiskState) -> None:
    assert ReplicaView("node-b", UP, peer_says=told).state is told
    assert ReplicaView("node-b", told, peer_says=UP).state is told


def test_of_two_opinions_on_the_link_the_worse_counts() -> None:
    assert disks(link=CONNECTED, link_of_b=APART).link is APART
    assert disks(link=SPLIT, link_of_b=CONNECTED).link is SPLIT


def test_a_vm_is_as_good_as_the_worst_of_its_volumes() -> None:
    two = StorageView(disks().volumes + disks(b=OUTDATED, name="disk-1").volumes)
    assert two.state_on("node-a") is UP
    assert two.state_on("node-b") is OUTDATED


def test_a_copy_that_nobody_tells_of_is_unknown() -> None:
    alone = StorageView((VolumeView("disk-0", (ReplicaView("node-a", UP, CONNECTED),)),))
    assert alone.state_on("node-b") is UNKNOWN
    assert StorageView().state_on("node-a") is UNKNOWN
    assert not in_sync(pair(), alone)


# ── starts ──


def test_shared_storage_has_no_opinion() -> None:
    vm = running()
    assert start(vm, "node-a") == why_not_move(pair(), vm, "node-b") == ""
    assert only_good_copy(pair(vms=(vm,)), "node-a") == ""


def test_a_vm_starts_from_a_copy_that_is_up_to_date_and_connected() -> None:
    assert start(ended(), "node-b") == ""
    assert start(replace(ended(), storage=disks(), written=BOTH), "node-b") == ""


@pytest.mark.parametrize("state", NOT_GOOD)
def test_no_start_from_a_copy_that_is_not_up_to_date_whatever_is_proven(state: DiskState) -> None:
    vm = replace(ended(), storage=disks(b=state, link=APART), written=BOTH)
    assert start(vm, "node-b", fenced("node-a"))


def test_no_start_from_a_copy_that_missed_the_last_writes_whatever_it_says_of_itself() -> None:
    vm = replace(ended(), storage=disks(link=APART), written=ONLY_A)
    assert "wrote last is on node-a" in start(vm, "node-b", fenced("node-a"))
    assert start(vm, "node-a") == ""


def test_copies_that_are_apart_are_started_from_only_if_the_other_server_is_proven_off() -> None:
    vm = replace(ended(), storage=disks(link=APART), written=BOTH)
    assert "either may be the newer" in start(vm, "node-b")
    assert start(vm, "node-b", fenced("node-a")) == ""


def test_a_first_start_waits_until_the_copies_are_connected() -> None:
    vm = replace(ended(), storage=disks(link=APART))
    assert start(vm, "node-a")
    assert start(replace(vm, storage=disks()), "node-a") == ""


def test_a_volume_that_never_had_a_second_copy_starts_from_its_only_one() -> None:
    vm = replace(ended(), storage=disks(b=LOST, link=Connection.UNKNOWN))
    assert start(vm, "node-a") == ""
    assert start(vm, "node-b")


def test_storage_that_cannot_be_asked_allows_a_start_only_where_the_vm_wrote_last() -> None:
    vm = replace(ended(on="node-a"), storage=SILENT, written=BOTH)
    assert start(vm, "node-a") == ""
    assert "no answer in 5 s" in start(vm, "node-b", fenced("node-a"))
    moved = replace(vm, migrations=(MigrationView("m", "Succeeded"),))
    assert start(moved, "node-a")
    assert start(replace(vm, instance=None), "node-a")
    assert start(replace(vm, instance=None, written=ONLY_A), "node-a") == ""


@pytest.mark.parametrize("last", [LOST, OUTDATED, DiskState.INCONSISTENT, DiskState.FAILED])
def test_storage_that_fell_silent_after_bad_news_allows_no_start_from_that_copy(last: DiskState) -> None:
    silent = StorageView(disks(a=last).volumes, error="no answer in 5 s")
    for written in (BOTH, ONLY_A):
        assert start(replace(ended(on="node-a"), storage=silent, written=written), "node-a")


def test_the_licence_asks_for_the_disks_too() -> None:
    vm = replace(ended(), storage=disks(a=UNKNOWN, b=OUTDATED))
    view = pair(vms=(vm,), pods=(launcher(vm, phase="Failed"),))
    assert "Outdated" in why_not_start(view, vm, NOW, "node-b")
    assert "Unknown" in why_not_start(view, vm, NOW)
    assert why_not_start(view, replace(vm, storage=disks(a=UP, b=OUTDATED), written=ONLY_A), NOW) == ""


# ── moves ──


@pytest.mark.parametrize("state", NOT_GOOD)
def test_no_move_to_a_copy_that_is_not_up_to_date(state: DiskState) -> None:
    vm = replace(running(), storage=disks(b=state))
    assert why_not_move(pair(vms=(vm,)), vm, "node-b")


@pytest.mark.parametrize("state", list(DiskState))
def test_a_move_away_from_a_bad_copy_is_the_point(state: DiskState) -> None:
    vm = replace(running(), storage=disks(a=state))
    assert why_not_move(pair(vms=(vm,)), vm, "node-b") == ""


@pytest.mark.parametrize("storage", [disks(link=APART), disks(link_of_b=APART), disks(link=SPLIT), SILENT])
def test_no_move_between_copies_that_are_apart_or_silent(storage: StorageView) -> None:
    vm = replace(running(), storage=storage)
    assert why_not_move(pair(vms=(vm,)), vm, "node-b")


def test_split_brain_shows_both_sides_and_where_the_vm_wrote_last() -> None:
    vm = replace(running(), storage=disks(link=SPLIT), written=ONLY_A)
    told = split_brain(vm)
    for words in ("disk-0", "node-a has it UpToDate", "node-b has it UpToDate", "wrote last on node-a"):
        assert words in told
    assert why_not_synced(pair(vms=(vm,)), vm)[0] == "SplitBrain"


# ── the record of what was written last ──


def record(vm: VmView) -> Written | None:
    return written_now(pair(vms=(vm,)), vm)


def test_both_servers_hold_the_newest_copy_while_they_are_in_sync() -> None:
    assert record(replace(running(), storage=disks())) == Written(1, ("node-a", "node-b"))
    assert record(replace(running(), storage=disks(), written=ONLY_A)) == Written(4, ("node-a", "node-b"))


def test_a_new_generation_begins_when_the_vm_writes_without_the_other_copy() -> None:
    vm = replace(running(on="node-a"), storage=disks(b=OUTDATED, link=APART), written=BOTH)
    assert record(vm) == Written(4, ("node-a",))
    assert record(replace(vm, written=ONLY_A)) == ONLY_A


def test_a_server_that_only_the_other_end_calls_disconnected_may_be_dead_and_has_written_nothing() -> None:
    vm = replace(running(on="node-a"), storage=disks(link=CONNECTED, link_of_b=APART), written=BOTH)
    assert record(vm) == BOTH
    assert record(replace(vm, storage=disks(a=UNKNOWN, link=Connection.UNKNOWN, link_of_b=APART))) == BOTH


def test_a_vm_without_its_disk_writes_to_the_other_copy() -> None:
    vm = replace(running(on="node-a"), storage=disks(a=LOST), written=BOTH)
    assert record(vm) == Written(4, ("node-b",))


@pytest.mark.parametrize("storage", [SILENT, StorageView()])
def test_silence_changes_nothing_on_record(storage: StorageView) -> None:
    assert record(replace(running(), storage=storage, written=BOTH)) == BOTH
    assert record(replace(running(), storage=storage)) is None


def test_a_vm_that_does_not_run_writes_nothing() -> None:
    assert record(replace(ended(), storage=disks(b=OUTDATED, link=APART), written=BOTH)) == BOTH


# ── the only good copy ──


@pytest.mark.parametrize("state", NOT_GOOD)
def test_the_server_with_the_only_good_copy_is_not_to_be_taken_away(state: DiskState) -> None:
    vm = replace(running(on="node-a"), storage=disks(b=state), written=BOTH)
    assert "only good copy of the disks of default/web" in only_good_copy(pair(vms=(vm,)), "node-a")
    assert only_good_copy(pair(vms=(vm,)), "node-b") == "" or state in (UNKNOWN, DiskState.CONSISTENT)


def test_a_copy_that_missed_the_last_writes_is_no_good_copy() -> None:
    vm = replace(running(on="node-a"), storage=disks(link=APART), written=ONLY_A)
    assert only_good_copy(pair(vms=(vm,)), "node-a")
    assert only_good_copy(pair(vms=(vm,)), "node-b") == ""


def test_unknown_is_not_good() -> None:
    vm = replace(running(on="node-a"), storage=SILENT, written=BOTH)
    assert only_good_copy(pair(vms=(vm,)), "node-a")
    assert only_good_copy(pair(vms=(vm,)), "node-b")


def test_a_dead_server_with_the_only_good_copy_is_fenced_once_its_loss_is_certain() -> None:
    vm = replace(running(on="node-a"), storage=disks(a=UNKNOWN, b=OUTDATED, link=APART), written=ONLY_A)
    silent = node("node-a", heard_at=NOW - 60)
    view = pair(a=silent, vms=(vm,))
    assert why_not_fence(view, silent, NOW)[0]
    assert why_not_fence(view, silent, NOW)[1] == NOW + 240
    assert why_not_fence(view, silent, NOW + 240) == ("", None)
    off = replace(silent, power=reads("Off"))
    assert why_not_fence(replace(view, nodes=(off, view.nodes[1])), off, NOW) == ("", None)
    assert why_not_fence(view, view.nodes[1], NOW) == ("", None)


# ── what people are told ──


def syncing(percent: float, left: float | None) -> StorageView:
    target = ReplicaView("node-b", DiskState.INCONSISTENT, CONNECTED, sync_percent=percent, seconds_left=left)
    return StorageView((VolumeView("disk-0", (ReplicaView("node-a", UP, CONNECTED), target)),))


@pytest.mark.parametrize(
    ("storage", "reason", "words"),
    [
        (syncing(34.4, 720), "Resynchronising", "34 %, about 12 min left"),
        (syncing(34.4, None), "Resynchronising", "(34 %)"),
        (syncing(99.0, 8), "Resynchronising", "about 8 s left"),
        (disks(b=LOST), "DiskLost", "node-b has lost its copy"),
        (disks(b=OUTDATED), "OutOfSync", "on node-b are Outdated"),
        (disks(link=APART), "NotConnected", "not connected"),
        (SILENT, "StorageSilent", "no answer in 5 s"),
        (disks(), "", ""),
    ],
)
def test_why_the_disks_are_not_redundant(storage: StorageView, reason: str, words: str) -> None:
    vm = replace(running(), storage=storage)
    told = why_not_synced(pair(vms=(vm,)), vm)
    assert told[0] == reason
    assert words in told[1]


def test_a_server_is_resynchronising_as_long_as_one_of_its_copies_is() -> None:
    vm = replace(running(), storage=syncing(34, 720))
    assert "34 %" in resyncing(pair(vms=(vm,)), "node-b")
    assert resyncing(pair(vms=(vm,)), "node-a") == ""
