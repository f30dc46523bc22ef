"""Runs scenario files and prints their timelines."""

from __future__ import annotations

import json as json_format
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from avance.simulator.scenario import Result, ScenarioError, load, run


def simulate(paths: Iterable[str | Path], json: bool = False) -> int:
    """Play scenario files and print what happened.

    Returns 0 when all went as expected, 1 when an expectation or invariant did not hold, 2 when a file is no scenario.
    """
    status = 0
    for path in _files(paths):
        try:
            result = run(load(path))
        except (OSError, ScenarioError, ValueError) as error:
            sys.stderr.write(f"{error}\n")
            status = 2
            continue
        sys.stdout.write(as_json(result) if json else as_text(result))
        status = status or int(bool(result.failures))
    return status


def _files(paths: Iterable[str | Path]) -> list[Path]:
    """The files themselves; of a directory all that end in .yaml, by name."""
    named = [Path(path) for path in paths]
    return [file for path in named for file in (sorted(path.glob("*.yaml")) if path.is_dir() else [path])]


def as_text(result: Result) -> str:
    """The sentence that it shows, one line for each thing that happened, and the verdict."""
    lines = [f"{result.scenario.name}: {result.scenario.shows}", ""]
    for entry in result.timeline:
        minutes, seconds = divmod(entry.at, 60)
        lines.append(f"  {minutes:3.0f}:{seconds:05.2f}  {entry.who:<9} {entry.what}")
    lines += ["", *(f"  FAILED  {failure}" for failure in result.failures)]
    if not result.failures:
        lines.append(f"  as expected ({len(result.scenario.expectations)} expectations, every invariant)")
    return "\n".join(lines) + "\n\n"


def as_json(result: Result) -> str:
    """One line of JSON for each scenario."""
    document = {
        "scenario": result.scenario.name,
        "shows": result.scenario.shows,
        "passed": not result.failures,
        "failures": list(result.failures),
        "timeline": [asdict(entry) for entry in result.timeline],
    }
    return json_format.dumps(document) + "\n"
