"""Can the pair do without a node for a while, by choice? Asked before one is rebooted or declared down.

Never both: the other node has to be alive, fit, without a serious fault of its own, with room for every VM, and
nothing is being done to it. Never the only good copy of a disk.
"""

from __future__ import annotations

from avance.core.capacity import total
from avance.core.components import ComponentKind
from avance.core.fence_path import why_bmc_proves_nothing
from avance.core.fitness import bound_for, room_on, why_not_move_to, why_not_serve
from avance.core.liveness import Life, judge
from avance.core.model import ActionView, NodeView, PairView, VmView
from avance.core.replication import only_good_copy, why_not_move
from avance.core.resources import Resources

HAND_OVER = "HandOver"
"""The step in which an action waits until its server holds no VM any more, and the reason of the moves for it."""


def why_not_spare(view: PairView, node: NodeView, now: float) -> str:
    """Why the pair needs a node, in words; empty when the other one can do everything alone."""
    peer = view.peer(node.name)
    if peer is None:
        return f"there is no other server than {node.name}"
    verdict = judge(view, peer, now)
    if verdict.life is not Life.ALIVE:
        return verdict.because
    unfit = why_not_serve(view, peer, now) or serious_fault(peer)
    if unfit:
        return unfit
    under_way = view.open_action(peer.name)
    if under_way is not None and not _gives_way(under_way, view.open_action(node.name)):
        return f"{under_way.type} of {peer.name} is under way"
    reserve = Resources(view.policy.limits.reserved_cpu_milli, view.policy.limits.reserved_memory_bytes)
    if not total(vm.needs for vm in view.vms if vm.should_run).fits_in(peer.allocatable - reserve):
        return f"{peer.name} alone cannot hold all VMs"
    return only_good_copy(view, node.name)


def _gives_way(other: ActionView, own: ActionView | None) -> bool:
    """What has not begun gives way to what has; of two that have not, the later one does."""
    if own is None or other.steps:
        return False
    return bool(own.steps) or (own.created_at, own.name) < (other.created_at, other.name)


def why_not_reboot(view: PairView, node: NodeView, now: float) -> str:
    """Why a live node is not rebooted now, in words; empty when it may be."""
    needed = why_not_spare(view, node, now)
    if needed:
        return needed
    verdict = judge(view, node, now)
    if verdict.life is not Life.ALIVE:
        return verdict.because
    obstacle = why_bmc_proves_nothing(node)
    if not obstacle and node.power is None:
        return f"the BMC of {node.name} was not asked yet: nothing is known to prove it off, or switch it on again"
    return obstacle


def serious_fault(node: NodeView) -> str:
    """A service that a node has lost, in words. The private link is no such one: it is lost to both ends alike."""
    found = (fault for fault in node.faults if fault.serious and fault.kind is not ComponentKind.PRIVATE_LINK)
    return next((fault.sentence for fault in found), "")


def guests_on(view: PairView, node: str) -> tuple[VmView, ...]:
    """VMs that are on a node, or going there."""
    held = {pod.vm for pod in view.live_pods_on(node)}
    return tuple(vm for vm in view.vms if node in (vm.node, bound_for(view, vm)) or vm.key in held)


def why_stuck(view: PairView, vm: VmView, target: str) -> str:
    """Why a VM cannot go to a node while it runs, whatever else is done, in words; empty when it can."""
    if vm.instance is not None and vm.instance.paused:
        return f"{vm.key} cannot be moved as it is now: its guest is paused"
    if vm.instance is not None and vm.instance.migratable is False:
        return f"{vm.key} cannot be live-migrated: {vm.instance.not_migratable_because}"
    return why_not_move(view, vm, target)


def why_not_hand_over(view: PairView, node: NodeView, now: float) -> str:
    """Why a node's VMs cannot all go to the other one while they run, in words; empty when they can."""
    peer = view.peer(node.name)
    staying = [vm for vm in guests_on(view, node.name) if not (peer and bound_for(view, vm) == peer.name)]
    if not staying or peer is None:
        return "" if not staying else f"there is no other server than {node.name}"
    hindrance = why_not_move_to(view, peer.name, now)
    if hindrance:
        return hindrance
    for vm in staying:
        if vm.instance is None or not vm.running:
            return f"{vm.key} cannot be moved as it is now"
        stuck = why_stuck(view, vm, peer.name)
        if stuck:
            return stuck
    if not total(vm.needs for vm in staying).fits_in(room_on(view, peer)):
        return f"{peer.name} has no room for the VMs of {node.name}"
    return ""
