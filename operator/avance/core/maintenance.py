"""Planned maintenance: a server that a person works on is empty, closed, and left alone until they give it back.

What happens to it meanwhile is expected. It may be switched off and on, and its parts may be pulled: nobody fences it,
reboots it, calls home for it or counts its faults, and its word about the other server is worth nothing. It is fenced
in one case only: if a VM was seen on it all the same, and it dies.
"""

from __future__ import annotations

from avance.core.components import ComponentKind
from avance.core.faults import Fault
from avance.core.model import ActionType, ActionView, NodeView, PairView
from avance.core.moments import day_and_clock

MAINTENANCE = "Maintenance"
"""Reason of whatever is so because a person works on a server."""
OPEN = "Open"
"""The step of a LeaveMaintenance that ends the maintenance: it is on record before the server takes VMs again."""
_NOT_DONE_TO_IT = frozenset({ActionType.REBOOT, ActionType.DECLARE_DOWN, ActionType.REJOIN, ActionType.FAILBACK})


def worked_on(node: NodeView | None) -> bool:
    """It is in maintenance."""
    return node is not None and node.history.maintenance is not None


def known_empty(node: NodeView) -> bool:
    """It is in maintenance and holds no VM, by what was seen when that could be told: its death harms nobody."""
    return node.history.maintenance is not None and node.history.maintenance.empty


def entering(view: PairView, node_name: str) -> ActionView | None:
    """The EnterMaintenance by which a node is being emptied now; None if none is under way."""
    found = view.actions_on(node_name, ActionType.ENTER_MAINTENANCE)
    return next((action for action in found if action.open and action.steps), None)


def leaving(view: PairView, node_name: str) -> ActionView | None:
    """The open LeaveMaintenance of a node; None if there is none."""
    return next((action for action in view.actions_on(node_name, ActionType.LEAVE_MAINTENANCE) if action.open), None)


def planned(view: PairView, node: NodeView) -> bool:
    """It is out of service because a person wants it so: about to go, in maintenance, or on its way back."""
    going, coming = entering(view, node.name), leaving(view, node.name)
    return worked_on(node) or going is not None or (coming is not None and coming.started(OPEN) is not None)


def why_worked_on(view: PairView, node: NodeView) -> str:
    """That a node is in maintenance or emptied for it, for whom and why, and what ends it; empty if it is not."""
    record = node.history.maintenance
    if record is not None:
        by = f" by {record.by}" if record.by else ""
        why = f": {record.because}" if record.because else ""
        since = day_and_clock(record.since)
        return f"{node.name} is in maintenance since {since}{by}, until a LeaveMaintenance{why}"
    action = entering(view, node.name)
    return f"{node.name} is emptied for a maintenance: {action.message}" if action else ""


def left_alone(view: PairView, type_: ActionType, target: str) -> bool:
    """Nobody but the person who works on it does this to a server now."""
    node = view.node(target)
    if node is None or not worked_on(node):
        return False
    return type_ in _NOT_DONE_TO_IT or (type_ is ActionType.FENCE and known_empty(node))


def is_the_work(view: PairView, fault: Fault) -> bool:
    """What a person does to a server explains this fault: it says nothing about the part.

    The private link's too that the other server reports: its far end is in that person's hands.
    """
    at_the_far_end = fault.kind is ComponentKind.PRIVATE_LINK and worked_on(view.peer(fault.node))
    return worked_on(view.node(fault.node)) or at_the_far_end


def seen_on(view: PairView, node_name: str) -> tuple[str, ...]:
    """VMs that are on a node by their instance or by a launcher pod that has not ended, as `namespace/name`."""
    held = {pod.vm for pod in view.live_pods_on(node_name)}
    return tuple(vm.key for vm in view.vms if vm.node == node_name or vm.key in held)
