"""Reboot: a live backup is emptied, switched off and proven off, switched on, and rejoins like one that was fenced.

By choice, so everything that speaks against it is asked again before its power is cut, and whatever stands in the way
leaves the server in service. Never one that runs a VM, never while the other one is not fit.
"""

from __future__ import annotations

from avance.core.effects import PowerOff
from avance.core.fence_path import why_bmc_proves_nothing
from avance.core.liveness import Life, judge, reads_off
from avance.core.model import ActionView, NodeView, PairView
from avance.core.progress import Progress, act, cancel, fail, wait
from avance.core.sparing import why_not_reboot, why_not_spare
from avance.core.workflows import rejoin
from avance.core.workflows.emptying import empty, leave_it
from avance.core.workflows.fence import confirm_off

OFF_PATIENCE_SECONDS = 120.0
"""So long after its BMC was told to cut the power a server that is still alive and on stays in service.

One that is dead by then, and not proven off, is fenced.
"""


def advance(action: ActionView, view: PairView, now: float) -> Progress:
    node = view.node(action.target)
    if node is None:
        return cancel("Close", f"{action.target} is not a node of this pair any more")
    if action.evidence:
        return rejoin.advance(action, view, now)
    if action.started("PowerOff") is None:
        hindrance = why_not_reboot(view, node, now)
        if hindrance or action.started("Reopen") is not None:
            return leave_it(action, node, hindrance or "it was left alone")
        return empty(action, view, node, now) or _cut(node)
    return _prove_off(action, view, node, now)


def _cut(node: NodeView) -> Progress:
    order = PowerOff(node.name, node.system_uuid)
    return act("PowerOff", f"{node.name} holds no VM: cutting its power to boot it anew", order)


def _prove_off(action: ActionView, view: PairView, node: NodeView, now: float) -> Progress:
    """The order is out: only a server that is plainly alive and on is left in service again."""
    if reads_off(node) and node.power is not None and not _older_than_order(action, node):
        return confirm_off(action, view, node, now)
    give_up_at = (action.started("PowerOff") or now) + OFF_PATIENCE_SECONDS
    life = judge(view, node, now).life
    if action.started("Reopen") is not None or (life is Life.ALIVE and now >= give_up_at):
        return leave_it(action, node, "its BMC was told to cut the power and has not done it", failed=True)
    needed = why_not_spare(view, node, now)
    if life is Life.ALIVE and needed:
        return leave_it(action, node, needed, failed=True)
    obstacle = why_bmc_proves_nothing(node)
    if life is Life.DEAD and now >= give_up_at:
        # Closed as it is: a fence tells people, and where no BMC can speak it takes their word.
        because = obstacle or "its BMC does not read Off"
        return fail("PowerOff", f"{node.name} is dead, and its reboot cannot prove it off: {because}")
    if node.power is None or obstacle:
        return wait("PowerOff", obstacle or f"asking the BMC of {node.name} for its power state", look_at=give_up_at)
    return act(
        "PowerOff",
        f"the BMC of {node.name} reads {node.power.state or 'nothing'}: cutting its power",
        PowerOff(node.name, node.system_uuid),
        look_at=give_up_at,
    )


def _older_than_order(action: ActionView, node: NodeView) -> bool:
    """A reading from before the order says nothing about what the order did."""
    ordered = action.started("PowerOff") or 0.0
    return node.power is not None and node.power.observed_at < ordered and action.current == "PowerOff"
