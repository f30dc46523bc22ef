"""Is a node fit to take a VM now, and does it have the room?"""

from __future__ import annotations

from avance.core.capacity import room_for_vms, total
from avance.core.components import ComponentKind
from avance.core.liveness import judge
from avance.core.maintenance import why_worked_on
from avance.core.model import NodeView, PairView, VmView
from avance.core.resources import Resources


def why_not_serve(view: PairView, node: NodeView, now: float) -> str:
    """Why a node takes no VMs at the moment, in words; empty when it does."""
    work = why_worked_on(view, node)
    if work:
        return work
    verdict = judge(view, node, now)
    if verdict.doubted:
        return verdict.because
    if node.ready != "True":
        return f"{node.name} is not Ready"
    if node.replaced:
        return why_replaced(node)
    if node.history.declared_down is not None:
        return f"{node.name} is declared down until somebody resets its MTBF: {node.history.declared_down.because}"
    if node.closed or node.out_of_service:
        return f"{node.name} is closed until it has rejoined"
    if node.cordoned:
        return f"{node.name} is cordoned"
    if not node.accepts_vms:
        return f"virt-handler reports {node.name} not schedulable for VMs"
    return ""


def why_replaced(node: NodeView) -> str:
    """That another server has taken a node's name, and what to do."""
    return (
        f"{node.name} is another server (system UUID {node.system_uuid}) than before ({node.history.system_uuid}): "
        "once the old one is off or taken apart, accept it by an AcceptReplacement"
    )


def why_not_move_to(view: PairView, node_name: str, now: float) -> str:
    """Why no VM may be moved to a node now, in words; empty when it may.

    With the private link down nothing moves: it carries the migration stream and the replication of the disks.
    """
    node = view.node(node_name)
    if node is None:
        return f"{node_name or 'no node'} is not a node of pair {view.name}"
    if not private_link_up(view):
        return "the private link is down"
    return why_not_serve(view, node, now)


def private_link_up(view: PairView) -> bool:
    return not any(fault.kind is ComponentKind.PRIVATE_LINK for node in view.nodes for fault in node.faults)


def room_on(view: PairView, node: NodeView) -> Resources:
    """What is left for VMs on a node: allocatable, less the reserve, less the VMs that are or are going there.

    Whoever moves them: where KubeVirt brings a VM by itself, its launcher pod there tells.
    """
    held = {pod.vm for pod in view.live_pods_on(node.name)}
    here = (vm for vm in view.vms if node.name in (vm.node, bound_for(view, vm)) or vm.key in held)
    return room_for_vms(view, node) - total(vm.needs for vm in here)


def bound_for(view: PairView, vm: VmView) -> str:
    """Where an action that is under way is taking the VM; empty without one."""
    action = view.open_action(vm.key)
    return action.destination if action else ""
