"""How much of a server the launcher pod of a VM asks for: from its definition, its instance type, or both."""

from __future__ import annotations

from typing import Any

from avance.api.meta import bytes_of, milli_cpu_of
from avance.core.resources import Resources

Object = dict[str, Any]

CPU_PER_CORE_MILLI = 100
"""KubeVirt requests a tenth of a CPU for each core of a guest, unless told otherwise."""


def instance_type_of(machine: Object | None, namespace: str) -> tuple[str, str, str] | None:
    """Kind, namespace and name of what says how large a VirtualMachine is; None if its own definition does.

    Once it was started, KubeVirt holds on to a copy of the instance type as it was then, in a ControllerRevision.
    """
    matcher = ((machine or {}).get("spec") or {}).get("instancetype") or {}
    if not matcher:
        return None
    kept = ((machine or {}).get("status") or {}).get("instancetypeRef") or {}
    if kept.get("name", matcher.get("name")) != matcher.get("name"):
        kept = {}  # of another one, which it was started with; the next start takes that which is named now
    revision = (kept.get("controllerRevisionRef") or {}).get("name") or matcher.get("revisionName")
    if revision:
        return "ControllerRevision", namespace, str(revision)
    return reference(str(matcher.get("kind", "")), namespace, str(matcher.get("name", "")))


def reference(kind: str, namespace: str, name: str) -> tuple[str, str, str]:
    """An instance type's or preference's address: without a namespace if it is the cluster's."""
    # KubeVirt takes the kind in any spelling, and its plural; the cluster's when nothing is said.
    named = kind.lower().removesuffix("s")
    if named == "virtualmachineinstancetype":
        return "VirtualMachineInstancetype", namespace, name
    return "VirtualMachineClusterInstancetype", "", name


def size_of(domain: Object, instance_type: Object | None = None) -> Resources:
    """What the guest is given by the domain of a template or instance, and by the spec of an instance type.

    Zero where neither says anything.
    """
    cpu, kind = domain.get("cpu") or {}, instance_type or {}
    resources = domain.get("resources") or {}
    requests, limits = resources.get("requests") or {}, resources.get("limits") or {}
    kind_cpu, kind_memory = kind.get("cpu") or {}, kind.get("memory") or {}
    processors = _processors(cpu) or int(kind_cpu.get("guest") or 0)
    dedicated = cpu.get("dedicatedCpuPlacement") or kind_cpu.get("dedicatedCPUPlacement")
    asked_cpu = requests.get("cpu") or limits.get("cpu")
    milli = processors * (1000 if dedicated else CPU_PER_CORE_MILLI)
    guest = bytes_of(str((domain.get("memory") or {}).get("guest") or kind_memory.get("guest") or "0"))
    kept = 100 - int(kind_memory.get("overcommitPercent") or 0)
    asked_memory = requests.get("memory") or limits.get("memory")
    return Resources(
        milli_cpu_of(str(asked_cpu)) if asked_cpu and not dedicated else milli,
        bytes_of(str(asked_memory)) if asked_memory else guest * kept // 100,
    )


def _processors(cpu: Object) -> int:
    """Sockets times cores times threads; 0 if nothing is said."""
    parts = [cpu.get(part) for part in ("sockets", "cores", "threads")]
    if not any(parts):
        return 0
    count = 1
    for part in parts:
        count *= int(part or 1)
    return count
