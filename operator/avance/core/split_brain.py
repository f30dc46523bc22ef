"""Split brain: the private link is down while both nodes are alive. Nothing moves."""

from __future__ import annotations

from avance.core.components import ComponentKind
from avance.core.faults import Fault
from avance.core.liveness import Life, judge
from avance.core.model import NodeView, PairView
from avance.core.placement import pair_primary
from avance.core.sparing import guests_on


def link_fault(node: NodeView) -> Fault | None:
    """The private link as this end reports it now; None while it is up."""
    links = (fault for fault in node.faults if fault.kind is ComponentKind.PRIVATE_LINK and not fault.held)
    return next(links, None)


def is_split(view: PairView, now: float) -> bool:
    """Both ends report the link down, and both are alive over the API. One end alone sees a peer that reboots."""
    return len(view.nodes) == 2 and all(
        link_fault(node) is not None and judge(view, node, now).life is Life.ALIVE for node in view.nodes
    )


def backup_of_all(view: PairView) -> NodeView | None:
    """The node that holds no VM; with VMs on both there is none, and with none at all it is not the pair's primary."""
    free = [node for node in view.nodes if not guests_on(view, node.name)]
    return next((node for node in free if node.name != pair_primary(view)), None)
