"""Mean time between the recorded faults of one component, and what follows from it.

With n faults in the window the mean is the time from the first to the last of them, divided by n - 1. It changes with
a fault and with nothing else, so a component that is declared failed stays so through reboots and restarts.
"""

from __future__ import annotations

from avance.core.history import ComponentHistory, NodeHistory, Occurrence
from avance.core.policy import HealthPolicy, MtbfPolicy, RebootPolicy


def in_window(history: ComponentHistory, policy: MtbfPolicy) -> tuple[Occurrence, ...]:
    """The faults that count: those of the window that ends with the newest."""
    counted = history.counted
    return tuple(fault for fault in counted if fault.at > counted[-1].at - policy.window_seconds)


def mean_seconds(history: ComponentHistory, policy: MtbfPolicy) -> float | None:
    """The MTBF; None with fewer than two faults."""
    faults = in_window(history, policy)
    return (faults[-1].at - faults[0].at) / (len(faults) - 1) if len(faults) > 1 else None


def below_threshold(history: ComponentHistory, policy: MtbfPolicy) -> bool:
    """Whether its faults come so often that it is not to be trusted any more."""
    faults, mean = in_window(history, policy), mean_seconds(history, policy)
    if policy.policy is not RebootPolicy.THRESHOLD:
        return policy.policy is RebootPolicy.NEVER and bool(faults)
    return mean is not None and len(faults) >= policy.minimum_faults and mean < policy.threshold_seconds


def at_risk_until(history: ComponentHistory, policy: MtbfPolicy) -> float | None:
    """Until when one further fault would put the MTBF below the threshold; None if one alone would not."""
    faults = in_window(history, policy)
    if policy.policy is not RebootPolicy.THRESHOLD or not faults or len(faults) + 1 < policy.minimum_faults:
        return None
    return faults[0].at + min(len(faults) * policy.threshold_seconds, policy.window_seconds)


def forgiven_at(history: ComponentHistory, policy: MtbfPolicy) -> float | None:
    """When a declared failure is lifted by itself; None if only a person lifts it, or while the fault is there."""
    if history.failed_since is None or not policy.forgiveness_seconds or history.active:
        return None
    return _last_change(history) + policy.forgiveness_seconds


def quiet_at(history: ComponentHistory, policy: HealthPolicy, now: float) -> float | None:
    """Until when a component that comes and goes keeps its weight; None if it does not flap.

    It flaps once it has failed so many times within the window, until it has been quiet for as long as the window.
    """
    faults = history.counted
    if len(faults) < policy.flap_faults:
        return None
    if faults[-policy.flap_faults].at < faults[-1].at - policy.flap_window_seconds:
        return None
    quiet = (now if history.active else _last_change(history)) + policy.flap_window_seconds
    return quiet if now < quiet else None


def flaps_until(history: NodeHistory, policy: HealthPolicy, now: float) -> float | None:
    """Until when some component of a node flaps; None if none does."""
    return max((at for each in history.components if (at := quiet_at(each, policy, now)) is not None), default=None)


def _last_change(history: ComponentHistory) -> float:
    return max((fault.until or fault.at for fault in history.faults), default=0.0)
