"""What can be told of a guest from outside: whether it answers, and how long its silence is to be borne."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """How a hung guest is told from a busy one. Times are seconds."""

    patience_seconds: float = 30.0
    """How long it may leave its check unanswered."""
    boot_seconds: float = 120.0
    """How long it may take to boot."""
    by_agent: bool = True
    """It is the guest agent that answers."""
    watchdog_resets: bool = False
    """A watchdog device resets it: it then needs the time to boot before anybody else steps in."""


@dataclass(frozen=True, slots=True)
class GuestSigns:
    """What KubeVirt shows of a guest. Times are of the operator's clock."""

    answers: bool = False
    """Its health check is answered now; False as well without a check."""
    silent_since: float | None = None
    """Since when the check is not answered, counted anew after a pause, a freeze and a move; None while it is."""
    agent_gone: bool = False
    """Its agent has left: it was stopped, or the guest reboots."""
    running_since: float = 0.0
    """When this life was first seen to run."""
    frozen: bool = False
    """Its file systems are frozen for a snapshot."""


INTERRUPTIONS = {"phase": 15.0, "node": 15.0, "paused": 0.0, "frozen": 0.0}
"""Signs of an instance whose change begins the count of its silence anew (a start, a move, a pause, a snapshot), and
after how many seconds: in a new launcher pod KubeVirt has the kubelet wait for 10 s before it probes at all."""


def read_signs(
    check: HealthCheck | None,
    *,
    running: bool,
    ready: bool,
    probe_failed: bool,
    agent: bool,
    frozen: bool,
    since: Mapping[str, float],
) -> GuestSigns:
    """`since`: when the present value of each of the signs agent, probe and the interruptions was seen first.

    The kubelet tells of a failed probe only after all the failures that the check allows, so its silence began that
    much earlier.
    """
    if check is None or not running:
        return GuestSigns(running_since=since["phase"], frozen=frozen)
    agent_gone = check.by_agent and not agent
    silences = [since["agent"]] if agent_gone else []
    if probe_failed:
        silences.append(since["probe"] - check.patience_seconds)
    interrupted = max(since[sign] + delay for sign, delay in INTERRUPTIONS.items())
    return GuestSigns(
        answers=ready and not silences,
        silent_since=max(min(silences), interrupted) if silences else None,
        agent_gone=agent_gone,
        running_since=since["phase"],
        frozen=frozen,
    )
