"""The health score of a node: 100 less the weights of its faults, with the arithmetic in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from avance.core.faults import Fault

BEST = 100


@dataclass(frozen=True, slots=True)
class HealthScore:
    value: int
    """0 to 100; 100 is no fault."""
    explanation: str
    """`92 = 100 - 8 (power supply PSU2 of node-a failed)`."""


def score(faults: Iterable[Fault]) -> HealthScore:
    """Add up what the faults of one node take away; never below 0."""
    weighing = [fault for fault in faults if fault.weight]
    value = max(0, BEST - sum(fault.weight for fault in weighing))
    terms = "".join(f" - {fault.weight} ({fault.sentence})" for fault in weighing)
    return HealthScore(value, f"{value} = {BEST}{terms}" if terms else f"{BEST}: no fault")
