"""Can KubeVirt itself start and move VMs now, and what is to be done if not?

virt-api carries the webhooks, without which the API server refuses every write of a VM, and the verbs; virt-controller
makes the pods. While either is down a proven crash is still fenced, but no VM comes up on the survivor.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from avance.core.condition import Condition

LEASE_SILENCE_SECONDS = 20.0
"""virt-controller renews its Lease every 2 s and loses it after 15 s: silent for longer, no replica of it leads."""


@dataclass(frozen=True, slots=True)
class KubeVirtHealth:
    """What was seen of KubeVirt itself; the defaults are those of one that is well."""

    installed: bool = True
    """The API server serves KubeVirt's kinds, and there is a KubeVirt object."""
    api_failure: str = ""
    """What came instead of an answer of virt-api."""
    controller_silent: bool = False
    """virt-controller has not renewed its Lease for LEASE_SILENCE_SECONDS."""
    lacks: tuple[str, ...] = ()
    """Fields that the operator relies on and this version of KubeVirt does not have."""
    not_told: str = ""
    """Why some of this could not be found out."""
    well_since: float = 0.0
    """When the last trouble was seen to be over."""

    @property
    def well(self) -> bool:
        """Nothing is known to be wrong."""
        return self.installed and not (self.api_failure or self.controller_silent or self.lacks)


def kubevirt_troubles(health: KubeVirtHealth) -> Iterator[tuple[str, str]]:
    """What is wrong, each as one word and a sentence that says what to do."""
    if not health.installed:
        yield "KubeVirtMissing", "KubeVirt is not installed, or not to its end: nothing can start a VM"
        return
    if health.api_failure:
        yield (
            "VirtApiDown",
            f"virt-api does not answer, so no VM can be started or moved: {health.api_failure}; "
            "look at its pods (label kubevirt.io=virt-api), and keep one of them off the pair",
        )
    if health.controller_silent:
        yield (
            "VirtControllerDown",
            f"virt-controller has not renewed its Lease for {LEASE_SILENCE_SECONDS:g} s, so no VM can be started or "
            "moved; look at its pods (label kubevirt.io=virt-controller), and keep one of them off the pair",
        )
    if health.lacks:
        yield (
            "KubeVirtTooOld",
            f"this KubeVirt has no {' and no '.join(health.lacks)}, so no VM is moved: upgrade KubeVirt to 1.4 or "
            "newer",
        )


def kubevirt_ready(health: KubeVirtHealth | None) -> Condition:
    """The same as a condition of the pair."""
    if health is None:
        return Condition("KubeVirtReady", None, "NotKnown", "KubeVirt has not been asked yet how it is")
    for reason, message in kubevirt_troubles(health):
        return Condition("KubeVirtReady", False, reason, message)
    if health.not_told:
        return Condition("KubeVirtReady", None, "NotKnown", f"KubeVirt does not tell how it is: {health.not_told}")
    return Condition("KubeVirtReady", True, "AsExpected", "virt-api answers and virt-controller works")


def as_told(status: str, reason: str) -> KubeVirtHealth:
    """What that condition says, for somebody who cannot ask KubeVirt."""
    told = "as the operator has found it"
    if status == "True":
        return KubeVirtHealth()
    if reason == "VirtApiDown":
        return KubeVirtHealth(api_failure=told)
    if reason == "VirtControllerDown":
        return KubeVirtHealth(controller_silent=True)
    if reason == "KubeVirtTooOld":
        return KubeVirtHealth(lacks=(f"field that a move needs ({told})",))
    if reason == "KubeVirtMissing":
        return KubeVirtHealth(installed=False)
    return KubeVirtHealth(not_told="the operator has not found it out")


def why_kubevirt_fails(health: KubeVirtHealth | None) -> str:
    """The first thing that is wrong, in words; empty if nothing is known to be."""
    return next((message for _, message in kubevirt_troubles(health)), "") if health else ""


def why_kubevirt_starts_nothing(health: KubeVirtHealth | None) -> str:
    """The same for what keeps VMs from starting: a field that only a move needs is none of that."""
    troubles = kubevirt_troubles(health) if health else ()
    return next((message for reason, message in troubles if reason != "KubeVirtTooOld"), "")


def counts_since(health: KubeVirtHealth | None, begun: float, now: float) -> float:
    """Since when the time of something that KubeVirt has to do counts: not while KubeVirt was down."""
    if health is None:
        return begun
    return now if why_kubevirt_starts_nothing(health) else max(begun, health.well_since)
