"""PeerUnreachable and PrivateLinkProblem, from what probes of the two ways to the peer heard. Pure: no I/O, no clock.

Silence is counted in probes that were sent and not answered, never in time that went by: a prober that was stopped or
starved for a while has heard nothing because it has not asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from detectors.finding import CantTellError, Fault, Finding, conclude
from detectors.kinds import PEER, PRIVATE_LINK


@dataclass(frozen=True, slots=True)
class Way:
    """One way to the peer, as its probes see it."""

    name: str
    """`private link` or `public network`."""
    unanswered: int = 0
    """Probes since the last answer, each of which had its time to be answered."""
    carrier: bool | None = None
    """Of the own interface; None where that is not looked at."""
    trouble: str = ""
    """Why it cannot be probed."""

    def silent(self, missed_probes: int) -> bool:
        return self.unanswered >= missed_probes


def peer_finding(peer: str, ways: Sequence[Way], missed_probes: int) -> Finding | None:
    """Whether the peer is heard on any way; None while it is too early to say."""

    def faults() -> list[Fault]:
        if doubt := next((way for way in ways if way.trouble), None):
            raise CantTellError(f"the {doubt.name} to {peer} cannot be probed: {doubt.trouble}")
        names = " nor the ".join(way.name for way in ways)
        return [Fault(peer, "unreachable", f"no answer over the {names}")]

    probed = [way for way in ways if not way.trouble]
    if any(way.unanswered == 0 for way in probed):
        return conclude(list, PEER.healthy_message)
    if any(not way.silent(missed_probes) for way in probed):
        return None
    return conclude(faults, PEER.healthy_message)


def private_link_finding(peer: str, way: Way, missed_probes: int) -> Finding | None:
    """Whether the private link carries to the peer; None while it is too early to say.

    A peer that is dead looks the same: the operator weighs it together with PeerUnreachable of both nodes.
    """

    def faults() -> list[Fault]:
        if way.carrier is False:
            return [Fault("private-link", "down", f"no carrier towards {peer}")]
        if way.trouble:
            raise CantTellError(f"the private link to {peer} cannot be probed: {way.trouble}")
        return [Fault("private-link", "down", f"{peer} does not answer over it")] if way.unanswered else []

    if way.carrier is not False and not way.trouble and 0 < way.unanswered < missed_probes:
        return None
    return conclude(faults, PRIVATE_LINK.healthy_message)
