"""What must not be begun now, however good the reason: a new leader's quiet time, the storm gate, a sick KubeVirt.

A storm is when it is not one server that looks bad but the whole: both servers of the pair, several nodes of the
cluster at once, or the API itself. Then what is sick is more likely the network or the API than the servers, and every
power cut and move would make it worse. Nothing new is begun, what runs goes on, and the gate opens only some time after
the storm has passed, because lights come on again one by one.
"""

from __future__ import annotations

from dataclasses import dataclass

from avance.core.kubevirt_health import why_kubevirt_fails
from avance.core.liveness import silent
from avance.core.model import RECORDS_ONLY, ActionType, PairView

STORM_NODES = 2
"""One other node that is silent is no storm, however small the cluster is."""
STORM_SHARE = 1 / 3
"""More than this share of the nodes outside the pair being silent at once is one."""
WRITES_FAIL_SECONDS = 5.0
"""A write or two that fails is ordinary: an API server that restarts, a node of the control plane that died."""

CUTS_POWER = frozenset({ActionType.FENCE, ActionType.REBOOT})
GOES_ON = RECORDS_ONLY | {
    ActionType.START,
    ActionType.STOP,
    ActionType.RESTART,
    ActionType.COLD_RESTART,
    ActionType.REJOIN,
    ActionType.LEAVE_MAINTENANCE,
}
"""What rests on proof or on a live server and ends what has been begun; all else is held back in a storm."""
MOVES = frozenset(
    {
        ActionType.MIGRATE,
        ActionType.SWITCHOVER,
        ActionType.FAILBACK,
        ActionType.REBOOT,
        ActionType.ENTER_MAINTENANCE,
    }
)
"""What moves VMs that run well, or empties a server first: not begun while KubeVirt itself is not well."""


@dataclass(frozen=True, slots=True)
class StormRecord:
    """What one operator remembers of storms from look to look; a successor begins with what the status says."""

    raging: bool = False
    seen_at: float | None = None
    """When a storm was last seen, or first seen to have passed."""

    def after(self, cause: str, now: float) -> StormRecord:
        """The record after a look that found `cause`. The look that finds it over still counts: it may just be."""
        return StormRecord(bool(cause), now if cause or self.raging else self.seen_at)


@dataclass(frozen=True, slots=True)
class Restraint:
    because: str
    until: float | None
    """When time alone lifts it; None while its cause lasts."""


def storm_cause(view: PairView, now: float) -> str:
    """Why this is a storm and no fault of one server, in words; empty if it is none."""
    around = view.surroundings
    expected = [node for node in view.nodes if node.history.maintenance is None]
    if len(expected) > 1 and all(silent(view, node, now) for node in expected):
        return "both servers are silent: the API or the network may be what is sick"
    if around.silent_nodes >= STORM_NODES and around.silent_nodes > around.other_nodes * STORM_SHARE:
        return f"{around.silent_nodes} of {around.other_nodes} other nodes of the cluster are silent too"
    if around.writes_fail_since is not None and now - around.writes_fail_since >= WRITES_FAIL_SECONDS:
        return "the API server does not answer this operator's writes"
    return ""


def storm(view: PairView, now: float) -> Restraint | None:
    """The storm that rages, or that has passed too short a time ago; None if all is calm."""
    cause = storm_cause(view, now)
    if cause:
        return Restraint(cause, None)
    seen_at, cooldown = view.surroundings.storm_seen_at, view.policy.detection.storm_cooldown_seconds
    if seen_at is None or now >= seen_at + cooldown:
        return None
    return Restraint(f"a storm has passed, and is watched for {cooldown:g} s whether it returns", seen_at + cooldown)


def why_not_begin(view: PairView, type_: ActionType, now: float) -> Restraint | None:
    """What holds an action of this type back that no person asked for; None if it may begin."""
    if type_ in GOES_ON:
        return None
    raging = storm(view, now)
    if raging:
        return raging
    kubevirt = why_kubevirt_fails(view.surroundings.kubevirt)
    if type_ in MOVES and kubevirt:
        return Restraint(kubevirt, None)
    quiet_until = view.surroundings.in_charge_since + view.policy.detection.quiet_seconds
    if type_ in CUTS_POWER and now < quiet_until:
        return Restraint("this operator has only just taken over: it looks before it fences", quiet_until)
    return None
