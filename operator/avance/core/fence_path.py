"""Can a server's BMC be believed, how often is it asked, and when are people told that nothing proves a server off?"""

from __future__ import annotations

from avance.core.liveness import Life, judge, lies, silent, still_hears
from avance.core.maintenance import known_empty, why_worked_on, worked_on
from avance.core.model import ActionType, ActionView, NodeView, PairView
from avance.core.moments import clock_time
from avance.core.power import same_system

CLOSE_LOOK_SECONDS = 0.5
"""How often the BMC of a node is read whose power state decides something."""
FAILED_PATH_SECONDS = 10.0
"""How often a BMC is tried that gives no usable answer, while nothing depends on it."""
LONGEST_PAUSE_SECONDS = 15.0
"""Between two looks at a BMC that VMs wait for, however long it has failed: mended, it must be found soon."""
TELL_AFTER_SECONDS = 30.0
"""A fence that is not proven by then, after some ten tries, is told to people."""
ORDER_SECONDS = 10.0
LONGEST_ORDER_SECONDS = 120.0
"""Between two orders to switch off that a BMC accepts and does not carry out."""


def why_bmc_proves_nothing(node: NodeView) -> str:
    """Why its BMC can neither prove a node off nor switch it off, in words that say what to do; empty if it can."""
    reading = node.power
    if not node.fence_agent:
        return f"no fence agent is configured for {node.name}, so nothing proves it off: add it to spec.fencing.nodes"
    if reading is None:
        return ""
    if reading.error:
        return f"cannot tell whether {node.name} is off: {reading.error}"
    if not same_system(reading.system_uuid, node.system_uuid):
        return (
            f"the BMC at {reading.source} is another server's ({reading.system_uuid or 'no UUID'}, {node.name} is "
            f"{node.system_uuid}): nothing was switched; correct the address for {node.name} in spec.fencing.nodes"
        )
    if reading.is_off and (node.bmc_lied or lies(node)):
        return (
            f"the BMC at {reading.source} has read Off while {node.name} was alive: it is not believed until it has "
            f"read On; see whether it is the BMC of {node.name}, and reset it"
        )
    return ""


def pause_between_looks(action: ActionView | None, now: float) -> float:
    """How old the reading of a BMC may be that decides something: the longer it has been of no use, the older.

    A BMC that refuses the password would lock the account, and one that is overloaded would never recover.
    """
    waiting = action is not None and action.type is ActionType.FENCE and action.current == "PowerOff"
    step = action.step if action and waiting else None
    waited = now - step.started_at if step else 0.0
    return min(max(CLOSE_LOOK_SECONDS, waited / 20), LONGEST_PAUSE_SECONDS)


def pause_between_orders(action: ActionView, now: float) -> float:
    """Seconds before the order to switch off is repeated."""
    began = action.started("PowerOff")
    waited = 0.0 if began is None else now - began
    return min(max(ORDER_SECONDS, waited / 5), LONGEST_ORDER_SECONDS)


def unproven_since(view: PairView, node_name: str) -> float | None:
    """Since when a node that is held to be dead waits for the proof; None if none does."""
    action = view.open_action(node_name)
    if action is None or action.type is not ActionType.FENCE or action.evidence is not None:
        return None
    return action.created_at


def trouble(view: PairView, now: float) -> str:
    """Which server VMs wait for in vain, why, and what a person can do; empty if none."""
    for node in view.nodes:
        since, action = unproven_since(view, node.name), view.open_action(node.name)
        if since is None or action is None or now < since + TELL_AFTER_SECONDS:
            continue
        why = action.step.message if action.step else "it has not begun"
        return (
            f"{node.name} is held to be dead since {clock_time(since)}, nothing proves it off, its VMs wait: {why}. "
            f"Mend that, or see to it that {node.name} is off and stays off, and create an AvanceAction AttestOff"
        )
    return _suspect_for_long(view, now)


def _suspect_for_long(view: PairView, now: float) -> str:
    """A server that only one observer holds to be dead, and that nobody hears, is fenced by nobody."""
    for node in view.nodes:
        if known_empty(node):
            continue
        verdict, peer = judge(view, node, now), view.peer(node.name)
        patience = view.policy.detection.lease_silence_seconds + TELL_AFTER_SECONDS
        if verdict.life is not Life.SUSPECT or view.open_action(node.name) or now < node.heard_at + patience:
            continue
        if peer is None or still_hears(view, peer, now) or (silent(view, peer, now) and not worked_on(peer)):
            continue
        alone = f"; {why_worked_on(view, peer)}, and it tells nothing until then" if worked_on(peer) else ""
        return (
            f"{node.name} may be dead, and is not fenced: {verdict.because}{alone}. If it is, switch it off by its "
            "BMC; or see to it that it is off and stays off, and create an AvanceAction AttestOff"
        )
    return ""


def other_authority(view: PairView) -> str:
    """Which other controller may switch a server's power too, in words; empty if none is seen."""
    for node in view.nodes:
        if node.other_authorities:
            return (
                f"{node.name} is marked by another controller that may switch its power "
                f"({', '.join(node.other_authorities)}): exempt {node.name} there, and annotate it with "
                "avance.dev/power-authority=avance"
            )
    return ""
