"""Copies of a VM: another VM, or a golden image. What is copied has to be off."""

from __future__ import annotations

import copy
from argparse import Namespace
from typing import Any

import yaml

from avance.cli.exits import NO, USAGE, Failure
from avance.cli.following import make, say, show
from avance.cli.golden import golden_image, make_image
from avance.cli.looking import answered
from avance.cli.vm_manifest import split_name
from avance.kube.client import Kube
from avance.kube.errors import NotFound
from avance.kube.resources import PROTECTED_VMS, VMIS
from avance.operator.glimpse import connected
from avance.storage.claims import CLAIMS

Object = dict[str, Any]

NEW_DISKS = ("blank", "registryImage", "http", "goldenImage", "clone")
"""Sources of a disk whose claim was made with the VM."""
OF_ONE_MACHINE = ("hostname", "fqdn", "local-hostname")
"""Keys of a cloud-config that two machines must not share."""


def clone(chosen: Namespace) -> int:
    """`avance vm clone`. Raises Failure."""
    return answered(_clone(chosen))


def template(chosen: Namespace) -> int:
    """`avance vm template`. Raises Failure."""
    return answered(_template(chosen))


async def _clone(chosen: Namespace) -> int:
    namespace, source = split_name(chosen.source)
    where, name = split_name(chosen.name, namespace)
    if where != namespace:
        hint = f"avance vm template {namespace}/{source} --name IMAGE makes an image for other namespaces"
        raise Failure(f"a clone is made in the namespace of its source, {namespace}; {hint}", USAGE)
    async with connected(chosen.kubeconfig, chosen.context) as kube:
        obj = await _vm_that_is_off(kube, namespace, source)
        new, notes = cloned(obj, name, running=not chosen.stopped)
        for note in notes:
            say(note)
        return show(chosen, [new]) if chosen.dry_run else await make(chosen, kube, [new])


async def _template(chosen: Namespace) -> int:
    namespace, source = split_name(chosen.vm)
    where, name = split_name(chosen.name, namespace)
    async with connected(chosen.kubeconfig, chosen.context) as kube:
        vm = await _vm_that_is_off(kube, namespace, source)
        claim = claim_of(vm, chosen_disk(vm, chosen.disk))
        try:
            known = await kube.get(CLAIMS, claim, namespace)
        except NotFound as error:
            raise Failure(f"claim {namespace}/{claim} is not there: has the VM ever run?", NO) from error
        say("a guest that was not generalised takes its name and keys along: see --help")
        content = {"pvc": {"name": claim, "namespace": namespace}}
        return await make_image(
            chosen, kube, golden_image(where, name, content, class_name=known["spec"].get("storageClassName", ""))
        )


async def _vm_that_is_off(kube: Kube, namespace: str, name: str) -> Object:
    """Raises Failure for a VM that is not there, or that runs or may start at any moment."""
    try:
        vm = await kube.get(PROTECTED_VMS, name, namespace)
    except NotFound as error:
        raise Failure(f"there is no ProtectedVM {namespace}/{name}", USAGE) from error
    try:
        vmi = await kube.get(VMIS, name, namespace)
        runs = (vmi.get("status") or {}).get("phase") not in ("Succeeded", "Failed")
    except NotFound:
        runs = False
    if runs or vm["spec"].get("running", True):
        how = f'kubectl patch pvm {name} -n {namespace} --type merge -p \'{{"spec":{{"running":false}}}}\''
        state = "runs" if runs else "shall run, so it may start at any moment"
        raise Failure(f"{namespace}/{name} {state}: shut it down first: {how}", NO)
    return vm


def cloned(source: Object, name: str, running: bool) -> tuple[Object, list[str]]:
    """The ProtectedVM of a clone, and what its owner should know. Raises Failure for what cannot be cloned."""
    was, spec = source["metadata"]["name"], copy.deepcopy(source["spec"])
    if spec.get("vmRef"):
        raise Failure(f"{was} is an adopted VirtualMachine: only what a ProtectedVM describes is cloned", USAGE)
    spec["disks"] = [_copied(source, disk) for disk in spec["disks"]]
    for network in spec.get("networks") or ():
        network.pop("macAddress", None)  # two interfaces of one address on a network are none
    spec.pop("pause", None)
    spec.pop("running", None)
    if not running:
        spec["running"] = False
    _forget_the_machine(spec.get("template") or {})
    notes = _new_user_data(spec.get("guest") or {}, was)
    metadata: Object = {"name": name, "namespace": source["metadata"]["namespace"]}
    labels = source["metadata"].get("labels")
    if labels:
        metadata["labels"] = labels
    return {"apiVersion": source["apiVersion"], "kind": source["kind"], "metadata": metadata, "spec": spec}, notes


def _copied(vm: Object, disk: Object) -> Object:
    """A disk that is the VM's own becomes a copy of its claim; what is shared by many stays as it is."""
    if not {"claim", *NEW_DISKS} & disk.keys() or (disk.get("cdrom") and "claim" in disk):
        return disk
    kept = {field: value for field, value in disk.items() if field not in ("claim", *NEW_DISKS)}
    return {**kept, "clone": {"name": claim_of(vm, disk)}}


def claim_of(vm: Object, disk: Object) -> str:
    """The claim that holds a disk of a VM. Raises Failure for a disk that has none."""
    if "claim" in disk:
        return str(disk["claim"]["name"])
    if not set(NEW_DISKS) & disk.keys():
        raise Failure(f"disk {disk['name']} is kept nowhere: what is written to it is lost when the VM stops", USAGE)
    return f"{vm['metadata']['name']}-{disk['name']}"


def chosen_disk(vm: Object, name: str) -> Object:
    """The disk of this name, or the one that the guest boots from. Raises Failure."""
    disks: list[Object] = vm["spec"].get("disks") or []
    written = [disk for disk in disks if not disk.get("cdrom")]
    if not name and written:
        return min(written, key=lambda disk: disk.get("bootOrder", 65))
    found = [disk for disk in disks if disk["name"] == name]
    if not found:
        there = (
            ", ".join(disk["name"] for disk in disks) or "none: those of an adopted VirtualMachine are its own affair"
        )
        raise Failure(f"there is no disk {name or 'to copy'}; there are: {there}", USAGE)
    return found[0]


def _forget_the_machine(overlay: Object) -> None:
    """What only one machine can be: serial number, UUID, host name."""
    spec = overlay.get("spec") or {}
    spec.pop("hostname", None)
    for field in ("uuid", "serial"):
        ((spec.get("domain") or {}).get("firmware") or {}).pop(field, None)


def _new_user_data(guest: Object, was: str) -> list[str]:
    """KubeVirt names the instance after the VM, so cloud-init runs again; a name in the user data would undo that."""
    cloud_init = guest.get("cloudInit") or {}
    if cloud_init.get("secretName"):
        return [f"its user data is Secret {cloud_init['secretName']}, as that of {was}: see that no host name is in it"]
    text = cloud_init.get("userData", "")
    if not text:
        return [f"the guest is not told that it is another machine: it comes up with the name and keys of {was}"]
    try:
        config = yaml.safe_load(text) if text.startswith("#cloud-config") else None
    except yaml.YAMLError:
        config = None
    if isinstance(config, dict) and any(key in config for key in OF_ONE_MACHINE):
        left = {key: value for key, value in config.items() if key not in OF_ONE_MACHINE}
        cloud_init["userData"] = "#cloud-config\n" + (yaml.safe_dump(left, sort_keys=False) if left else "")
    return []
