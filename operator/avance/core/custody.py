"""Whose a VM's VirtualMachine is: made by avance, adopted from its owner, still to be adopted, or on its way back."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Custody:
    """What stands between avance and the VirtualMachine."""

    adopted: bool = False
    """It is its owner's: when its ProtectedVM is deleted it is left as it was."""
    refusal: tuple[str, str] = ("", "")
    """Why it is not taken on, as a word and a sentence; of a VM that is no candidate both are empty."""
    leaving: bool = False
    """Its ProtectedVM is being deleted: nothing new is begun for it, and it is to be let go."""
    starts_itself: bool = False
    """As its owner has it, KubeVirt starts it without being asked."""
    contested: str = ""
    """Who else has changed what protection rests on, in words."""
    taken_back: tuple[float, ...] = ()
    """When avance has put that back within the last hour."""
    restart_needed: str = ""
    """What takes effect only when it is restarted, in words; empty if nothing waits for that."""
    unsized: str = ""
    """Why it cannot be told how large it is, in words; empty if it can."""


AVANCES_OWN = Custody()
"""Made by avance, and as it should be."""
