"""Would the API outlive the loss of a server? Without it nothing acts, whatever the other server could do.

The nodes with the label of the control plane are counted; the members of etcd are taken to be the same. A control plane
that is no node of the cluster (a hosted one) is somebody else's care.
"""

from __future__ import annotations

from avance.core.model import PairView


def why_api_would_be_lost(view: PairView, node_name: str) -> str:
    """Why the loss of this node would end the API with it, and what to do; empty if it would go on."""
    members = len(view.control_plane)
    if node_name not in view.control_plane or members - 1 >= _majority(members):
        return ""
    if members == 1:
        return (
            f"{node_name} is the only control-plane node: without the API nobody restarts anything; "
            "run the control plane on servers that are not of this pair"
        )
    return (
        f"{node_name} is one of {members} control-plane nodes, and {members - 1} alone cannot go on: "
        "add a third one that is not of this pair"
    )


def why_api_is_at_risk(view: PairView) -> str:
    """What is to be known of a pair that holds the majority of a control plane that outlives either server."""
    members, held = len(view.control_plane), sum(node.name in view.control_plane for node in view.nodes)
    if members < 3 or held < _majority(members):
        return ""
    return f"the pair holds {held} of {members} control-plane nodes: while one server is down no other may be lost"


def _majority(members: int) -> int:
    return members // 2 + 1
