"""What to tell people about a VM's failures and order: is it stable, does it answer, is what it depends on there?"""

from __future__ import annotations

from avance.core.failures import given_up, restarts
from avance.core.model import PairView, VmView
from avance.core.order import why_disordered
from avance.core.rules.vm_failure import why_not_judged

FAILING = 2
"""So many restarts within the window are told."""


Answer = tuple[bool, str, str]
"""Whether it holds, the reason as a word, and the sentence."""


def stable(view: PairView, vm: VmView, now: float) -> Answer:
    """Does it keep failing?"""
    record = given_up(view, vm)
    if record is not None:
        return False, "GivenUp", record.message
    recent = restarts(view, vm, now)
    if len(recent) >= FAILING:
        newest = recent[-1]
        within = f"{view.policy.restart.window_seconds / 60:g} min"
        message = f"it was restarted {len(recent)} times within {within}, last because {newest.message}"
        return False, "KeepsFailing", message
    return True, "AsExpected", "it does not keep failing"


def ordered(view: PairView, vm: VmView) -> Answer:
    """Can what it depends on be followed as it stands?"""
    reason, message = why_disordered(view, vm)
    if reason:
        return False, reason, message
    return True, "AsExpected", "what it depends on is known"


def why_guest_not_well(view: PairView, vm: VmView, now: float) -> str:
    """What is wrong with a guest that runs on a server in contact, in words; empty if nothing is."""
    instance = vm.instance
    if instance is None or instance.paused:
        return "its guest is paused"
    since = instance.signs.silent_since
    if since is None or now < since or why_not_judged(view, vm, instance, now):
        return ""
    return "its guest does not answer its health check"
