"""From DataVolumes to what the rules know of the disks that are made with a VM."""

from typing import Any

import pytest

from avance.core.provisioning import NewDisk, Provisioning, why_disks_keep_it
from avance.kube.resources import AVANCE_PAIRS, DATA_VOLUMES, PROTECTED_VMS, VIRTUAL_MACHINES
from avance.operator.watching import pairs_of
from tests.operator.objects import START, World, machine, metadata, pair, protected_vm

Object = dict[str, Any]
DISKS = [{"name": "root", "http": {"url": "https://images.example/one"}, "capacity": "10Gi"}]


def volume(phase: str, progress: str = "N/A", restarts: int = 0, **conditions: Object) -> Object:
    told = [{"type": kind, **said} for kind, said in conditions.items()]
    owner = {"kind": "VirtualMachine", "name": "web", "uid": "uid-web"}
    status = {"phase": phase, "progress": progress, "restartCount": restarts, "conditions": told}
    return {
        "metadata": metadata("web-root", "shop", "uid-dv", ownerReferences=[owner]),
        "spec": {},
        "status": status,
    }


def stopped(reason: str, message: str) -> Object:
    return {"status": "False", "reason": reason, "message": message}


def seen(world: World, *volumes: Object, status: Object | None = None, **spec: Any) -> Provisioning:
    world.put(PROTECTED_VMS, protected_vm("web", status, **({"disks": DISKS} | spec)))
    if world.store.get(VIRTUAL_MACHINES, "web", "shop") is None:
        world.put(VIRTUAL_MACHINES, machine("web", "node-a"))
    for each in volumes:
        world.put(DATA_VOLUMES, each)
    obj = world.put(AVANCE_PAIRS, pair())
    [found] = world.observer.view(world.observer.pair(obj)).vms
    return found.provisioning


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (volume("ImportInProgress", "45.32%"), NewDisk("root", "shop/web-root", "ImportInProgress", 45.32)),
        (volume(""), NewDisk("root", "shop/web-root", "Pending")),
        (
            volume("ImportInProgress", restarts=2, Running=stopped("Error", "got 404")),
            NewDisk("root", "shop/web-root", "ImportInProgress", trouble="got 404", tries=2),
        ),
        (
            volume("ImportScheduled", Running=stopped("ContainerCreating", "")),
            NewDisk("root", "shop/web-root", "ImportScheduled"),
        ),
        (
            volume("ImportInProgress", Running=stopped("ScratchSpaceRequired", "scratch space required")),
            NewDisk("root", "shop/web-root", "ImportInProgress"),
        ),
        (
            volume("Pending", Bound=stopped("ErrClaimNotValid", "no class fast")),
            NewDisk("root", "shop/web-root", "Pending", trouble="no class fast"),
        ),
        (
            volume("Pending", Bound=stopped("Pending", "PVC web-root Pending")),
            NewDisk("root", "shop/web-root", "Pending"),
        ),
        (
            volume("CloneScheduled", Running=stopped("", "The source pvc old doesn't exist")),
            NewDisk("root", "shop/web-root", "CloneScheduled", trouble="The source pvc old doesn't exist"),
        ),
    ],
)
def test_a_disk_is_as_its_data_volume_says(made: Object, expected: NewDisk) -> None:
    assert seen(World(), made) == Provisioning((expected,))


def test_a_filled_disk_is_as_old_as_it_was_seen() -> None:
    world = World()
    world.clock.go_on(7)
    [disk] = seen(world, volume("Succeeded", "100.0%", Running=stopped("Completed", "done"))).disks
    assert (disk.phase, disk.trouble, disk.filled_at) == ("Succeeded", "", START + 7)


def test_nothing_starts_on_what_an_earlier_vm_of_the_name_has_left() -> None:
    of_another = volume("Succeeded", "100.0%")
    of_another["metadata"]["ownerReferences"][0]["uid"] = "uid-of-another"
    going = volume("Succeeded", "100.0%")
    going["metadata"]["deletionTimestamp"] = "2026-05-01T10:00:00Z"
    for left in (of_another, going):
        found = seen(World(), left)
        assert why_disks_keep_it(found) == "disk root waits until that of an earlier VM of this name is removed"


def test_what_virt_controller_could_not_create_is_told_in_its_words() -> None:
    world = World()
    refused = machine("web", "node-a")
    message = "Error encountered while creating DataVolumes: not authorized to create DataVolume: no"
    refused["status"] = {"conditions": [{"type": "Failure", "status": "True", "message": message}]}
    world.put(VIRTUAL_MACHINES, refused)
    [disk] = seen(world).disks
    assert (disk.phase, disk.trouble) == ("", "not authorized to create DataVolume: no")


def test_a_data_volume_that_was_tidied_away_is_not_missed() -> None:
    assert seen(World(), status={"primary": "node-a"}) == Provisioning()


def test_spindles_that_nobody_offers_are_told() -> None:
    striped = [{"name": "root", "blank": {}, "capacity": "10Gi", "spindles": 3}]
    assert seen(World(), disks=striped).impossible == (
        "disk root: no StorageClass is striped over 3 disks: add it to storage.classes of pair site (there: none)"
    )


def test_a_change_of_a_data_volume_concerns_the_pair_of_its_vm_alone() -> None:
    world = World()
    seen(world)
    assert list(pairs_of(world.store, DATA_VOLUMES, volume("Pending"))) == ["site"]
    image = volume("Pending")
    del image["metadata"]["ownerReferences"]
    assert list(pairs_of(world.store, DATA_VOLUMES, image)) == []
