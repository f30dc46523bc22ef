"""The physical truth about guests: which instance of which VM executed on which node from when to when.

Two instances of one VM that execute at the same instant are a violation, whoever caused it. The ledger sees guests
and nothing of the API, so no controller's mistake can hide one.
"""

import datetime
import itertools
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from e2e.kubevirt.api import Key


@dataclass
class Run:
    """One instance of a VM on one node, for as long as it executed. Times are UTC, ISO 8601."""

    number: int
    namespace: str
    name: str
    vmi_uid: str
    node: str
    pod: str
    started: str
    started_by: str
    ended: str = ""
    ended_by: str = ""
    notes: list[str] = field(default_factory=list)
    """What happened to its API objects meanwhile; explains a violation."""


@dataclass
class Violation:
    """Two runs of one VM at the same time. `until` is empty while it lasts."""

    namespace: str
    name: str
    first: int
    second: int
    nodes: tuple[str, str]
    since: str
    cause: str
    until: str = ""


class Ledger:
    """Every run since the stand-in started, in order of their start; `journal` gets a JSON line for each change."""

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self._runs: list[Run] = []
        self._numbers = itertools.count(1)
        self.violations: list[Violation] = []

    def begin(self, vm: Key, vmi_uid: str, node: str, pod: str, started_by: str) -> Run:
        """A guest begins to execute."""
        run = Run(next(self._numbers), *vm, vmi_uid, node, pod, _now(), started_by)
        for other in self._executing(vm):
            cause = "; ".join(
                [f"run {run.number} on {node} {started_by} while run {other.number} on {other.node} still executed",
                               *other.notes])  # fmt: skip
            self.violations.append(Violation(*vm, other.number, run.number, (other.node, node), run.started, cause))
            self._write("violation", self.violations[-1])
        self._runs.append(run)
        self._write("begin", run)
        return run

    def end(self, run: Run, ended_by: str) -> None:
        """It executes no more."""
        run.ended, run.ended_by = _now(), ended_by
        self._write("end", run)
        for violation in self.violations:
            if not violation.until and run.number in (violation.first, violation.second):
                violation.until = run.ended

    def _write(self, what: str, entry: Run | Violation) -> None:
        with self._journal.open("a") as journal:
            journal.write(json.dumps({"event": what, **asdict(entry)}) + "\n")

    def _executing(self, vm: Key) -> list[Run]:
        return [run for run in self._runs if not run.ended and (run.namespace, run.name) == vm]

    def running(self) -> list[dict[str, Any]]:
        """The runs that execute now, as JSON-able dictionaries."""
        return [asdict(run) for run in self._runs if not run.ended]

    def history(self) -> list[dict[str, Any]]:
        """All runs, as JSON-able dictionaries."""
        return [asdict(run) for run in self._runs]

    def violation_list(self) -> list[dict[str, Any]]:
        """All violations, as JSON-able dictionaries."""
        return [asdict(violation) for violation in self.violations]


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
