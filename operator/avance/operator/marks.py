"""The marks that avance puts on a Node: how it is closed, given up and opened again, each as a change to the node."""

from __future__ import annotations

from typing import Any

from avance.kube.taints import NodeChange, taints_of, with_taint, without_taint

Object = dict[str, Any]

CLOSED_TAINT = "avance.dev/closed"
OUT_OF_SERVICE_TAINT = "node.kubernetes.io/out-of-service"
VMS_LABEL = "kubevirt.io/schedulable"
"""Every launcher pod selects on it, so it stops even VMs that tolerate everything; virt-handler sets it to true."""
CORDONED_ANNOTATION = "avance.dev/cordoned"
"""Ours was the hand that cordoned: a person's cordon outlives a rejoin."""


def closed(node: Object) -> NodeChange:
    """Nothing new is scheduled here: no pod by cordon and taint, no VM by label."""
    by_us = {} if node.get("spec", {}).get("unschedulable") else {CORDONED_ANNOTATION: "true"}
    return NodeChange(
        taints=with_taint(taints_of(node), {"key": CLOSED_TAINT, "effect": "NoSchedule"}),
        unschedulable=True,
        labels={VMS_LABEL: "false"},
        annotations=by_us,
    )


def opened(node: Object) -> NodeChange:
    """Undo `closed`; the label is virt-handler's to set."""
    by_us = CORDONED_ANNOTATION in (node["metadata"].get("annotations") or {})
    return NodeChange(
        taints=without_taint(taints_of(node), CLOSED_TAINT),
        unschedulable=False if by_us else None,
        annotations={CORDONED_ANNOTATION: None} if by_us else {},
    )


def out_of_service(node: Object) -> NodeChange:
    """Its pods and volume attachments are given up at once. Only ever for a node that is proven off."""
    taint = {"key": OUT_OF_SERVICE_TAINT, "value": "nodeshutdown", "effect": "NoExecute"}
    return NodeChange(taints=with_taint(taints_of(node), taint))


def in_service(node: Object) -> NodeChange:
    """Its daemons may run again."""
    return NodeChange(taints=without_taint(taints_of(node), OUT_OF_SERVICE_TAINT))
