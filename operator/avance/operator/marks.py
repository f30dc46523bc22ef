"""The marks that avance puts on a Node: how it is closed, given up and opened again, each as a change to the node."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from avance.kube.taints import NodeChange, taints_of, with_taint, without_taint

Object = dict[str, Any]

CLOSED = "avance.dev/closed"
"""Key of the NoSchedule taint on a closed node, and of the annotation that says who had cordoned it."""
OUT_OF_SERVICE_TAINT = "node.kubernetes.io/out-of-service"
VMS_LABEL = "kubevirt.io/schedulable"
"""Every launcher pod selects on it, so it stops even VMs that tolerate everything; virt-handler sets it to true."""

POWER_AUTHORITY = "avance.dev/power-authority"
"""Annotation of a Node: `avance` says that no other controller switches its power, whatever marks it carries."""
REMEDIATION_TAINTS = ("medik8s.io/", "remediation.medik8s.io/")
SELF_REMEDIATION = "is-reboot-capable.self-node-remediation.medik8s.io"
EXCLUDED_FROM_REMEDIATION = "remediation.medik8s.io/exclude-from-remediation"
METAL3_LABEL = "metal3.io/uuid"

BY_AVANCE, BY_OTHERS = "cordoned-by-avance", "cordoned-before"
"""A person's cordon outlives a rejoin."""


def is_closed(node: Object) -> bool:
    """Closed by avance and not opened again."""
    return CLOSED in (node["metadata"].get("annotations") or {})


def closed(node: Object) -> NodeChange:
    """Nothing new is scheduled here: no pod by cordon and taint, no VM by label."""
    cordoned = bool(node.get("spec", {}).get("unschedulable"))
    return NodeChange(
        taints=with_taint(taints_of(node), {"key": CLOSED, "effect": "NoSchedule"}),
        unschedulable=True,
        labels={VMS_LABEL: "false"},
        annotations={} if is_closed(node) else {CLOSED: BY_OTHERS if cordoned else BY_AVANCE},
    )


def opened(node: Object) -> NodeChange:
    """Undo `closed`; the label is virt-handler's to set."""
    ours = (node["metadata"].get("annotations") or {}).get(CLOSED) == BY_AVANCE
    return NodeChange(
        taints=without_taint(taints_of(node), CLOSED),
        unschedulable=False if ours else None,
        annotations={CLOSED: None},
    )


def out_of_service(node: Object) -> NodeChange:
    """Its pods and volume attachments are given up at once. Only ever for a node that is proven off."""
    taint = {"key": OUT_OF_SERVICE_TAINT, "value": "nodeshutdown", "effect": "NoExecute"}
    return NodeChange(taints=with_taint(taints_of(node), taint))


def in_service(node: Object) -> NodeChange:
    """Its daemons may run again. Our NoSchedule taint would keep them away as well: the cordon, which every DaemonSet
    tolerates and no launcher pod does, is what keeps the node closed from here on.
    """
    return NodeChange(taints=without_taint(without_taint(taints_of(node), OUT_OF_SERVICE_TAINT), CLOSED))


def marks_of_others(node: Object) -> Iterator[str]:
    """What other controllers that switch servers off and on leave on a Node that they look after.

    Only what stands on the Node is seen. A person who has detached the server there says so by the annotation.
    """
    metadata, spec = node["metadata"], node.get("spec", {})
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    yield from (taint["key"] for taint in spec.get("taints") or () if taint["key"].startswith(REMEDIATION_TAINTS))
    if annotations.get(POWER_AUTHORITY) == "avance":
        return
    if METAL3_LABEL in labels or str(spec.get("providerID", "")).startswith("metal3://"):
        yield "metal3"
    if SELF_REMEDIATION in annotations and labels.get(EXCLUDED_FROM_REMEDIATION) != "true":
        yield SELF_REMEDIATION
