"""On which node a VM is started, and which node is a VM's and the pair's primary and backup."""

from __future__ import annotations

from collections import Counter

from avance.core.fitness import bound_for, room_on, why_not_serve
from avance.core.health import score
from avance.core.model import NodeView, PairView, VmView
from avance.core.policy import PlacementPolicy
from avance.core.replication import why_not_start_on


def pair_primary(view: PairView) -> str:
    """The node that holds more of the pair's VMs; with equal numbers the healthier, then the first by name."""
    if not view.nodes:
        return ""
    held = Counter(bound_for(view, vm) or vm.node for vm in view.vms)
    return max(view.nodes, key=lambda node: (held[node.name], score(node.faults).value)).name


def backup_of(view: PairView, vm: VmView) -> str:
    peer = view.peer(vm.node) if vm.node else None
    return peer.name if peer else ""


def choose_node(view: PairView, vm: VmView, now: float) -> str:
    """Where to start a VM: a fit node with room, by preference, then by the pair's policy; empty if there is none."""
    fit = [node for node in view.nodes if not _why_not_on(view, vm, node, now)]
    if not fit:
        return ""
    return max(fit, key=lambda node: _rank(view, vm, node)).name


def why_nowhere(view: PairView, vm: VmView, now: float) -> str:
    """Why `choose_node` finds none, node by node."""
    return "; ".join(_why_not_on(view, vm, node, now) for node in view.nodes) or "the pair has no nodes"


def _why_not_on(view: PairView, vm: VmView, node: NodeView, now: float) -> str:
    hindrance = why_not_serve(view, node, now) or why_not_start_on(view, vm, node.name)
    return hindrance or ("" if vm.needs.fits_in(room_on(view, node)) else f"{node.name} has no room for it")


def _rank(view: PairView, vm: VmView, node: NodeView) -> tuple[bool, int, bool, int]:
    """Preferred node first; a graver fault outweighs company and room; then the policy."""
    if view.policy.placement is PlacementPolicy.BALANCED:
        by_policy = room_on(view, node).memory_bytes
    else:
        by_policy = int(node.name == pair_primary(view))
    return (node.name == vm.preferred_node, score(node.faults).value, node.name == vm.last_node, by_policy)
