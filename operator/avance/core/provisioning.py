"""Are the disks that are made with a VM there: copied from an image, imported, or created empty?

KubeVirt starts nothing before they are, so nothing is started here either, and what has not run yet is not down. CDI
tries a failed import again for ever: it is a person who has to act, and is told what on.
"""

from __future__ import annotations

from dataclasses import dataclass

from avance.core.condition import Condition

FILLED = "Succeeded"
LEFT_BEHIND = "LeftBehind"
"""Not CDI's word: the DataVolume of an earlier VM of the same name, which has not been removed yet."""
WAITS_FOR_THE_VM = ("WaitForFirstConsumer", "PendingPopulation")
"""Phases in which CDI waits for the VM to be started, on the node that its volume shall be bound to."""
TRIES_THAT_FAIL = 2
"""CDI starts its importer anew for reasons that are no failure too, but not so often."""

NEEDS_A_PERSON = ("ProvisioningFailed", "NoStorageClass")
"""Reasons of the Provisioned condition with which waiting alone does not help."""
_WAITS = {
    "": "is not begun yet",
    "Pending": "waits to be begun",
    "Unknown": "is in an unknown state",
    LEFT_BEHIND: "waits until that of an earlier VM of this name is removed",
}
_ADVICE = (
    (
        "insufficient permissions in clone source namespace",
        "allow the VM's service account to clone from there: docs/golden-images.md",
    ),
    ("larger PVC is required", "give the disk a larger capacity, and delete the DataVolume {volume}: it is made anew"),
    ("smaller than the source", "give the disk a larger capacity, and delete the DataVolume {volume}: it is made anew"),
    ("storageclasses.storage", "choose one of `kubectl get storageclass`; the disk needs another name then"),
    ("datasources.cdi", "`avance image list` shows the golden images"),
    ("no matches for kind", "install CDI"),
    ("could not find the requested resource", "install CDI"),
    ("already exists and is not managed", "give the disk another name, or use the claim as it is"),
    ("doesn't exist", "make the claim that it is a copy of, or give the disk another name and source"),
    ("unable to connect", "see that the address is right and answers; a wrong one needs a disk of another name"),
)
"""What CDI and KubeVirt say, and what a person can do about it."""


@dataclass(frozen=True, slots=True)
class NewDisk:
    """A disk that CDI makes with the VM."""

    name: str
    volume: str
    """`namespace/name` of its DataVolume."""
    phase: str = ""
    """As CDI calls it; empty while there is no DataVolume."""
    percent: float | None = None
    trouble: str = ""
    """Why it gets no further, in the words of CDI or KubeVirt."""
    tries: int = 0
    """How often its importer has been started again."""
    filled_at: float | None = None
    """When the operator first saw it filled."""


@dataclass(frozen=True, slots=True)
class Provisioning:
    """The disks that are made with a VM; none, if all of its disks were there before."""

    disks: tuple[NewDisk, ...] = ()
    impossible: str = ""
    """Why they cannot even be asked for."""

    @property
    def filled_at(self) -> float:
        """When the last of them was filled; 0 if none is made."""
        return max((disk.filled_at or 0.0 for disk in self.disks), default=0.0)


def why_not_filled(disks: Provisioning) -> str:
    """Which disk is still being made and how far it is, in words; empty when all are there."""
    return disks.impossible or next((_sentence(disk) for disk in disks.disks if disk.phase != FILLED), "")


def why_disks_keep_it(disks: Provisioning) -> str:
    """Why KubeVirt would not start a VM with these disks, in words; empty when it would."""
    waited_for = (disk for disk in disks.disks if disk.phase not in (FILLED, *WAITS_FOR_THE_VM))
    return disks.impossible or next((_sentence(disk) for disk in waited_for), "")


def provisioned(disks: Provisioning) -> Condition:
    """Are all of its disks there?"""
    hindrance = why_not_filled(disks)
    if not hindrance:
        return Condition("Provisioned", True, "AsExpected", "its disks are there")
    return Condition("Provisioned", False, _reason(disks), hindrance)


def _reason(disks: Provisioning) -> str:
    if disks.impossible:
        return "NoStorageClass"
    unfinished = [disk for disk in disks.disks if disk.phase != FILLED]
    if any(_failing(disk) for disk in unfinished):
        return "ProvisioningFailed"
    return "WaitsForStart" if all(disk.phase in WAITS_FOR_THE_VM for disk in unfinished) else "Provisioning"


def _failing(disk: NewDisk) -> bool:
    return bool(disk.trouble) or disk.phase == "Failed" or disk.tries >= TRIES_THAT_FAIL


def _sentence(disk: NewDisk) -> str:
    if disk.trouble:
        again = f" ({disk.tries} tries so far)" if disk.tries else ""
        advice = next((what for sign, what in _ADVICE if sign.lower() in disk.trouble.lower()), "")
        todo = f"; {advice.format(volume=disk.volume)}" if advice else ""
        return f"disk {disk.name} cannot be made{again}: {disk.trouble.rstrip('.')}{todo}"
    if disk.phase == "Failed":
        return f"disk {disk.name} cannot be made: see the events of DataVolume {disk.volume}"
    if disk.tries >= TRIES_THAT_FAIL:
        return f"disk {disk.name} is tried again after {disk.tries} tries: see the events of DataVolume {disk.volume}"
    return f"disk {disk.name} {_state(disk)}"


def _state(disk: NewDisk) -> str:
    if disk.phase in WAITS_FOR_THE_VM:
        return "is made when the VM starts"
    if disk.phase in _WAITS:
        return _WAITS[disk.phase]
    how = "is imported" if disk.phase.startswith("Import") else "is copied"
    return f"{how}: {disk.percent:.0f} %" if disk.percent is not None else how
