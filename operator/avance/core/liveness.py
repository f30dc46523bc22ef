"""Is a node alive, suspect or dead? Never from one opinion, never from silence of the API alone.

Independent observers can hold that a node is dead: the API (its kubelet no longer renews its Lease), the survivor (its
detector hears nothing on any path), the node's own BMC (it reads exactly `Off`) and, where machines cannot tell any
more, a person who attests it. Two must agree. A survivor that still hears the node vetoes: what is still heard is not
dead. An opinion older than the node's last sign of life is void.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from avance.core.attestation import standing_attestation
from avance.core.model import RECORDS_ONLY, FenceEvidence, NodeView, PairView
from avance.core.moments import clock_time
from avance.core.power import same_system

OPINIONS_NEEDED = 2

CONTACT_SECONDS = 12.0
"""Kubelets renew their Lease every 10 s: after a longer pause the contact has begun anew."""

LATE_SIGN_SECONDS = 8.0
"""What a sign of life may need from the node to this operator; kubelets renew their Lease every 10 s."""


class Life(StrEnum):
    ALIVE = "Alive"
    """It has given this operator a sign of life lately, and nobody holds it to be dead."""
    UNHEARD = "Unheard"
    """Nobody holds it to be dead, but this operator has only just begun to listen: it proves neither life nor death."""
    SUSPECT = "Suspect"
    """Somebody holds it to be dead, but not enough to act on."""
    DEAD = "Dead"
    """Confirmed enough to fence it; only the fence proves that it runs nothing."""


@dataclass(frozen=True, slots=True)
class Verdict:
    life: Life
    because: str
    """A sentence for people."""
    reconsider_at: float | None = None
    """When time alone could change the verdict."""

    @property
    def doubted(self) -> bool:
        """Somebody holds it to be dead."""
        return self.life in (Life.SUSPECT, Life.DEAD)


def judge(view: PairView, node: NodeView, now: float) -> Verdict:
    """Weigh what the API, the other node and the BMC hold of one node."""
    opinions = tuple(_opinions(view, node, now))
    reconsider_at = _next_deadline(view, node, now)
    if not opinions:
        life = Life.ALIVE if node.heard else Life.UNHEARD
        return Verdict(life, f"{node.name} is alive" if node.heard else f"{node.name} was not heard yet", reconsider_at)
    heard = " and ".join(opinions)
    doubt = doubt_about(view, node, now)
    if doubt:
        return Verdict(Life.SUSPECT, f"{heard}; but {doubt}", reconsider_at)
    if len(opinions) < OPINIONS_NEEDED:
        return Verdict(Life.SUSPECT, f"{heard}; one opinion is not enough", reconsider_at)
    return Verdict(Life.DEAD, heard, reconsider_at)


def silent(view: PairView, node: NodeView, now: float) -> bool:
    """The node's kubelet has not renewed its Lease for longer than the policy allows."""
    return now - node.heard_at >= view.policy.detection.lease_silence_seconds


def standing_evidence(view: PairView, node_name: str) -> FenceEvidence | None:
    """The newest fence evidence for a node that nothing has contradicted or outlived since.

    It stands as long as the node is in the life that was ended and has given no later sign of life.
    """
    node = view.node(node_name)
    recorded = [
        action.evidence
        for action in view.actions
        if action.evidence and action.evidence.node == node_name and action.type not in RECORDS_ONLY
    ]
    if node is None or not recorded:
        return None
    newest = max(recorded, key=lambda evidence: evidence.observed_at)
    return newest if (newest.boot_id, newest.heartbeat) == (node.boot_id, node.heartbeat) else None


def heard_by_nobody(view: PairView, node: NodeView, now: float) -> bool:
    """The other server has reported for long enough, and since the last sign of life, that it hears nothing of it."""
    peer = view.peer(node.name)
    since = peer.peer_unreachable_since if peer else None
    confirmation = view.policy.detection.peer_confirmation_seconds
    if peer is None or since is None or since < node.heard_at or now - since < confirmation:
        return False
    return _may_tell(view, peer)


def _opinions(view: PairView, node: NodeView, now: float) -> Iterator[str]:
    if silent(view, node, now):
        yield f"the kubelet of {node.name} has been silent since {clock_time(node.heard_at)}"
    peer = view.peer(node.name)
    if peer and heard_by_nobody(view, node, now):
        yield f"{peer.name} hears nothing of it on any path"
    if reads_off(node) and node.power and node.power.observed_at >= node.heard_at:
        yield "its BMC reads Off"
    attestation = standing_attestation(view, node, now)
    if attestation:
        yield f"{attestation.requested_by or 'a person'} attests that it is off"


def _may_tell(view: PairView, node: NodeView) -> bool:
    """A server that comes back alone must not have the winner fenced: what it has never heard it cannot miss.

    One that avance has switched off before has to hear the other one in its present life, and to be in service, before
    its word that the other one is gone counts. The same of one that a person has worked on; while they do, its cables
    may be in their hand.
    """
    if node.history.maintenance is not None:
        return False
    fenced = (action.evidence for action in view.actions if action.type not in RECORDS_ONLY)
    was_off = any(evidence is not None and evidence.node == node.name for evidence in fenced)
    was_off = was_off or node.history.maintenance_ended_at > 0
    return not was_off or node.history.heard_peer_in == node.boot_id


def reads_off(node: NodeView) -> bool:
    """Its BMC, and not the one of another server, says exactly `Off`, and has not said so of a live server."""
    if node.power is None or node.bmc_lied:
        return False
    return node.power.is_off and same_system(node.power.system_uuid, node.system_uuid)


def lies(node: NodeView) -> bool:
    """Its BMC has read `Off` in the middle of a life: signs of it came before and after, without a break.

    A sign that comes soon after the reading may have been on its way when the power went.
    """
    reading = node.power
    if not node.heard or reading is None or not reading.is_off:
        return False
    return node.heard_since < reading.observed_at < node.heard_at - LATE_SIGN_SECONDS


def doubt_about(view: PairView, node: NodeView, now: float) -> str:
    """What speaks against holding a node to be dead, whoever says so; empty if nothing does."""
    peer = view.peer(node.name)
    if peer is None:
        return "there is no other node to compare it with"
    if silent(view, peer, now) and peer.history.maintenance is None:
        return f"{peer.name} is silent too: the API or the network may be what is sick, so nothing is fenced"
    if still_hears(view, peer, now):
        return f"{peer.name} still hears it"
    return ""


def still_hears(view: PairView, node: NodeView, now: float) -> bool:
    """It hears the other server. What one in maintenance said before it fell silent, as may be expected, is over."""
    expected_silence = node.history.maintenance is not None and silent(view, node, now)
    return node.hears_peer is True and not expected_silence


def _next_deadline(view: PairView, node: NodeView, now: float) -> float | None:
    peer = view.peer(node.name)
    deadlines = [node.heard_at + view.policy.detection.lease_silence_seconds]
    if peer and peer.peer_unreachable_since is not None:
        deadlines.append(peer.peer_unreachable_since + view.policy.detection.peer_confirmation_seconds)
    return min((deadline for deadline in deadlines if deadline > now), default=None)
