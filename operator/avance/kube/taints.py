"""Changes to a Node's taints, cordon, labels and annotations that never undo what others write.

`spec.taints` is one atomic list that kube-controller-manager rewrites several times around the moment a node is lost.
A patch without a precondition would drop its taints, so every write here names the resourceVersion that it was
computed from and is computed anew after a conflict.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from avance.kube.client import Kube, Object
from avance.kube.errors import Conflict
from avance.kube.resources import NODES

Taint = Mapping[str, Any]


@dataclass(frozen=True)
class NodeChange:
    """What a node shall become; whatever is left at its default stays as it is."""

    taints: list[Taint] | None = None
    """The complete list (see `with_taint`, `without_taint`)."""
    unschedulable: bool | None = None
    """True cordons, False uncordons."""
    labels: Mapping[str, str | None] = field(default_factory=dict)
    """None removes a label."""
    annotations: Mapping[str, str | None] = field(default_factory=dict)
    """None removes an annotation."""


def taints_of(node: Object) -> list[Taint]:
    """The taints that a node has now."""
    return list(node.get("spec", {}).get("taints") or [])


def with_taint(taints: list[Taint], taint: Taint) -> list[Taint]:
    """`taints` with `taint` in it: one of the same key and effect is replaced if its value differs."""
    if any(_same_taint(old, taint) and old.get("value", "") == taint.get("value", "") for old in taints):
        return taints
    return [old for old in taints if not _same_taint(old, taint)] + [taint]


def without_taint(taints: list[Taint], key: str) -> list[Taint]:
    """`taints` without those of `key`, whatever their effect."""
    return [taint for taint in taints if taint["key"] != key]


def _same_taint(one: Taint, other: Taint) -> bool:
    return bool(one["key"] == other["key"] and one["effect"] == other["effect"])


def patch_for(node: Object, change: NodeChange) -> Object | None:
    """The merge patch that makes `node` match `change`, bound to the version read; None when it does already."""
    spec: Object = {}
    metadata: Object = {}
    if change.taints is not None and change.taints != taints_of(node):
        spec["taints"] = [dict(taint) for taint in change.taints]
    if change.unschedulable is not None and change.unschedulable != bool(node.get("spec", {}).get("unschedulable")):
        spec["unschedulable"] = change.unschedulable
    for field_name, wanted in (("labels", change.labels), ("annotations", change.annotations)):
        current = node["metadata"].get(field_name) or {}
        differing = {key: value for key, value in wanted.items() if current.get(key) != value}
        if differing:
            metadata[field_name] = differing
    if not spec and not metadata:
        return None
    metadata["resourceVersion"] = node["metadata"]["resourceVersion"]
    return {"metadata": metadata, "spec": spec} if spec else {"metadata": metadata}


async def set_taints(
    kube: Kube, node_name: str, mutate: Callable[[Object], NodeChange], *, attempts: int = 10
) -> Object:
    """Read the node, let `mutate` (pure; called again after a conflict) say what it shall become, write it once.

    Returns the node as written, or as read when nothing had to change. Raises `Conflict` when others changed the node
    between read and write `attempts` times in a row.
    """
    for attempt in range(1, attempts + 1):
        node = await kube.get(NODES, node_name)
        patch = patch_for(node, mutate(node))
        if patch is None:
            return node
        try:
            return await kube.patch_merge(NODES, node_name, patch)
        except Conflict:
            if attempt == attempts:
                raise
    raise ValueError(f"attempts must be at least 1, not {attempts}")
