"""Scenario files: a sentence that says what is shown, a pair, its VMs, what happens when, and what is expected.

docs/scenarios.md describes the format for people who write them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import yaml

from avance.core.model import Resources, RestartPriority
from avance.core.policy import Mode, PairPolicy, PlacementPolicy
from avance.simulator.events import EVENTS, happen
from avance.simulator.expectations import EXPECTATIONS, holds
from avance.simulator.objects import VmObject
from avance.simulator.sentences import NotUnderstood
from avance.simulator.simulation import TICK, Entry, Guest, Simulation
from avance.simulator.world import Server

GIB = 1024**3
TIME = re.compile(r"[\d.]+ (?:s|min)\b")
AFTER_THE_LAST = 30.0
"""Seconds that a scenario goes on after the last time that it names, unless it says when it ends."""
KEYS = {"shows", "pair", "vms", "when", "then", "ends"}
SETTINGS = {"mode", "placement", "health", "detection", "fencing", "recovery", "restart", "migration", "limits"}
UUIDS = ("1c5f2a52-3a4e-4d8a-9b41-0d1f5f6e7a01", "2d6f3b63-4b5f-4e9b-8c52-1e2f6f7f8b02")


class ScenarioError(ValueError):
    """The file is no scenario; says where and what to write instead."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """A sentence and the seconds in which it has to be true: at some moment of them, or in all."""

    text: str
    sentence: str
    since: float
    until: float
    throughout: bool


@dataclass(frozen=True, slots=True)
class Scenario:
    name: str
    shows: str
    servers: tuple[tuple[str, Resources, float], ...]
    """Name, allocatable, seconds to boot."""
    guests: tuple[Guest, ...]
    events: tuple[tuple[float, str], ...]
    expectations: tuple[Expectation, ...]
    ends: float
    policy: PairPolicy = field(default_factory=PairPolicy)
    lag: float = TICK

    def begin(self) -> Simulation:
        servers = [
            (Server(name, uuid, boot_seconds), allocatable)
            for (name, allocatable, boot_seconds), uuid in zip(self.servers, UUIDS, strict=True)
        ]
        return Simulation(servers, self.guests, self.policy, self.lag)


@dataclass(frozen=True, slots=True)
class Result:
    scenario: Scenario
    timeline: tuple[Entry, ...]
    failures: tuple[str, ...]
    """Expectations that did not come true and invariants that were broken, as sentences."""


def load(path: Path) -> Scenario:
    """Read one scenario file. Raises ScenarioError."""
    try:
        return parse(path.stem, yaml.safe_load(path.read_text()))
    except (yaml.YAMLError, NotUnderstood, ScenarioError) as error:
        raise ScenarioError(f"{path}: {error}") from error


def run(scenario: Scenario) -> Result:
    """Play it to its end and compare."""
    sim = scenario.begin()
    coming = list(scenario.events)
    pending = list(scenario.expectations)
    failures: list[str] = []
    while True:
        pending = [expected for expected in pending if _still_pending(sim, expected, failures)]
        while coming and coming[0][0] <= sim.elapsed:
            happen(sim, coming.pop(0)[1])
        if sim.elapsed >= scenario.ends:
            break
        sim.step()
    failures += [f"not {expected.text}: {expected.sentence}" for expected in pending if not expected.throughout]
    return Result(scenario, tuple(sim.timeline), (*sim.violations, *failures))


def _still_pending(sim: Simulation, expected: Expectation, failures: list[str]) -> bool:
    if sim.elapsed < expected.since:
        return True
    true_now = holds(sim, expected.sentence)
    if expected.throughout and not true_now:
        failures.append(f"{expected.text}: {expected.sentence} (not so at {sim.elapsed:g} s)")
        return False
    if true_now and not expected.throughout:
        return False
    if sim.elapsed >= expected.until:
        if not expected.throughout:
            failures.append(f"{expected.text}: {expected.sentence} (not so by then)")
        return False
    return True


# ── reading ──


def parse(name: str, document: Any) -> Scenario:
    """A scenario from the contents of its file. Raises ScenarioError or NotUnderstood."""
    if not isinstance(document, dict) or not isinstance(document.get("shows"), str):
        raise ScenarioError("a scenario opens with `shows:` and a sentence that says what it shows")
    if document.keys() - KEYS:
        raise ScenarioError(f"unknown key {sorted(document.keys() - KEYS)[0]}; there are: {', '.join(sorted(KEYS))}")
    pair = document.get("pair") or {}
    servers = tuple(_servers(pair.get("servers")))
    guests = tuple(_guests(document.get("vms"), [server[0] for server in servers]))
    names = Names({server[0] for server in servers}, {guest.vm.name for guest in guests})
    events = tuple(sorted(_events(document.get("when") or [], names), key=lambda event: event[0]))
    times = [at for at, _ in events] + [_seconds(t) for entry in document.get("then") or [] for t in _times(entry)]
    ends = _seconds(document["ends"]) if "ends" in document else max(times, default=0.0) + AFTER_THE_LAST
    return Scenario(
        name=name,
        shows=" ".join(document["shows"].split()),
        servers=servers,
        guests=guests,
        events=events,
        expectations=tuple(_expectations(document.get("then") or [], ends, names)),
        ends=ends,
        policy=_policy(pair),
        lag=_seconds(pair.get("lag", "0.25 s")),
    )


def _servers(entries: Any) -> Iterator[tuple[str, Resources, float]]:
    entries = entries or [{"name": "node-a"}, {"name": "node-b"}]
    if len(entries) != len(UUIDS):
        raise ScenarioError("a pair has two servers")
    for entry in entries:
        resources = Resources(int(entry.get("cores", 16)) * 1000, _bytes(entry.get("memory", "64Gi")))
        yield entry["name"], resources, _seconds(entry.get("boots in", "30 s"))


def _guests(entries: Any, servers: list[str]) -> Iterator[Guest]:
    for entry in entries or [{"name": "web"}, {"name": "db"}, {"name": "mail"}]:
        unknown = entry.keys() - {"name", "priority", "cores", "memory", "prefers", "runs on", "running"}
        if unknown:
            raise ScenarioError(
                f"a VM has no {sorted(unknown)[0]}; it has: name, priority, cores, memory, prefers, runs on, running"
            )
        on, priority = entry.get("runs on", servers[0]), str(entry.get("priority", "Medium")).upper()
        if on not in (*servers, "nowhere"):
            raise ScenarioError(f"there is no server {on} for {entry['name']} to run on")
        if priority not in RestartPriority.__members__:
            raise ScenarioError(f"the priority of {entry['name']} is High, Medium or Low")
        vm = VmObject(
            "default",
            entry["name"],
            Resources(int(entry.get("cores", 1)) * 100, _bytes(entry.get("memory", "4Gi"))),
            should_run=bool(entry.get("running", True)),
            priority=RestartPriority[priority],
            preferred_node=entry.get("prefers", ""),
        )
        yield Guest(vm, "" if on == "nowhere" else on)


@dataclass(frozen=True, slots=True)
class Names:
    servers: set[str]
    vms: set[str]

    def check(self, sentence: str, gaps: Mapping[str, str]) -> None:
        if "node" in gaps and gaps["node"] not in self.servers:
            raise NotUnderstood(f"'{sentence}': there is no server {gaps['node']}")
        if not {gaps[gap] for gap in ("vm", "other") if gap in gaps} <= self.vms:
            raise NotUnderstood(f"'{sentence}': there is no VM of that name")


def _events(entries: list[Any], names: Names) -> Iterator[tuple[float, str]]:
    for entry in entries:
        for at, sentences in _pairs(entry):
            for sentence in _list(sentences):
                names.check(sentence, EVENTS.understand(sentence)[1])
                yield _seconds(at), sentence


def _expectations(entries: list[Any], ends: float, names: Names) -> Iterator[Expectation]:
    for entry in entries:
        for text, sentences in _pairs(entry):
            since, until, throughout = _window(str(text), ends)
            for sentence in _list(sentences):
                names.check(sentence, EXPECTATIONS.understand(sentence)[1])
                yield Expectation(str(text), sentence, since, until, throughout)


def _window(text: str, ends: float) -> tuple[float, float, bool]:
    times = [_seconds(time) for time in TIME.findall(text)]
    match text.split(" ", 1)[0], times:
        case "by", [until]:
            return 0.0, until, False
        case "at", [moment]:
            return moment, moment, True
        case "from", [since, until]:
            return since, until, True
        case "from", [since]:
            return since, ends, True
        case "until", [until]:
            return 0.0, until, True
        case "always", []:
            return 0.0, ends, True
    if text == "at the end":
        return ends, ends, True
    raise ScenarioError(f"'{text}' is no time: by 30 s, at 30 s, from 30 s [to 60 s], until 60 s, always, at the end")


def _policy(pair: Mapping[str, Any]) -> PairPolicy:
    policy = PairPolicy()
    for name, value in pair.items():
        if name in ("servers", "lag"):
            continue
        if name not in SETTINGS:
            raise ScenarioError(f"a pair has no {name}; it has: servers, lag, {', '.join(sorted(SETTINGS))}")
        policy = replace(policy, **{name: _setting(name, getattr(policy, name), value)})
    return policy


def _setting(name: str, default: Any, value: Any) -> Any:
    if name == "mode":
        return Mode(value)
    if name == "placement":
        return PlacementPolicy(value)
    known = {each.name for each in fields(default)}
    for key in value:
        if key not in known:
            raise ScenarioError(f"{name} has no {key}; it has: {', '.join(sorted(known))}")
    return replace(default, **value)


def _pairs(entry: Any) -> list[tuple[Any, Any]]:
    if not isinstance(entry, dict):
        raise ScenarioError(f"'{entry}' has no time in front of it: write `- 30 s: …`")
    return list(entry.items())


def _times(entry: Any) -> list[str]:
    return [time for text, _ in _pairs(entry) for time in TIME.findall(str(text))]


def _list(value: Any) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else [str(value)]


def _seconds(value: Any) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(?: (s|min))?", str(value).strip())
    if not match:
        raise ScenarioError(f"'{value}' is no time: write 30 s or 5 min")
    return float(match.group(1)) * (60 if match.group(2) == "min" else 1)


def _bytes(text: str) -> int:
    if not re.fullmatch(r"\d+Gi", str(text)):
        raise ScenarioError(f"'{text}' is no amount of memory: write 4Gi")
    return int(str(text)[:-2]) * GIB
