"""Instance types and preferences as KubeVirt has them: looked up, checked against the VM, and put into the VMI.

What is missing does not keep a VM from being made: it keeps it from being started, and the VM's condition says so. A
field that both the VM and its instance type set is refused.
"""

import copy
from collections.abc import Iterator
from typing import Any

from e2e.kubevirt.api import (
    CLUSTER_INSTANCE_TYPE,
    CLUSTER_PREFERENCE,
    INSTANCE_TYPE,
    PREFERENCE,
    Object,
    Resource,
    key_of,
    uid_of,
)
from e2e.kubevirt.store import Stores

Spec = dict[str, Any]

_KINDS = {
    "instancetype": {"": CLUSTER_INSTANCE_TYPE, "cluster": CLUSTER_INSTANCE_TYPE, "namespaced": INSTANCE_TYPE},
    "preference": {"": CLUSTER_PREFERENCE, "cluster": CLUSTER_PREFERENCE, "namespaced": PREFERENCE},
}
_CONFLICTS = (
    *(("cpu", part) for part in ("sockets", "cores", "threads", "dedicatedCpuPlacement")),
    ("memory", "guest"),
    *(("resources", bound, what) for bound in ("requests", "limits") for what in ("cpu", "memory")),
)


class Missing(Exception):
    """There is none of that name; `reason` is the word for the VM's condition."""

    def __init__(self, reason: str, resource: Resource, name: str) -> None:
        super().__init__(f'{resource.plural}.{resource.group} "{name}" not found')
        self.reason = reason


def conflicts(vm: Object, stores: Stores) -> Iterator[str]:
    """The fields that the VM sets although its instance type does. One that is missing sets none."""
    try:
        found = lookup(vm, "instancetype", stores)
    except Missing:
        return
    if found is None:
        return
    domain = ((vm["spec"].get("template") or {}).get("spec") or {}).get("domain") or {}
    for path in _CONFLICTS:
        value: Any = domain
        for part in path:
            value = (value or {}).get(part)
        if value:
            field = f"spec.template.spec.domain.{'.'.join(path)}"
            yield f"VM field(s) {field} conflicts with selected instance type"


def lookup(vm: Object, what: str, stores: Stores) -> Object | None:
    """The `instancetype` or `preference` that a VM names; None if it names none. Raises Missing."""
    matcher = vm["spec"].get(what)
    if not matcher:
        return None
    kind = str(matcher.get("kind") or "").lower()
    scope = "" if not kind else "cluster" if "cluster" in kind else "namespaced"
    resource = _KINDS[what][scope]
    namespace = key_of(vm)[0] if resource.namespaced else ""
    found = stores[resource].get((namespace, matcher["name"]))
    if found is None:
        raise Missing(f"FailedFind{what.capitalize()}", resource, matcher["name"])
    return found


def revision_of(vm: Object, found: Object) -> Object:
    """The copy that a VM keeps of what it was started with."""
    name = f"{key_of(vm)[1]}-{found['metadata']['name']}-{uid_of(found)}-{found['metadata'].get('generation', 1)}"
    data = {key: found[key] for key in ("apiVersion", "kind", "spec") if key in found}
    return {"metadata": {"name": name, "namespace": key_of(vm)[0]}, "revision": 0, "data": data}


def apply_to(vmi_spec: Spec, instance_type: Spec | None, preference: Spec | None) -> None:
    """The VMI gets the size of the one, and what the VM leaves open of the other."""
    domain = vmi_spec.setdefault("domain", {})
    if instance_type:
        domain["cpu"] = {**(domain.get("cpu") or {}), "sockets": int(instance_type["cpu"]["guest"]), "cores": 1}
        if instance_type["cpu"].get("dedicatedCPUPlacement"):
            domain["cpu"]["dedicatedCpuPlacement"] = True
        domain["memory"] = {**(domain.get("memory") or {}), "guest": instance_type["memory"]["guest"]}
    preferred = copy.deepcopy(preference or {})
    efi = (preferred.get("firmware") or {}).get("preferredEfi")
    firmware = domain.setdefault("firmware", {})
    if efi is not None and "bootloader" not in firmware:
        firmware["bootloader"] = {"efi": efi}
    smm = (preferred.get("features") or {}).get("preferredSmm")
    if smm is not None and "smm" not in (domain.get("features") or {}):
        domain["features"] = {**(domain.get("features") or {}), "smm": smm}
    devices = domain.setdefault("devices", {})
    tpm = (preferred.get("devices") or {}).get("preferredTPM")
    if tpm is not None and "tpm" not in devices:
        devices["tpm"] = tpm
