"""The mutating half of virt-api's admission: defaults on VMs, VMIs and migrations, and the guard of VMI status."""

import copy
import uuid
from typing import Any

from e2e.kubevirt.api import KUBEVIRT_USERS, VMI_FINALIZER, VMIM_FINALIZER, Object, timestamp
from e2e.kubevirt.configuration import Configuration
from e2e.kubevirt.quantity import parse_bytes

_PCI_TOPOLOGY = "kubevirt.io/pci-topology-version"


def default_vm(vm: Object, old: Object | None) -> Object:
    """Architecture, machine type, and a firmware identity that is drawn once and then kept."""
    new = copy.deepcopy(vm)
    template = (new.get("spec") or {}).get("template")
    if not isinstance(template, dict) or not isinstance(template.get("spec"), dict):
        return new
    spec = template["spec"]
    spec.setdefault("architecture", "amd64")
    domain = spec.setdefault("domain", {})
    domain.setdefault("machine", {}).setdefault("type", "q35")
    old_domain = (((old or {}).get("spec") or {}).get("template") or {}).get("spec", {}).get("domain") or {}
    old_firmware = old_domain.get("firmware") or {}
    firmware = domain.setdefault("firmware", {})
    firmware.setdefault("uuid", old_firmware.get("uuid") or str(uuid.uuid4()))
    firmware.setdefault("serial", old_firmware.get("serial") or str(uuid.uuid4()))
    if old is None:
        metadata = template.setdefault("metadata", {})
        metadata.setdefault("annotations", {}).setdefault(_PCI_TOPOLOGY, "v3")
    return new


def default_vmi(vmi: Object, configuration: Configuration) -> Object:
    """Everything that a new VMI leaves open."""
    new = copy.deepcopy(vmi)
    spec = new["spec"]
    finalizers = new["metadata"].setdefault("finalizers", [])
    if VMI_FINALIZER not in finalizers:
        finalizers.append(VMI_FINALIZER)
    spec.setdefault("architecture", "amd64")
    spec.setdefault("evictionStrategy", configuration.eviction_strategy())
    domain = spec.setdefault("domain", {})
    domain.setdefault("machine", {}).setdefault("type", "q35")
    domain.setdefault("cpu", {}).setdefault("model", "host-model")
    for part in ("sockets", "cores", "threads"):
        domain["cpu"].setdefault(part, 1)
    domain.setdefault("features", {}).setdefault("acpi", {}).setdefault("enabled", True)
    domain.setdefault("firmware", {}).setdefault("uuid", str(uuid.uuid4()))
    _default_memory(domain)
    _default_network(spec, domain.setdefault("devices", {}))
    for volume in spec.get("volumes") or []:
        if "containerDisk" in volume:
            volume["containerDisk"].setdefault("imagePullPolicy", "IfNotPresent")
    stamp = {"phase": "Pending", "phaseTransitionTimestamp": timestamp()}
    new["status"] = {"phase": "Pending", "phaseTransitionTimestamps": [stamp], "runtimeUser": 107}
    return new


def _default_memory(domain: dict[str, Any]) -> None:
    requests = (domain.get("resources") or {}).get("requests") or {}
    memory = domain.setdefault("memory", {})
    if "guest" not in memory and "memory" in requests:
        memory["guest"] = requests["memory"]
    if "guest" in memory and "maxGuest" not in memory:
        memory["maxGuest"] = f"{parse_bytes(memory['guest']) * 4 // 1024**2}Mi"


def _default_network(spec: dict[str, Any], devices: dict[str, Any]) -> None:
    """Who asks for no network gets a bridge on the pod network, which stands in the way of live migration."""
    asked = devices.get("interfaces") or spec.get("networks") or devices.get("autoattachPodInterface") is False
    if not asked:
        devices["interfaces"] = [{"name": "default", "bridge": {}}]
        spec["networks"] = [{"name": "default", "pod": {}}]


def guard_vmi_status(vmi: Object, old: Object, user: str) -> Object:
    """A VMI's status belongs to KubeVirt's own accounts; what others write is dropped without a word."""
    new = copy.deepcopy(vmi)
    if user not in KUBEVIRT_USERS:
        new["status"] = copy.deepcopy(old.get("status") or {})
    return new


def default_migration(migration: Object) -> Object:
    """The finalizer, and a label that names the VMI."""
    new = copy.deepcopy(migration)
    finalizers = new["metadata"].setdefault("finalizers", [])
    if VMIM_FINALIZER not in finalizers:
        finalizers.append(VMIM_FINALIZER)
    name = (new.get("spec") or {}).get("vmiName")
    if name:
        new["metadata"].setdefault("labels", {})["kubevirt.io/vmi-name"] = str(name)[:63]
    return new


def json_patch(old: Object, new: Object) -> list[dict[str, Any]]:
    """A JSON patch that replaces the top-level fields (and metadata's) that differ."""
    operations: list[dict[str, Any]] = []
    for field in new:
        if field == "metadata":
            operations += _field_patches("/metadata/", old.get("metadata") or {}, new["metadata"])
        elif old.get(field) != new[field]:
            operations.append({"op": "add", "path": f"/{field}", "value": new[field]})
    return operations


def _field_patches(prefix: str, old: dict[str, Any], new: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"op": "add", "path": prefix + field, "value": new[field]} for field in new if old.get(field) != new[field]]
