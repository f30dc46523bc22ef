"""What the watches have seen, and when each sign was first seen."""

import json
from typing import Any

import pytest

from avance.api.protected_vm import ProtectedVM
from avance.kube.resources import (
    AVANCE_ACTIONS,
    AVANCE_PAIRS,
    LEASES,
    MIGRATIONS,
    NODES,
    PODS,
    PROTECTED_VMS,
    VIRTUAL_MACHINES,
    VMIS,
    Resource,
)
from avance.operator.parsing import Parsed
from avance.operator.store import REMEMBERED_DELETIONS, Store
from avance.operator.watching import pairs_of
from tests.operator.objects import (
    PAIR,
    START,
    World,
    condition,
    instance,
    launcher,
    lease,
    machine,
    metadata,
    node,
    pair,
    protected_vm,
)

Object = dict[str, Any]


@pytest.fixture
def world() -> World:
    return World()


def at(version: int, obj: Object, uid: str = "") -> Object:
    identity = {"uid": uid} if uid else {}
    return {**obj, "metadata": {**obj["metadata"], **identity, "resourceVersion": str(version)}}


def relist(store: Store, resource: Resource, live: list[Object], as_of: str) -> list[Object]:
    """Take in a whole listing; the ghosts that it shows."""
    return store.drop_ghosts(resource, store.put_all(resource, live), as_of)


def test_only_a_newer_version_of_an_object_is_taken_in(world: World) -> None:
    store = world.store
    assert store.put(NODES, at(10, node(boot="new")))
    assert not store.put(NODES, at(9, node(boot="old")))
    assert not store.put(NODES, at(10, node(boot="same")))
    known = store.get(NODES, "node-a")
    assert known is not None
    assert known["status"]["nodeInfo"]["bootID"] == "new"


def test_versions_are_numbers_not_text(world: World) -> None:
    world.store.put(NODES, at(9, node()))
    assert world.store.put(NODES, at(10, node()))


def test_a_listing_older_than_the_watch_brings_no_predecessor_back(world: World) -> None:
    """Deleted and made anew while the listing was on its way: the watch has told of both already."""
    world.store.put(VMIS, at(20, instance(uid="new")))
    relist(world.store, VMIS, [at(10, instance(uid="old"))], "10")
    known = world.store.get(VMIS, "web", "shop")
    assert known is not None
    assert known["metadata"]["uid"] == "new"


@pytest.mark.parametrize("listed", [True, False], ids=["a listing", "the answer to a write"])
def test_what_was_on_its_way_brings_nothing_back_that_was_deleted_meanwhile(world: World, listed: bool) -> None:
    world.store.put(VMIS, at(10, instance()))
    world.store.drop(VMIS, at(15, instance()))
    assert not world.store.put(VMIS, at(12, instance()), listed=listed)
    assert world.store.get(VMIS, "web", "shop") is None
    assert world.store.put(VMIS, at(16, instance(uid="new")), listed=listed)


def test_deletions_are_forgotten_some_day(world: World) -> None:
    for number in range(REMEMBERED_DELETIONS + 10):
        pod = at(2 * number + 1, launcher(suffix=str(number)))
        world.store.put(PODS, pod)
        world.store.drop(PODS, pod)
    assert len(world.store._dropped) == REMEMBERED_DELETIONS


def test_a_deletion_that_comes_late_does_not_take_the_successor(world: World) -> None:
    old = at(10, instance(uid="old"))
    world.store.put(VMIS, old)
    world.store.put(VMIS, at(20, instance(uid="new")))
    world.store.drop(VMIS, old)
    assert world.store.get(VMIS, "web", "shop") is not None
    world.store.drop(VMIS, at(20, instance(uid="new")))
    assert world.store.get(VMIS, "web", "shop") is None


def test_ghosts_go_with_a_fresh_listing(world: World) -> None:
    world.store.put(PODS, at(10, launcher(suffix="gone")))
    world.store.put(PODS, at(11, launcher(suffix="stays")))
    ghosts = relist(world.store, PODS, [at(30, launcher(suffix="stays"))], "30")
    assert [ghost["metadata"]["name"] for ghost in ghosts] == ["virt-launcher-web-gone"]
    assert [pod["metadata"]["name"] for pod in world.store.members(PODS, "shop/web")] == ["virt-launcher-web-stays"]


def test_the_last_object_of_a_kind_can_be_a_ghost_too(world: World) -> None:
    world.store.put(PODS, at(10, launcher()))
    assert len(relist(world.store, PODS, [], "30")) == 1
    assert list(world.store.all(PODS)) == []


def test_what_is_newer_than_the_listing_is_no_ghost(world: World) -> None:
    world.store.put(PODS, at(40, launcher(suffix="just-made")))
    assert relist(world.store, PODS, [at(30, launcher(suffix="stays"))], "30") == []
    assert len(list(world.store.members(PODS, "shop/web"))) == 2


def test_what_all_objects_say_is_in_memory_once_and_managed_fields_never(world: World) -> None:
    for name in ("node-a", "node-b"):
        managed = {"managedFields": [{"manager": "kubelet", "fieldsV1": {"f:status": {}}}]}
        told = json.loads(json.dumps(at(10, node(name))))
        world.store.put(NODES, {**told, "metadata": told["metadata"] | managed})
    one, other = world.store.all(NODES)
    assert "managedFields" not in one["metadata"]
    assert one["status"]["conditions"][0]["type"] is other["status"]["conditions"][0]["type"]
    assert {id(key) for key in one["status"]} == {id(key) for key in other["status"]}


def test_a_member_leaves_its_group_with_its_label(world: World) -> None:
    world.put(NODES, node())
    unlabelled = node()
    del unlabelled["metadata"]["labels"]["avance.dev/pair"]
    world.put(NODES, unlabelled)
    assert list(world.store.members(NODES, f"avance.dev/pair={PAIR}")) == []


def test_pods_of_older_kubevirts_are_found_by_their_other_label(world: World) -> None:
    old = launcher()
    labels = old["metadata"]["labels"]
    labels["kubevirt.io/domain"] = labels.pop("vm.kubevirt.io/name")
    world.put(PODS, old)
    assert len(list(world.store.members(PODS, "shop/web"))) == 1


# --- signs ------------------------------------------------------------------------------------------------------------


def test_a_sign_is_as_old_as_its_value(world: World) -> None:
    first = world.put(VMIS, instance())
    world.clock.go_on(5)
    world.put(VMIS, instance())
    assert world.store.first_seen(VMIS, first, "phase") == START
    failed = world.put(VMIS, instance(phase="Failed"))
    assert world.store.first_seen(VMIS, failed, "phase") == START + 5


def test_a_condition_that_turned_twice_between_two_looks_is_a_new_sign(world: World) -> None:
    world.put(NODES, node("node-a", condition("PowerSupplyProblem", "True")))
    world.clock.go_on(5)
    again = world.put(NODES, node("node-a", condition("PowerSupplyProblem", "True", since="2026-05-01T10:00:03Z")))
    assert world.store.first_seen(NODES, again, "PowerSupplyProblem") == START + 5


def test_a_lease_in_a_listing_may_be_old_so_silence_counts_from_the_start(world: World) -> None:
    known = world.put(NODES, node(), listed=True)
    world.clock.go_on(30)
    world.put(LEASES, lease(), listed=True)
    assert world.store.heard_at(known) == START


def test_a_renewal_that_was_watched_is_heard_now(world: World) -> None:
    known = world.put(NODES, node(), listed=True)
    world.put(LEASES, lease(), listed=True)
    world.clock.go_on(8)
    world.put(LEASES, lease(renewed="2026-05-01T10:00:10.000000Z"))
    assert world.store.heard_at(known) == START + 8


def test_a_renewal_that_a_listing_shows_after_the_first_look_is_a_sign_of_life(world: World) -> None:
    known = world.put(NODES, node(), listed=True)
    world.put(LEASES, lease(), listed=True)
    world.clock.go_on(8)
    world.put(LEASES, lease(renewed="2026-05-01T10:00:10.000000Z"), listed=True)
    assert world.store.heard_at(known) == START + 8


def test_another_change_of_the_lease_is_no_sign_of_life(world: World) -> None:
    known = world.put(NODES, node(), listed=True)
    world.put(LEASES, lease(), listed=True)
    world.clock.go_on(8)
    world.put(LEASES, lease())
    assert world.store.heard_at(known) == START


def test_a_new_boot_is_a_sign_of_life(world: World) -> None:
    world.put(NODES, node(), listed=True)
    world.put(LEASES, lease(), listed=True)
    world.clock.go_on(60)
    booted = world.put(NODES, node(boot="boot-2"))
    assert world.store.heard_at(booted) == START + 60


def test_what_the_control_plane_writes_to_a_node_is_no_sign_of_life(world: World) -> None:
    """The Ready condition of a dead node turns Unknown: that is the opposite of a sign of life."""
    world.put(NODES, node(), listed=True)
    world.clock.go_on(60)
    dead = node()
    dead["status"]["conditions"] = [condition("Ready", "Unknown", since="2026-05-01T10:01:00Z")]
    assert world.store.heard_at(world.put(NODES, dead)) == START


def test_a_node_without_a_lease_was_heard_at_no_later_time_than_the_start(world: World) -> None:
    known = world.put(NODES, node(), listed=True)
    world.clock.go_on(100)
    assert world.store.heard_at(known) == START


# --- whom a change concerns -------------------------------------------------------------------------------------------


def _action() -> Object:
    return {"metadata": metadata("start-1"), "spec": {"pairRef": {"name": PAIR}}}


def _migration() -> Object:
    return {"metadata": metadata("migrate-1", "shop"), "spec": {"vmiName": "web"}}


@pytest.mark.parametrize(
    ("resource", "obj"),
    [
        (AVANCE_PAIRS, pair()),
        (NODES, node()),
        (LEASES, lease()),
        (PROTECTED_VMS, protected_vm()),
        (VIRTUAL_MACHINES, machine()),
        (VMIS, instance()),
        (PODS, launcher()),
        (MIGRATIONS, _migration()),
        (AVANCE_ACTIONS, _action()),
    ],
    ids=lambda value: value.kind if isinstance(value, Resource) else "",
)
def test_every_change_wakes_the_pair_that_it_is_part_of(world: World, resource: Resource, obj: Object) -> None:
    world.quiet_pair()
    world.vm()
    assert list(pairs_of(world.store, resource, obj)) == [PAIR]


@pytest.mark.parametrize(
    ("resource", "obj"),
    [
        (LEASES, lease("other")),
        (VMIS, instance("other")),
        (PODS, launcher("other")),
        (VIRTUAL_MACHINES, machine("other")),
    ],
)
def test_what_belongs_to_no_pair_wakes_none(world: World, resource: Resource, obj: Object) -> None:
    world.quiet_pair()
    world.vm()
    assert list(pairs_of(world.store, resource, obj)) == []


def test_a_lease_that_is_new_begins_the_contact_anew(world: World) -> None:
    world.put(LEASES, lease(renewed="2026-05-01T10:00:00.000001Z"))
    obj = world.put(NODES, node())
    world.clock.go_on(100)
    known = world.store.get(LEASES, "node-a", "kube-node-lease")
    assert known is not None
    world.store.drop(LEASES, known)
    world.put(LEASES, lease(renewed="2026-05-01T10:02:00.000001Z"))
    assert world.store.heard_since(obj) == START + 100


def test_nothing_is_kept_of_groups_that_were_asked_for_or_have_emptied(world: World) -> None:
    assert list(world.store.members(PODS, "shop/unknown")) == []
    pod = world.put(PODS, launcher())
    world.store.drop(PODS, pod)
    assert dict(world.store._members) == {}


def test_what_was_parsed_of_an_object_goes_with_it(world: World) -> None:
    parsed: Parsed[ProtectedVM] = Parsed(ProtectedVM, world.store)
    obj = world.put(PROTECTED_VMS, protected_vm())
    assert parsed.of(obj) is parsed.of(obj)
    world.store.drop(PROTECTED_VMS, obj)
    assert parsed._known == {}


def test_another_object_of_the_same_name_begins_anew_even_if_the_end_of_the_old_one_is_told_later(world: World) -> None:
    old = world.put(VMIS, instance(phase="Running"))
    world.clock.go_on(100)
    new = world.put(VMIS, instance(phase="Running", uid="another"))
    assert world.store.first_seen(VMIS, new, "phase") == START + 100
    world.store.drop(VMIS, old)
    assert world.store.get(VMIS, "web", "shop") == new


def test_an_instance_ended_in_order_if_its_kubelet_said_so_before_it_went(world: World) -> None:
    vmi = world.put(VMIS, instance())
    world.put(PODS, launcher())
    ended = world.put(PODS, launcher(phase="Succeeded"))
    world.clock.go_on(5)
    world.store.drop(PODS, ended)
    world.store.drop(VMIS, vmi)
    assert world.store.vanished_at("shop/web") == 0


@pytest.mark.parametrize("pod_first", [True, False])
def test_an_instance_that_goes_without_its_kubelets_word_has_vanished(world: World, pod_first: bool) -> None:
    """Somebody removed both by force, in whatever order."""
    gone = [(PODS, world.put(PODS, launcher())), (VMIS, world.put(VMIS, instance()))]
    world.clock.go_on(5)
    for resource, obj in gone if pod_first else reversed(gone):
        world.store.drop(resource, obj)
    assert world.store.vanished_at("shop/web") == START + 5


def test_of_an_instance_that_nobody_saw_go_nothing_is_known_before_the_start(world: World) -> None:
    assert world.store.vanished_at("shop/web") == START
