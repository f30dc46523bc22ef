"""What CDI and KubeVirt say of the disks that are made with a VM."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from avance.api.disk import Disk
from avance.api.protected_vm import ProtectedVM
from avance.core.provisioning import FILLED, LEFT_BEHIND, NewDisk, Provisioning
from avance.kube.resources import DATA_VOLUMES, VIRTUAL_MACHINES
from avance.kubevirt.disks import data_volume_name, made_with_the_vm, striped_classes
from avance.operator.store import Store, key_of

Object = dict[str, Any]

STOPPED = ("Error", "ImagePullFailed", "ChecksumError", "Unschedulable")
"""Reasons of a DataVolume's Running condition with which its importer has not merely not begun."""


def why_no_class(pvm: ProtectedVM, striped: Mapping[str, str], offered: Mapping[int, str]) -> str:
    """Which disk's spindles the pair has no StorageClass for, in words; empty if there is none."""
    for disk in made_with_the_vm(pvm):
        if disk.spindles is not None and disk.name not in striped:
            there = ", ".join(str(spindles) for spindles in sorted(offered)) or "none"
            missing = f"disk {disk.name}: no StorageClass is striped over {disk.spindles} disks"
            return f"{missing}: add it to storage.classes of pair {pvm.spec.pair_ref.name} (there: {there})"
    return ""


def provisioning_of(store: Store, pvm: ProtectedVM, machine: Object | None, offered: Mapping[int, str]) -> Provisioning:
    """How far the new disks of a VM are. `offered`: the pair's StorageClasses by spindles."""
    striped = striped_classes(pvm, offered, machine)
    disks = tuple(
        found for disk in made_with_the_vm(pvm) if (found := _new_disk(store, pvm, disk, machine)) is not None
    )
    return Provisioning(disks, why_no_class(pvm, striped, offered))


def _new_disk(store: Store, pvm: ProtectedVM, disk: Disk, machine: Object | None) -> NewDisk | None:
    namespace, name = pvm.metadata.namespace or "", data_volume_name(pvm, disk)
    volume = store.get(DATA_VOLUMES, name, namespace)
    key = f"{namespace}/{name}"
    if volume is None:
        # CDI may be told to remove DataVolumes that are done: a VM that has run has its disks.
        return None if pvm.status.primary else NewDisk(disk.name, key, trouble=_refused(machine))
    if volume["metadata"].get("deletionTimestamp") or _of_another(volume, machine):
        return NewDisk(disk.name, key, LEFT_BEHIND)
    made = as_new_disk(disk.name, volume)
    return replace(made, filled_at=store.first_seen(DATA_VOLUMES, volume, "phase")) if made.phase == FILLED else made


def _of_another(volume: Object, machine: Object | None) -> bool:
    """It was made with an earlier VirtualMachine of this name, and is about to follow it: nothing is to start on it."""
    present = machine["metadata"] if machine else {}
    uid = "" if present.get("deletionTimestamp") else present.get("uid", "")
    owners = volume["metadata"].get("ownerReferences") or ()
    return any(owner["kind"] == VIRTUAL_MACHINES.kind and owner["uid"] != uid for owner in owners)


def as_new_disk(name: str, volume: Object) -> NewDisk:
    """What a DataVolume says of the disk of that name."""
    status = volume.get("status") or {}
    phase = str(status.get("phase") or "Pending")
    return NewDisk(
        name,
        "/".join(key_of(volume)),
        phase,
        percent=_percent(status),
        trouble=_trouble(phase, status),
        tries=int(status.get("restartCount") or 0),
    )


def _percent(status: Object) -> float | None:
    number = re.fullmatch(r"([0-9.]+)%", str(status.get("progress") or ""))
    return float(number[1]) if number else None


def _trouble(phase: str, status: Object) -> str:
    """What is said of an importer that has stopped, and of a disk that waits for something that is not there."""
    if phase == FILLED:
        return ""
    conditions = {each["type"]: each for each in status.get("conditions") or ()}
    running, bound = conditions.get("Running", {}), conditions.get("Bound", {})
    message = str(running.get("message") or "")
    if running.get("status") == "False" and (running.get("reason") in STOPPED or (phase == "Failed" and message)):
        return message
    if running.get("status") == "False" and message and phase in ("Pending", "CloneScheduled"):
        return message
    refused = bound.get("reason") in ("ErrClaimNotValid", "ErrExceededQuota", "ClaimLost")
    return str(bound.get("message") or "") if refused else ""


def _refused(machine: Object | None) -> str:
    """Why virt-controller could not create it."""
    for condition in ((machine or {}).get("status") or {}).get("conditions") or ():
        if condition["type"] == "Failure" and condition["status"] == "True" and "DataVolume" in condition["message"]:
            return str(condition["message"]).removeprefix("Error encountered while creating DataVolumes: ")
    return ""
