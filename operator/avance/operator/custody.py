"""Whose a ProtectedVM's VirtualMachine is, and whether it may be taken on: from the objects to what the rules know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from avance.api.protected_vm import ProtectedVM
from avance.core.custody import Custody
from avance.kubevirt import adoption
from avance.kubevirt.adoptable import why_not_adoptable, why_not_ours
from avance.kubevirt.affinity import HOSTNAME_LABEL
from avance.kubevirt.virtual_machine import PREFERS_ANNOTATION

Object = dict[str, Any]

FINALIZER = "avance.dev/let-go"
"""On the ProtectedVM of an adopted VM: it stays until the VirtualMachine is as it was."""


def custody_of(
    pvm: ProtectedVM, obj: Object, machine: Object | None, vmi: Object | None, nodes: list[Object], unsized: str
) -> Custody:
    """`nodes`: those of the pair. `unsized`: why it cannot be told how large it is."""
    needs_restart = why_restart_needed(machine, vmi)
    if pvm.spec.vm_ref is None:
        return Custody(refusal=why_not_ours(machine), restart_needed=needs_restart, unsized=unsized)
    leaving = bool(obj["metadata"].get("deletionTimestamp"))
    record = adoption.record_of(machine)
    if machine is None or record is None or machine["metadata"].get("deletionTimestamp"):
        labels = {node["metadata"]["name"]: node["metadata"].get("labels") or {} for node in nodes}
        refusal = why_not_adoptable(pvm.spec.vm_ref.name, machine, vmi, labels)
        return Custody(refusal=refusal, leaving=leaving, restart_needed=needs_restart, unsized=unsized)
    return Custody(
        adopted=True,
        leaving=leaving,
        starts_itself=adoption.starts_by_itself(machine),
        contested=adoption.why_contested(machine, pvm.spec.pair_ref.name, hostnames_of(nodes), prefers_of(machine)),
        taken_back=record.taken_back,
        restart_needed=needs_restart,
        unsized=unsized,
    )


def is_candidate(pvm: ProtectedVM, custody: Custody) -> bool:
    """Whether the VM is none of avance's, or not yet: no rule may know it."""
    return any(custody.refusal) or (pvm.spec.vm_ref is not None and not custody.adopted)


def is_in_order(pvm: ProtectedVM, obj: Object, machine: Object, nodes: list[Object]) -> bool:
    """Whether an adopted VirtualMachine is as protection wants it, and will be left as it was in the end."""
    kept = FINALIZER in (obj["metadata"].get("finalizers") or ())
    hostnames = hostnames_of(nodes)
    return kept and adoption.in_order(machine, pvm.spec.pair_ref.name, hostnames, prefers_of(machine))


def prefers_of(machine: Object | None) -> str:
    """The node that a VirtualMachine prefers now, by name."""
    annotations = (machine or {}).get("metadata", {}).get("annotations") or {}
    return str(annotations.get(PREFERS_ANNOTATION, ""))


def hostnames_of(nodes: list[Object]) -> Mapping[str, str]:
    """The hostname label of each node, which need not be its name."""
    return {node["metadata"]["name"]: hostname_of(node) for node in nodes}


def hostname_of(node: Object) -> str:
    """The value of a node's hostname label, which need not be its name."""
    return str((node["metadata"].get("labels") or {}).get(HOSTNAME_LABEL, node["metadata"]["name"]))


def why_restart_needed(machine: Object | None, vmi: Object | None) -> str:
    """What of a VM's definition its running instance does not have and gets only by a restart, in words; or empty."""
    if machine is None or vmi is None or (vmi.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return ""
    template = ((machine.get("spec") or {}).get("template") or {}).get("spec") or {}
    wanted, lives_with = template.get("evictionStrategy"), (vmi.get("spec") or {}).get("evictionStrategy")
    if wanted == "External" and lives_with and lives_with != wanted:
        return (
            f"its instance still has evictionStrategy {lives_with}: until its next restart KubeVirt, not avance, "
            "answers whoever evicts it; restart it when it suits"
        )
    conditions = (machine.get("status") or {}).get("conditions") or ()
    told: Object = next((each for each in conditions if each["type"] == "RestartRequired"), {})
    if told.get("status") == "True":
        return f"KubeVirt says: {told.get('message') or 'a change of it waits for a restart'}; restart it when it suits"
    return ""
