"""AcceptReplacement: a person says that another server may stand in for the one that had this node's name before.

They answer for the old server being off or taken apart: no power reading of the new one can prove that. The record is
the deed; the memory of the node begins anew with its end.
"""

from __future__ import annotations

from avance.core.model import ActionView, PairView
from avance.core.progress import Progress, succeed


def advance(action: ActionView, view: PairView, now: float) -> Progress:
    node = view.node(action.target)
    system = node.system_uuid if node else "unknown"
    return succeed("Accept", f"the server with the system UUID {system} is {action.target} from now on")
