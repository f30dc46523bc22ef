"""AttestOff: a person says that a server is off, where no machine can prove it any more.

It is an opinion of its own that the server is dead, and the last rung of the ladder of evidence. It is about one death:
a sign of life makes it void. It never overrides what still speaks: a survivor that hears the server, or a BMC that
reads anything but `Off`. And it expires.
"""

from __future__ import annotations

from avance.core.model import ActionType, ActionView, FenceEvidence, NodeView, PairView
from avance.core.power import same_system


def standing_attestation(view: PairView, node: NodeView, now: float) -> ActionView | None:
    """The newest word of a person that was taken up and that nothing has made void."""
    words = (a for a in reversed(view.actions_on(node.name, ActionType.ATTEST_OFF)) if a.open and a.evidence)
    return next((action for action in words if not why_void(action, view, node, now)), None)


def why_void(action: ActionView, view: PairView, node: NodeView, now: float) -> str:
    """Why an attestation does not count (any more), in words; empty while it does."""
    said, peer = action.evidence, view.peer(node.name)
    if said is not None and (said.boot_id, said.heartbeat) != (node.boot_id, node.heartbeat):
        return f"{node.name} has given a sign of life since"
    if peer is not None and peer.hears_peer:
        return f"{peer.name} still hears {node.name}, and nobody's word overrides that"
    if now >= action.created_at + view.policy.fencing.attestation_seconds:
        return "it has expired: look again whether the server is off, and create another one"
    return _contradicted_by_bmc(node)


def word_of(action: ActionView, node: NodeView, now: float) -> FenceEvidence:
    """What the person says, about the life that the server was in when it was taken up."""
    return FenceEvidence(
        node=node.name,
        source=action.requested_by or "a person",
        system_uuid=node.system_uuid,
        boot_id=node.boot_id,
        heartbeat=node.heartbeat,
        observed_at=now,
        message=f"{action.requested_by or 'a person'} attests: {action.message}",
        kind="OperatorAttested",
    )


def _contradicted_by_bmc(node: NodeView) -> str:
    reading = node.power
    if reading is None or reading.error or not same_system(reading.system_uuid, node.system_uuid):
        return ""
    if reading.is_off:
        return ""
    return f"the BMC of {node.name} reads {reading.state or 'nothing'}, and nobody's word overrides that"
