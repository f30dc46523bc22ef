"""Is this a pair at all? A rule never acts for anything but two nodes that belong to nobody else."""

from __future__ import annotations

from avance.core.model import PairView


def why_no_pair(view: PairView) -> tuple[str, str]:
    """Reason and sentence; both empty when the pair can be served."""
    names = ", ".join(node.name for node in view.nodes) or "none"
    if len(view.nodes) != 2:
        found = f"the node selector matches {len(view.nodes)} nodes ({names})"
        return "NotTwoNodes", f"{found}: give its labels to exactly two"
    if view.rivals:
        others = ", ".join(view.rivals)
        return "NodesShared", f"the selector of {others} matches a node of this pair too: give each pair its own label"
    return "", ""
