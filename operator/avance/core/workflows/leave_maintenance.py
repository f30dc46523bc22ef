"""LeaveMaintenance: a person gives a server back. It rejoins like one that was fenced, once it is there and healthy.

It is not switched on: whoever has opened it knows when no hand is in it. Until it is opened to VMs the maintenance goes
on, however long that takes; a person who is not done yet deletes the request.
"""

from __future__ import annotations

from avance.core.fitness import private_link_up, why_not_serve
from avance.core.liveness import Life, judge, reads_off
from avance.core.maintenance import OPEN, entering, worked_on
from avance.core.model import ActionView, NodeView, PairView
from avance.core.progress import Progress, succeed, wait
from avance.core.sparing import serious_fault
from avance.core.workflows import rejoin

CALL_OFF, AWAIT_SERVER, AWAIT_HEALTH = "CallOff", "AwaitServer", "AwaitHealth"


def advance(action: ActionView, view: PairView, now: float) -> Progress:
    node = view.node(action.target)
    if node is None:
        return wait(AWAIT_SERVER, f"{action.target} is not in the cluster; waiting for its kubelet to register")
    if action.started(OPEN) is not None:
        return rejoin.advance(action, view, now)
    under_way = entering(view, node.name)
    if under_way is not None:
        return wait(CALL_OFF, f"calling off {under_way.name}")
    if not worked_on(node):
        return succeed(CALL_OFF, f"{node.name} is not in maintenance")
    absent = _why_absent(view, node, now)
    if absent:
        return wait(AWAIT_SERVER, absent, look_at=now + 5)
    if node.history.declared_down is not None:
        words = "its maintenance is over; it stays declared down until a ResetMTBF"
        return succeed(OPEN, f"{node.name}: {words}")
    unhealthy = _why_unhealthy(view, node, now)
    if unhealthy:
        return wait(AWAIT_HEALTH, f"{node.name} is not taken back yet: {unhealthy}")
    return rejoin.advance(action, view, now)


def _why_absent(view: PairView, node: NodeView, now: float) -> str:
    """What a person has to do, or to wait for, before it can be watched at all."""
    if reads_off(node) and node.power is not None and node.power.observed_at >= node.heard_at:
        return f"{node.name} is off: switch it on"
    verdict = judge(view, node, now)
    if verdict.life is not Life.ALIVE:
        return f"waiting for {node.name}: {verdict.because}; switch it on, if it is not"
    return "" if node.ready == "True" else f"waiting for the kubelet of {node.name} to report Ready"


def _why_unhealthy(view: PairView, node: NodeView, now: float) -> str:
    """What a person should mend while they are at it. A server that is needed is taken as it is."""
    peer = view.peer(node.name)
    if peer is None or why_not_serve(view, peer, now):
        return ""
    return serious_fault(node) or ("" if private_link_up(view) else "the private link is down")
