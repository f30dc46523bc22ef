"""Which VMs have left a server since a moment, by our moves; they may go home when it serves again."""

from __future__ import annotations

from avance.core.model import NodeView, PairView, VmView


def have_left(view: PairView, node: NodeView, since: float) -> tuple[VmView, ...]:
    """VMs that are on the other server, and have moved there since that moment."""
    peer = view.peer(node.name)
    if peer is None:
        return ()
    return tuple(vm for vm in view.vms if vm.node == peer.name and since and (vm.moved_at or 0.0) >= since)
