"""Fence: close the node, cut its power, prove it off, record the evidence, then give up what it held.

The order is the safety of the product. Closed first, or the scheduler would put the restarted VMs back on the dead
node. Proof before release, because releasing a launcher pod is what lets a second instance start. `Off`, read twice
from the BMC of this very server with no sign of life since, is proof. Where no BMC can speak, the leave that a server
took in order is, and last the word of a person. Anything else waits, without end and out loud.
"""

from __future__ import annotations

from dataclasses import replace

from avance.core.attestation import standing_attestation
from avance.core.effects import CloseNode, DeletePod, MarkOutOfService, OpenNode, PowerOff
from avance.core.fence_path import pause_between_orders, why_bmc_proves_nothing
from avance.core.fitness import why_replaced
from avance.core.graceful_leave import graceful_leave
from avance.core.intents import crash_incident
from avance.core.liveness import Life, doubt_about, judge, reads_off, standing_evidence, still_hears
from avance.core.model import ActionView, FenceEvidence, NodeView, PairView
from avance.core.progress import Progress, act, cancel, fail, succeed, wait

CLOCK_SKEW_SECONDS = 5.0
"""What the clocks of two operators' hosts may differ by without anybody noticing."""


def advance(action: ActionView, view: PairView, now: float) -> Progress:
    node = view.node(action.target)
    if node is None:
        return wait("Close", f"{action.target} is not a node of this pair at the moment; waiting for it")
    if action.evidence:
        return _release(action, view, node)
    verdict = judge(view, node, now)
    if verdict.life is Life.ALIVE and action.incident != crash_incident(node):
        return _stand_down(action, node)
    if verdict.life is not Life.DEAD and crash_incident(node) != action.incident:
        return wait("Close", f"{node.name} has given a sign of life since; watching it", verdict.reconsider_at)
    if _still_open(action, node):
        return act("Close", f"closing {node.name} to scheduling: {verdict.because}", CloseNode(node.name))
    return _prove_off(action, view, node, now)


def _stand_down(action: ActionView, node: NodeView) -> Progress:
    """It lives after all (a partition that healed, a slow API): nothing was released, so nothing is lost.

    Once closing it was ordered, opening it is too, even if the view does not show it closed yet.
    """
    if node.replaced:
        return cancel("Reopen", f"{node.name} stays closed: {why_replaced(node)}")
    ordered = action.started("Close") is not None and action.started("Reopen") is None
    if node.closed or ordered:
        return act("Reopen", f"{node.name} is alive after all; opening it again", OpenNode(node.name))
    return cancel("Reopen", f"{node.name} is alive: a live server is not fenced")


def _still_open(action: ActionView, node: NodeView) -> bool:
    """The label counts only before the power is cut: a virt-handler that lives on may set it again, but no more."""
    return not node.closed or not node.cordoned or (node.accepts_vms and action.started("PowerOff") is None)


def _prove_off(action: ActionView, view: PairView, node: NodeView, now: float) -> Progress:
    """The ladder of evidence: what the BMC proves; only where it cannot speak, what the node or a person has said."""
    obstacle = why_bmc_proves_nothing(node)
    if obstacle:
        return _lower_rungs(view, node, now, obstacle)
    if node.power is None:
        return wait("PowerOff", f"asking the BMC of {node.name} for its power state")
    doubt = doubt_about(view, node, now)
    if not reads_off(node) and doubt:
        return wait("Doubt", f"the power of {node.name} is not cut yet: {doubt}", look_at=now + 1)
    if not reads_off(node):
        order = PowerOff(node.name, node.system_uuid, pause_between_orders(action, now))
        state = node.power.state or "nothing"
        return act("PowerOff", f"the BMC of {node.name} reads {state}: cutting its power", order)
    return confirm_off(action, view, node, now)


def _lower_rungs(view: PairView, node: NodeView, now: float, obstacle: str) -> Progress:
    doubt = doubt_about(view, node, now)
    if doubt:
        return wait("Doubt", f"{obstacle}; and {doubt}", look_at=now + 1)
    left = graceful_leave(view, node, now)
    if left:
        return Progress("Release", f"{node.name} is proven to run nothing: it shut down in order", evidence=left)
    attestation = standing_attestation(view, node, now)
    if attestation and attestation.evidence:
        word = replace(attestation.evidence, observed_at=now)
        return Progress("Release", f"{node.name} is held to be off: {word.message}", evidence=word)
    return wait("PowerOff", obstacle, look_at=now + 1)


def confirm_off(action: ActionView, view: PairView, node: NodeView, now: float) -> Progress:
    """Off was read once: it is proven when it is read again, with no sign of life since."""
    reading, confirming = node.power, action.step is not None and action.step.name == "ConfirmOff"
    if action.step is not None and action.step.started_at > now + CLOCK_SKEW_SECONDS:
        # Recorded by an operator whose clock was ahead: counted from there the confirmation could take for ever.
        return wait("PowerOff" if confirming else "ConfirmOff", f"the BMC of {node.name} reads Off; reading it anew")
    confirm_at = (action.started("ConfirmOff") or now) + view.policy.fencing.confirm_seconds
    peer = view.peer(node.name)
    if reading is None or not confirming or reading.observed_at < confirm_at:
        return wait("ConfirmOff", f"the BMC of {node.name} reads Off; reading it once more", look_at=confirm_at)
    if node.heard_at > reading.observed_at or (peer is not None and still_hears(view, peer, now)):
        return wait("ConfirmOff", f"the BMC says Off, yet {node.name} still gives signs of life: it is not believed")
    evidence = FenceEvidence(
        node=node.name,
        source=reading.source,
        system_uuid=reading.system_uuid,
        boot_id=node.boot_id,
        heartbeat=node.heartbeat,
        observed_at=reading.observed_at,
        message=f"PowerState of system {reading.system_uuid} read twice as Off",
    )
    return Progress("Release", f"{node.name} is proven off", evidence=evidence)


def _release(action: ActionView, view: PairView, node: NodeView) -> Progress:
    if standing_evidence(view, node.name) != action.evidence:
        return _outlived(action, view, node)
    # Those that have ended as well: KubeVirt would take one that an earlier stay of the VM left here for the lost one.
    held = [pod for pod in view.pods if pod.node == node.name]
    if node.out_of_service and not held:
        return succeed("Release", f"{node.name} is off and holds nothing any more")
    taint = () if node.out_of_service else (MarkOutOfService(node.name),)
    pods = (DeletePod(pod.namespace, pod.name, pod.uid, node.name) for pod in held)
    return act("Release", f"giving up {len(held)} launcher pods of {node.name}, which is proven off", *taint, *pods)


def _outlived(action: ActionView, view: PairView, node: NodeView) -> Progress:
    if action.evidence and node.boot_id != action.evidence.boot_id:
        return succeed("Release", f"{node.name} has booted since: what it ran has ended with its last life")
    return fail("Release", f"{node.name} gave a sign of life after its BMC had said Off: the BMC is not to be trusted")
