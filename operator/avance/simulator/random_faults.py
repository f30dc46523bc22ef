"""Plays what `schedule` thinks of until the pair has come to rest, and makes what goes wrong small enough to read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from avance.simulator import invariants
from avance.simulator.events import happen
from avance.simulator.scenario import Scenario, parse, run
from avance.simulator.schedule import MENDED, schedule
from avance.simulator.sentences import NotUnderstood
from avance.simulator.simulation import TICK, Simulation

REST_SECONDS = 30.0
"""A mended pair that wants nothing for so long wants nothing for ever."""
RUNS_TO_SHRINK = 400

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Trial:
    """One seed as it was played."""

    seed: int
    steps: int
    """Ticks: in each everything moved once and every invariant was checked."""
    failures: tuple[str, ...]

    @property
    def scenario_file(self) -> str:
        """The smallest scenario found that fails in the same way."""
        return yaml.safe_dump(shrink(yaml.safe_load(schedule(self.seed))), sort_keys=False, width=120)


def trials(first_seed: int, steps: int) -> Iterator[Trial]:
    """Play one seed after the other until so many steps have been made."""
    seed = first_seed
    while steps > 0:
        trial = play(seed)
        steps -= trial.steps
        seed += 1
        yield trial


def play(seed: int) -> Trial:
    """Play the schedule of a seed until it ends, or until the mended pair has been at rest for a while."""
    scenario = parse(f"seed-{seed}", yaml.safe_load(schedule(seed)))
    sim = scenario.begin()
    mended_at = next(at for at, what in scenario.events if what == MENDED)
    rest = 0.0
    for _ in _ticks(sim, scenario):
        rest = rest + TICK if sim.elapsed > mended_at and not any(why_no_rest(sim)) else 0.0
        if rest >= REST_SECONDS or sim.violations:
            break
    return Trial(seed, round(sim.elapsed / TICK), (*sim.violations, *why_no_rest(sim)) if rest < REST_SECONDS else ())


def _ticks(sim: Simulation, scenario: Scenario) -> Iterator[None]:
    coming = list(scenario.events)
    while sim.elapsed < scenario.ends:
        while coming and coming[0][0] <= sim.elapsed:
            happen(sim, coming.pop(0)[1])
        sim.step()
        yield


def why_no_rest(sim: Simulation) -> Iterator[str]:
    """What is still under way or does not serve."""
    if sim.operator is None:
        yield "no operator leads"
    else:
        yield from invariants.at_rest(sim.operator, sim.records)
    yield from invariants.serves_fully(sim.world, sim.api)


# ── the smallest scenario that fails in the same way ──


def shrink(document: Document) -> Document:
    """Leave out what the failure does not need: events, settings, VMs; and what comes after an unsafe moment."""
    budget = iter(range(RUNS_TO_SHRINK))
    wanted = failure_of(document)

    def still_fails(smaller: Document) -> bool:
        try:
            return next(budget, None) is not None and failure_of(smaller) == wanted
        except NotUnderstood:
            return False  # it lacks what an event needs, as its replicated disks

    if not wanted:
        return document
    document = _end_early(document, still_fails)
    document = _fewer_events(document, still_fails)
    for simpler in (_without_key("pair"), _plain_pair("lag"), _plain_pair("placement"), _plain_pair("servers")):
        smaller = simpler(document)
        document = smaller if smaller != document and still_fails(smaller) else document
    for vm in list(document["vms"]):
        smaller = _without_vm(document, vm["name"])
        document = smaller if len(document["vms"]) > 1 and still_fails(smaller) else document
    return _fewer_events(document, still_fails)


def failure_of(document: Document) -> str:
    """What goes wrong first, whichever VM, server or number it befalls; empty if nothing does."""
    failures = run(parse("shrunk", document)).failures
    return re.sub(r"node-[ab]|default/\w+|[\w-]*\d[\w.-]*", "…", failures[0]) if failures else ""


def _end_early(document: Document, still_fails: Callable[[Document], bool]) -> Document:
    """What breaks an invariant needs neither expectations nor mending."""
    violation = next((e for e in run(parse("shrunk", document)).timeline if e.who == "INVARIANT"), None)
    if violation is None:
        return document
    events = [entry for entry in document["when"] if _at(entry) <= violation.at]
    smaller = {**document, "when": events, "then": [], "ends": f"{violation.at + 1:g} s"}
    return smaller if still_fails(smaller) else document


def _fewer_events(document: Document, still_fails: Callable[[Document], bool]) -> Document:
    """Delta debugging: leave out ever smaller parts as long as it still fails."""
    events = list(document["when"])
    size = max(1, len(events) // 2)
    while True:
        left_out = False
        for start in range(len(events) - size, -size, -size):
            begin = max(0, start)
            fewer = events[:begin] + events[begin + size :]
            mends = any(MENDED in entry.values() for entry in fewer) or not document["then"]
            if mends and len(fewer) < len(events) and still_fails({**document, "when": fewer}):
                events, left_out = fewer, True
        if size == 1 and not left_out:
            return {**document, "when": events}
        size = max(1, size // 2)


def _at(entry: dict[str, str]) -> float:
    return float(next(iter(entry)).split()[0])


def _without_key(key: str) -> Callable[[Document], Document]:
    return lambda document: {name: value for name, value in document.items() if name != key}


def _plain_pair(key: str) -> Callable[[Document], Document]:
    def plain(document: Document) -> Document:
        pair = {name: value for name, value in document.get("pair", {}).items() if name != key}
        return {**document, "pair": pair} if "pair" in document else document

    return plain


def _without_vm(document: Document, name: str) -> Document:
    events = [entry for entry in document["when"] if f" {name}" not in f" {next(iter(entry.values()))}"]
    return {**document, "vms": [vm for vm in document["vms"] if vm["name"] != name], "when": events}
