"""Private link lost = split brain: both alive. Nothing moves, the VMs run on where they are."""

from __future__ import annotations

from collections.abc import Iterator

from avance.core.attempts import reboot_or_declare_down
from avance.core.intents import Intent, LookAgain
from avance.core.model import PairView
from avance.core.split_brain import backup_of_all, is_split, link_fault


def reboot_the_backup_of_a_split_pair(view: PairView, now: float) -> Iterator[Intent | LookAgain]:
    """The backup is rebooted, again while attempts remain; then, or with its MTBF below the threshold, declared down.

    With VMs on both servers neither is a backup, and nothing can be handed over: nothing is rebooted.
    """
    backup = backup_of_all(view) if is_split(view, now) else None
    fault = link_fault(backup) if backup is not None else None
    if backup is not None and fault is not None:
        yield from reboot_or_declare_down(view, backup, fault, now)
