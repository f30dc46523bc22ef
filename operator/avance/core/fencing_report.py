"""What people are told about fencing: could a server be fenced now, does one wait in vain, is it a storm?"""

from __future__ import annotations

from collections.abc import Iterator

from avance.core.condition import Condition, answer
from avance.core.fence_path import other_authority, trouble, why_bmc_proves_nothing
from avance.core.liveness import lies
from avance.core.model import NodeView, PairView
from avance.core.power import same_system
from avance.core.restraint import storm


def fencing_conditions(view: PairView, now: float) -> Iterator[Condition]:
    """Those of a pair that concern fencing."""
    yield answer("FencingClear", "AwaitingEvidence", trouble(view, now), "no server waits in vain to be proven off")
    yield answer("SolePowerAuthority", "OtherController", other_authority(view), "no other controller is seen")
    yield _calm(view, now)


def fence_path(node: NodeView) -> Condition:
    """Could this node be fenced now? Tried all the time, because a dead fence path shows itself too late."""
    reading = node.power
    if not node.fence_agent:
        message = f"no fence agent is configured for {node.name}: add it to spec.fencing.nodes"
        return Condition("FencePath", False, "NotConfigured", message)
    if reading is None:
        return Condition("FencePath", None, "NotTriedYet", f"the BMC of {node.name} has not been asked yet")
    if reading.error:
        return Condition("FencePath", False, "Unreadable", f"the BMC of {node.name}: {reading.error}")
    if not same_system(reading.system_uuid, node.system_uuid):
        message = f"the BMC at {reading.source} belongs to another server than {node.name}: correct its address"
        return Condition("FencePath", False, "WrongServer", message)
    if reading.is_off and (node.bmc_lied or lies(node)):
        return Condition("FencePath", False, "Contradicted", why_bmc_proves_nothing(node))
    return Condition("FencePath", True, "Answers", f"the BMC of {node.name} reads {reading.state}")


def _calm(view: PairView, now: float) -> Condition:
    raging = storm(view, now)
    if raging:
        return Condition("Calm", False, "Storm", f"{raging.because}; nothing new is begun, what runs goes on")
    return Condition("Calm", True, "AsExpected", "nothing looks bad but what is told here")


def bmc_lied(node: NodeView) -> bool:
    """It has read Off in the middle of a life, and not On since."""
    if node.power is not None and not node.power.error and not node.power.is_off:
        return False
    return node.bmc_lied or lies(node)
