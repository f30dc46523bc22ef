"""How much of a server a VM takes: from its launcher pod when there is one, else from what says how large it is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from avance.api.meta import bytes_of, milli_cpu_of
from avance.api.protected_vm import ProtectedVM
from avance.core.resources import Resources
from avance.kubevirt.size import instance_type_of, reference, size_of
from avance.operator.instance_types import Key, TypeAnswers

Object = dict[str, Any]

LAUNCHER_OVERHEAD = Resources(0, 288 * 1024**2)
"""What a launcher pod requests beside the guest's memory (measured: 1Gi of guest makes 1312Mi)."""


def sized_by(pvm: ProtectedVM, machine: Object | None) -> Key | None:
    """The instance type that says how large a VM is; None if its own definition does."""
    namespace = pvm.metadata.namespace or ""
    asked = pvm.spec.guest.instance_type
    if pvm.spec.vm_ref is None and asked is None:
        return None
    named = (((machine or {}).get("spec") or {}).get("instancetype") or {}).get("name")
    if asked is not None and asked.name != named:
        return reference(asked.kind, namespace, asked.name)
    return instance_type_of(machine, namespace)


def needs_of(
    pvm: ProtectedVM, machine: Object | None, vmi: Object | None, pods: Iterable[Object], types: TypeAnswers
) -> tuple[Resources, str]:
    """What its launcher pod requests, or will after its next start if more is asked for by now; and if that cannot be
    told, why not, in words.
    """
    key = sized_by(pvm, machine)
    known = types.get(key) if key is not None else None
    trouble = "" if key is None else "its instance type has not been read yet" if known is None else known.trouble
    guest = size_of(_domain(pvm, machine), known.spec if known else None)
    for pod in pods:
        requests = [container.get("resources", {}).get("requests", {}) for container in pod["spec"]["containers"]]
        if any("memory" in request for request in requests):
            memory = sum(bytes_of(request.get("memory", "0")) for request in requests)
            has = Resources(sum(milli_cpu_of(request.get("cpu", "0")) for request in requests), memory)
            return has + guest.beyond(_present_size(vmi, guest)), ""
    return guest + LAUNCHER_OVERHEAD, trouble


def _domain(pvm: ProtectedVM, machine: Object | None) -> Object:
    """As its spec says it, or as the VirtualMachine that is adopted does."""
    if pvm.spec.vm_ref is None:
        return {"cpu": {"cores": pvm.spec.cores}, "memory": {"guest": pvm.spec.memory}}
    template = ((machine or {}).get("spec") or {}).get("template") or {}
    domain: Object = (template.get("spec") or {}).get("domain") or {}
    return domain


def _present_size(vmi: Object | None, otherwise: Resources) -> Resources:
    """The size of the guest that runs; `otherwise` as far as its instance does not say."""
    present = size_of(((vmi or {}).get("spec") or {}).get("domain") or {})
    return Resources(present.cpu_milli or otherwise.cpu_milli, present.memory_bytes or otherwise.memory_bytes)
