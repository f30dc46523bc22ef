"""What to tell people about a server: its state as one word, its score, whether it could be fenced."""

from __future__ import annotations

from dataclasses import dataclass

from avance.core.condition import Condition
from avance.core.fence_path import unproven_since
from avance.core.fencing_report import bmc_lied, fence_path
from avance.core.fitness import why_not_serve
from avance.core.health import HealthScore, score
from avance.core.liveness import judge, standing_evidence
from avance.core.maintenance import MAINTENANCE, entering, worked_on
from avance.core.model import ActionType, ActionView, NodeView, PairView


@dataclass(frozen=True, slots=True)
class NodeReport:
    name: str
    state: str
    score: HealthScore
    fence_path: Condition
    bmc_lied: bool
    """Its BMC is not believed until it has read `On`; to be remembered."""
    unproven_seconds: float
    """How long a server that is held to be dead has been waiting for the proof; 0 if it does not."""


def report_node(view: PairView, node: NodeView, now: float) -> NodeReport:
    """Everything that status and metrics say about one node."""
    state = _node_state(view, node, now)
    since = unproven_since(view, node.name)
    waited = 0.0 if since is None else now - since
    return NodeReport(node.name, state, _score(node, state), fence_path(node), bmc_lied(node), waited)


def _score(node: NodeView, state: str) -> HealthScore:
    """A server that is gone has no health, whatever its last conditions said."""
    gone = {
        "Fencing": "is held to be dead",
        "Fenced": "is off",
        "DeclaredDown": "is declared down",
        MAINTENANCE: "is in maintenance",
    }.get(state)
    return HealthScore(0, f"0: {node.name} {gone}") if gone else score(node.faults)


def _node_state(view: PairView, node: NodeView, now: float) -> str:
    action = view.open_action(node.name)
    if action and action.type is ActionType.FENCE and action.evidence is None:
        return "Fencing"
    if worked_on(node):
        return MAINTENANCE
    if node.replaced:
        return "Replaced"
    return _out_of_service(view, node, action) or _life_of(view, node, now)


def _out_of_service(view: PairView, node: NodeView, action: ActionView | None) -> str:
    """Why it is, as a word; empty where nothing on record says so."""
    type_ = action.type if action else None
    if type_ is ActionType.REBOOT:
        return "Rebooting"
    if entering(view, node.name):
        return "Draining"
    if node.history.declared_down is not None:
        return "DeclaredDown"
    if standing_evidence(view, node.name):
        return "Fenced"
    return "Rejoining" if type_ in (ActionType.REJOIN, ActionType.LEAVE_MAINTENANCE) else ""


def _life_of(view: PairView, node: NodeView, now: float) -> str:
    if not node.ready:
        return "Unknown"
    if judge(view, node, now).doubted:
        return "Suspect"
    if why_not_serve(view, node, now):
        return "Closed"
    return "Degraded" if node.faults else "InService"
