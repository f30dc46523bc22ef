"""How long each phase of a crash took, over many crashes, beside what it may take."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from e2e.tests.operator_records import Action

BUDGETS = {"suspicion": 15.0, "fence": 30.0, "release and start": 10.0}
"""Seconds. These are asserted where the machine is quiet (`make bench`), not here."""


@dataclass(frozen=True)
class Crash:
    """One crash and what followed, from the records: seconds by phase."""

    fault: str
    phases: dict[str, float]


def crash_of(
    fault: str, happened: datetime, fence: Action, restarts: Sequence[Action], boots: Sequence[str], rejoin: Action
) -> Crash:
    """`boots`: when each VM's new guest began to execute."""
    suspected, proven = _at(fence.obj["status"]["startedAt"]), _at(fence.obj["status"]["evidence"]["observedAt"])
    ordered = [_at(step["startedAt"]) for one in restarts for step in one.steps if step["name"] == "Start"]
    executing = [_at(moment) for moment in boots]
    up = [_at(one.obj["status"]["finishedAt"]) for one in restarts]
    back = rejoin.obj["status"]
    phases = {
        "suspicion": suspected - happened,
        "fence": proven - suspected,
        "release": min(ordered) - proven,
        "start": max(executing) - min(ordered),
        "release and start": min(executing) - proven,
        "all VMs up": max(up) - happened,
        "rejoin": _at(back["finishedAt"]) - _at(back["startedAt"]),
    }
    return Crash(fault, {phase: took.total_seconds() for phase, took in phases.items()})


def table(crashes: Sequence[Crash]) -> str:
    """Minimum, median and maximum of each phase for each kind of fault."""
    lines = [f"{'fault':24} {'phase':18} {'min':>7} {'median':>7} {'max':>7} {'budget':>7}"]
    for fault in sorted({crash.fault for crash in crashes}):
        alike = [crash.phases for crash in crashes if crash.fault == fault]
        for phase in alike[0]:
            took = [phases[phase] for phases in alike]
            budget = f"{BUDGETS[phase]:.0f} s" if phase in BUDGETS else ""
            times = (f"{value:.1f} s" for value in (min(took), statistics.median(took), max(took)))
            low, middle, high = times
            lines.append(f"{fault + f' ({len(alike)})':24} {phase:18} {low:>7} {middle:>7} {high:>7} {budget:>7}")
    return "\n".join(lines)


def _at(moment: str) -> datetime:
    return datetime.fromisoformat(moment)
