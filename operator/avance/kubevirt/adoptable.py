"""Can this VirtualMachine be adopted? Whatever stands against it is said in words, with what to do about it.

A VM that cannot be protected is better refused than taken on and lost. Nothing of it is touched then, and it is looked
at again with each of its changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from avance.kubevirt.affinity import why_not_on
from avance.kubevirt.virtual_machine import MANAGED_BY, MANAGED_LABEL

Object = dict[str, Any]
Reason = tuple[str, str]
"""One word in CamelCase, and a sentence without its full stop; both empty if nothing stands against it."""

_NONE: Reason = ("", "")
_CPU_MANAGER_LABEL = "cpumanager"


def why_not_adoptable(
    name: str, machine: Object | None, vmi: Object | None, nodes: Mapping[str, dict[str, str]]
) -> Reason:
    """The first thing that stands against adopting a VirtualMachine. `nodes`: the pair's, with their labels."""
    if machine is None:
        return (
            "NoVirtualMachine",
            f"there is no VirtualMachine {name} in this namespace, and none is made in its place: make it again, and "
            "it is adopted, or delete this ProtectedVM",
        )
    owners = (_ownership, _power, _placement, _together, _devices, _processors)
    template = ((machine.get("spec") or {}).get("template") or {}).get("spec") or {}
    for rule in owners:
        found = rule(machine, template, nodes)
        if found[0]:
            return found
    return _instance(vmi, nodes) if vmi is not None else _NONE


def why_not_ours(machine: Object | None) -> Reason:
    """Why the VirtualMachine that has the name of a ProtectedVM with a definition of its own is somebody else's."""
    if machine is None or (machine["metadata"].get("labels") or {}).get(MANAGED_LABEL) == MANAGED_BY:
        return _NONE
    name = machine["metadata"]["name"]
    return (
        "NameTaken",
        f"there is a VirtualMachine {name} that avance did not make, and it is left alone: adopt it (vmRef in place of "
        "disks, cores and memory), or choose another name",
    )


def _ownership(machine: Object, _: Object, __: Mapping[str, Any]) -> Reason:
    metadata = machine["metadata"]
    if metadata.get("deletionTimestamp"):
        return (
            "BeingDeleted",
            "its VirtualMachine is being deleted: nothing is done to it, and none is made in its place",
        )
    owner: Object = next((each for each in metadata.get("ownerReferences") or () if each.get("controller")), {})
    if owner:
        what = f"{owner.get('kind')} {owner.get('name')}"
        return "OwnedByAnother", f"its VirtualMachine belongs to {what}, which manages it: take it out of there first"
    return _NONE


def _power(machine: Object, _: Object, __: Mapping[str, Any]) -> Reason:
    spec = machine.get("spec") or {}
    if spec.get("running") is not None and spec.get("runStrategy") is not None:
        both = "its VirtualMachine has both spec.running and spec.runStrategy, so KubeVirt refuses any change of it"
        return "RunStrategyUnclear", f"{both}: remove one"
    if spec.get("runStrategy") == "WaitAsReceiver":
        return (
            "BeingReceived",
            "its VirtualMachine waits to be received from another cluster (runStrategy WaitAsReceiver)",
        )
    return _NONE


def _placement(_: Object, template: Object, nodes: Mapping[str, dict[str, str]]) -> Reason:
    for node, labels in nodes.items():
        why = why_not_on(template, node, labels)
        if why:
            return "KeptOffANode", f"{why}: either server of the pair must be able to run it; change that first"
    return _NONE


def _together(_: Object, template: Object, __: Mapping[str, Any]) -> Reason:
    affinity = template.get("affinity") or {}
    for kind in ("podAffinity", "podAntiAffinity"):
        if (affinity.get(kind) or {}).get("requiredDuringSchedulingIgnoredDuringExecution"):
            return (
                "TiedToOtherPods",
                f"its required {kind} can keep it off the surviving server: make it a preferred one, or remove it",
            )
    if any(
        each.get("whenUnsatisfiable") == "DoNotSchedule" for each in template.get("topologySpreadConstraints") or ()
    ):
        why = "its topology spread constraint can keep it off the surviving server"
        return "TiedToOtherPods", f"{why}: make it ScheduleAnyway, or remove it"
    return _NONE


def _devices(_: Object, template: Object, __: Mapping[str, Any]) -> Reason:
    devices = (template.get("domain") or {}).get("devices") or {}
    for kind in ("hostDevices", "gpus"):
        if devices.get(kind):
            named = ", ".join(str(each.get("name", "")) for each in devices[kind])
            return "HostDevices", f"it has devices of its server ({kind}: {named}), which cannot follow it: remove them"
    local = next((volume for volume in template.get("volumes") or () if "hostDisk" in volume), None)
    if local:
        return "HostDevices", f"its disk {local.get('name')} is a file of its server (hostDisk): move it to a claim"
    return _NONE


def _processors(_: Object, template: Object, nodes: Mapping[str, dict[str, str]]) -> Reason:
    if not ((template.get("domain") or {}).get("cpu") or {}).get("dedicatedCpuPlacement"):
        return _NONE
    for node, labels in nodes.items():
        if labels.get(_CPU_MANAGER_LABEL) != "true":
            why = f"it wants processors of its own (dedicatedCpuPlacement), which {node} does not give"
            return "DedicatedProcessors", f"{why}: set up its CPU manager, or remove dedicatedCpuPlacement"
    return _NONE


def _instance(vmi: Object, nodes: Mapping[str, Any]) -> Reason:
    status = vmi.get("status") or {}
    if status.get("phase") in ("Succeeded", "Failed"):
        return _NONE
    movable: Object = next((each for each in status.get("conditions") or () if each["type"] == "LiveMigratable"), {})
    if movable.get("status") == "False":
        why = movable.get("message") or movable.get("reason")
        return (
            "NotMigratable",
            f"it cannot be moved while it runs: {why}; disks have to be on ReadWriteMany claims, and a bridge on the "
            "pod network has to become masquerade",
        )
    on = status.get("nodeName")
    if on and on not in nodes:
        there = " or ".join(sorted(nodes))
        return "RunsElsewhere", f"it runs on {on}, which is not of the pair: migrate it to {there}, and it is adopted"
    state = status.get("migrationState") or {}
    if state and not state.get("endTimestamp"):
        return "Moving", "it is being migrated: it is adopted once that has ended"
    return _NONE
