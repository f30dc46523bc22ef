"""The validating half of virt-api's admission for VM and VMI specs: what the real one refuses, and nothing that it
lets through.

Each rule is a generator of messages. Unknown fields, unsatisfiable selectors, unknown priority classes, missing
claims, zero memory and bad watchdog actions are accepted on purpose: they go wrong later, as with the real one.
"""

from collections.abc import Iterator
from typing import Any

from e2e.kubevirt.api import Object
from e2e.kubevirt.quantity import parse_bytes

Spec = dict[str, Any]

RUN_STRATEGIES = ("Always", "Halted", "Manual", "RerunOnFailure", "Once", "WaitAsReceiver")
_EVICTION_STRATEGIES = ("None", "LiveMigrate", "LiveMigrateIfPossible", "External")
_BUSES = ("virtio", "scsi", "sata", "usb")
_BINDINGS = ("bridge", "masquerade", "sriov", "slirp", "passt", "passtBinding", "macvtap")
_NODE_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt")
_HANDLERS = ("exec", "guestAgentPing", "tcpSocket", "httpGet")
_NETWORK_HANDLERS = ("tcpSocket", "httpGet")


def vm_errors(vm: Object, gates: frozenset[str]) -> list[str]:
    """Everything that is wrong with a VirtualMachine; empty when it may be stored."""
    spec = vm.get("spec") or {}
    template = spec.get("template")
    if not isinstance(template, dict):
        return ["spec.template: missing virtual machine template."]
    errors = [*_run_strategy(spec)]
    for label in (template.get("metadata") or {}).get("labels") or {}:
        if label.startswith("kubevirt.io/"):
            reserved = "creation of the following reserved kubevirt.io/ labels on a VMI object is prohibited"
            errors.append(f"spec.template.metadata.labels: {reserved}: {label}")
    errors += _data_volume_templates(spec)
    return errors + vmi_errors(template.get("spec") or {}, gates, "spec.template.spec")


def _data_volume_templates(spec: Spec) -> Iterator[str]:
    volumes = ((spec["template"].get("spec") or {}).get("volumes")) or []
    used = {(each.get("dataVolume") or {}).get("name") for each in volumes}
    used |= {(each.get("persistentVolumeClaim") or {}).get("claimName") for each in volumes}
    for index, template in enumerate(spec.get("dataVolumeTemplates") or []):
        made, path = template.get("spec") or {}, f"spec.dataVolumeTemplate[{index}]"
        if not (made.get("storage") or made.get("pvc")):
            yield f"{path}: Missing Data volume PVC or Storage"
        elif not (made.get("source") or made.get("sourceRef")):
            yield f"{path}: Data volume should have either Source, SourceRef, or be externally populated"
        elif made.get("source") and len(made["source"]) > 1:
            yield f"{path}: Multiple dataVolume sources"
        elif template["metadata"]["name"] not in used:
            yield f"DataVolumeTemplate entry {path} must be referenced in the VMI template's 'volumes' list"


def vmi_errors(spec: Spec, gates: frozenset[str], path: str = "spec") -> list[str]:
    """Everything that is wrong with the spec of a VMI."""
    rules = (_disks, _firmware, _memory, _interfaces, _eviction, _probes, _gated, _affinity)
    return [f"{path}.{message}" for rule in rules for message in rule(spec, gates)]


def _run_strategy(spec: Spec) -> Iterator[str]:
    strategy = spec.get("runStrategy")
    if strategy is not None and spec.get("running") is not None:
        yield "spec.running: Running and RunStrategy are mutually exclusive. Running is deprecated, use RunStrategy"
    elif strategy is None and spec.get("running") is None:
        yield "spec.runStrategy: RunStrategy must be specified"
    elif strategy is not None and strategy not in RUN_STRATEGIES:
        yield f"spec.runStrategy: Invalid RunStrategy ({strategy})"


def _devices(spec: Spec) -> Spec:
    return (spec.get("domain") or {}).get("devices") or {}


def _disks(spec: Spec, _: frozenset[str]) -> Iterator[str]:
    volumes = {volume.get("name") for volume in spec.get("volumes") or []}
    for index, disk in enumerate(_devices(spec).get("disks") or []):
        if disk.get("name") not in volumes:
            yield f"domain.devices.disks[{index}].Name '{disk.get('name')}' not found."
        for kind in ("disk", "lun", "cdrom"):
            bus = (disk.get(kind) or {}).get("bus")
            if kind == "cdrom" and bus == "virtio":
                yield f"domain.devices.disks[{index}].cdrom.bus Bus type {bus} is invalid for CD-ROM device"
            if bus and bus not in _BUSES:
                known = f"must be one of: [{' '.join(_BUSES)}]"
                yield f"domain.devices.disks[{index}].{kind}.bus is set with an unrecognized bus {bus}, {known}"


def _firmware(spec: Spec, _: frozenset[str]) -> Iterator[str]:
    domain = spec.get("domain") or {}
    efi = ((domain.get("firmware") or {}).get("bootloader") or {}).get("efi")
    smm = (domain.get("features") or {}).get("smm")
    if efi is not None and efi.get("secureBoot", True) and (smm is None or smm.get("enabled") is False):
        rule = "has EFI SecureBoot enabled. SecureBoot requires SMM, which is currently disabled."
        yield f"domain.firmware.bootloader.efi.secureBoot {rule}"


def _memory(spec: Spec, _: frozenset[str]) -> Iterator[str]:
    resources = (spec.get("domain") or {}).get("resources") or {}
    requested = (resources.get("requests") or {}).get("memory")
    limit = (resources.get("limits") or {}).get("memory")
    if requested and limit and parse_bytes(requested) > parse_bytes(limit):
        yield f"domain.resources.requests.memory '{requested}' is greater than domain.resources.limits.memory '{limit}'"


def _interfaces(spec: Spec, _: frozenset[str]) -> Iterator[str]:
    networks = {network.get("name") for network in spec.get("networks") or []}
    for index, interface in enumerate(_devices(spec).get("interfaces") or []):
        name = interface.get("name")
        if name not in networks:
            yield f"domain.devices.interfaces[{index}].name '{name}' not found."
        if sum(binding in interface for binding in _BINDINGS) > 1:
            rule = "must have exactly one binding method or a binding plugin"
            yield f"domain.devices.interfaces[{index}]: logical {name} interface {rule}"


def _eviction(spec: Spec, _: frozenset[str]) -> Iterator[str]:
    strategy = spec.get("evictionStrategy")
    if strategy and strategy not in _EVICTION_STRATEGIES:
        yield f"evictionStrategy is set with an unrecognized option: {strategy}"


def _probes(spec: Spec, _: frozenset[str]) -> Iterator[str]:
    on_pod_network = not spec.get("networks") or any("pod" in network for network in spec["networks"])
    for name in ("livenessProbe", "readinessProbe"):
        if name not in spec:
            continue
        used = [handler for handler in _HANDLERS if handler in (spec[name] or {})]
        if not used:
            yield f"{name} either guestAgentPing, tcpSocket, exec or httpGet must be set if a {name} is specified"
        elif len(used) > 1:
            yield f"{name} must have exactly one probe type set"
        elif used[0] in _NETWORK_HANDLERS and not on_pod_network:
            yield f"{name} {used[0]} is only allowed if the Pod Network is attached"


def _gated(spec: Spec, gates: frozenset[str]) -> Iterator[str]:
    if _devices(spec).get("hostDevices") and "HostDevices" not in gates:
        yield "domain.devices.hostDevices: HostDevices feature gate is not enabled in kubevirt-config"
    if any("hostDisk" in volume for volume in spec.get("volumes") or []) and "HostDisk" not in gates:
        yield "volumes: HostDisk feature gate is not enabled in kubevirt-config"


def _affinity(spec: Spec, _: frozenset[str]) -> Iterator[str]:
    node_affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = node_affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    terms = list(required.get("nodeSelectorTerms") or [])
    terms += [
        one.get("preference") or {}
        for one in node_affinity.get("preferredDuringSchedulingIgnoredDuringExecution") or []
    ]
    for term in terms:
        for expression in term.get("matchExpressions") or []:
            if expression.get("operator") not in _NODE_OPERATORS:
                yield (
                    f"affinity.nodeAffinity: unsupported operator {expression.get('operator')!r}, "
                    f"must be one of: {', '.join(_NODE_OPERATORS)}"
                )
