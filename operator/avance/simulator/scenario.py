"""Scenario files: a sentence that says what is shown, a pair, its VMs, what happens when, and what is expected.

docs/scenarios.md describes the format for people who write them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from avance.core.guest import HealthCheck
from avance.core.model import RestartPriority
from avance.core.policy import PairPolicy
from avance.core.resources import Resources
from avance.simulator import (
    disk_events,  # noqa: F401 - adds its sentences to EVENTS
    fencing_events,  # noqa: F401 - its sentences are events too
    guest_events,  # noqa: F401 - its sentences are events too
    operator_events,  # noqa: F401 - its sentences are events too
    post_events,  # noqa: F401 - its sentences are events and expectations too
)
from avance.simulator.disks import RESYNC_SECONDS
from avance.simulator.events import EVENTS, happen
from avance.simulator.expectations import EXPECTATIONS, holds
from avance.simulator.objects import VmObject
from avance.simulator.sentences import NotUnderstood, memory, seconds
from avance.simulator.settings import policy_of
from avance.simulator.simulation import TICK, Entry, Guest, Simulation
from avance.simulator.table import Place, TableError, place
from avance.simulator.world import Server

TIME = re.compile(r"[\d.]+ ?(?:s|min|h)\b")
NAME = re.compile(r"[\w-]+")
AFTER_THE_LAST = 30.0
"""Seconds that a scenario goes on after the last time that it names, unless it says when it ends."""
KEYS = {"shows", "table", "pair", "vms", "when", "then", "ends"}
UUIDS = ("1c5f2a52-3a4e-4d8a-9b41-0d1f5f6e7a01", "2d6f3b63-4b5f-4e9b-8c52-1e2f6f7f8b02")
VM_KEYS = (
    "name", "priority", "cores", "memory", "prefers", "runs on", "running", "depends on", "health check", "watchdog",
    "panic device",
)  # fmt: skip
SERVER_KEYS = ("name", "cores", "memory", "boots in")
WATCHDOGS = ("None", "Reset", "PowerOff")


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
    resync: float = RESYNC_SECONDS
    """Seconds that a copy of a VM's disks takes to be brought up to date."""
    place: Place = field(default_factory=Place)
    """Which line of the fault table and which safety rules it shows."""

    def begin(self) -> Simulation:
        servers = [
            (Server(name, uuid, boot_seconds), allocatable)
            for (name, allocatable, boot_seconds), uuid in zip(self.servers, UUIDS, strict=True)
        ]
        return Simulation(servers, self.guests, self.policy, self.lag, resync_seconds=self.resync)


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
    except (yaml.YAMLError, NotUnderstood, TableError, ScenarioError) as error:
        raise ScenarioError(f"{path}: {error}") from error


def run(scenario: Scenario) -> Result:
    """Play it to its end and compare."""
    return play(scenario)[0]


def play(scenario: Scenario) -> tuple[Result, Simulation]:
    """The same, and the simulation as it was at the end."""
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
    return Result(scenario, tuple(sim.timeline), (*sim.violations, *failures)), sim


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
    if not isinstance(pair, dict):
        raise ScenarioError("`pair` is written {lag: 1 s, health: {margin: 10}}")
    servers = tuple(_servers(pair.get("servers")))
    guests = tuple(_guests(document.get("vms"), [server[0] for server in servers]))
    names = Names({server[0] for server in servers}, {guest.vm.name for guest in guests})
    events = tuple(sorted(_events(_timed(document, "when"), names), key=lambda event: event[0]))
    expected = _timed(document, "then")
    times = [at for at, _ in events] + [_seconds(time) for text, _ in expected for time in TIME.findall(str(text))]
    ends = _seconds(document["ends"]) if "ends" in document else max(times, default=0.0) + AFTER_THE_LAST
    if max(times, default=0.0) > ends:
        raise ScenarioError(f"something is to happen or to be true at {max(times):g} s, but it ends at {ends:g} s")
    return Scenario(
        name=name,
        shows=" ".join(document["shows"].split()),
        servers=servers,
        guests=guests,
        events=events,
        expectations=tuple(_expectations(expected, ends, names)),
        ends=ends,
        policy=policy_of(pair),
        lag=_seconds(pair.get("lag", "0.25 s")),
        resync=_seconds(pair.get("resync", f"{RESYNC_SECONDS:g} s")),
        place=place(document.get("table")),
    )


def _servers(entries: Any) -> Iterator[tuple[str, Resources, float]]:
    entries = _entries("servers", entries or [{"name": "node-a"}, {"name": "node-b"}], SERVER_KEYS)
    if len(entries) != len(UUIDS):
        raise ScenarioError("a pair has two servers")
    for entry in entries:
        resources = Resources(_cores(entry, 16) * 1000, memory(str(entry.get("memory", "64Gi"))))
        yield entry["name"], resources, _seconds(entry.get("boots in", "30 s"))


def _guests(entries: Any, servers: list[str]) -> Iterator[Guest]:
    for entry in _entries("vms", entries or [{"name": "web"}, {"name": "db"}, {"name": "mail"}], VM_KEYS, servers):
        watchdog = entry.get("watchdog", "None")
        if watchdog not in WATCHDOGS:
            raise ScenarioError(f"the watchdog of {entry['name']} is one of {', '.join(WATCHDOGS)}")
        on, priority = entry.get("runs on", servers[0]), str(entry.get("priority", "Medium")).upper()
        if entry.get("prefers", "") not in (*servers, ""):
            raise ScenarioError(f"there is no server {entry['prefers']} for {entry['name']} to prefer")
        if on not in (*servers, "nowhere"):
            raise ScenarioError(f"there is no server {on} for {entry['name']} to run on")
        if priority not in RestartPriority.__members__:
            raise ScenarioError(f"the priority of {entry['name']} is High, Medium or Low")
        vm = VmObject(
            "default",
            entry["name"],
            Resources(_cores(entry, 1) * 100, memory(str(entry.get("memory", "4Gi")))),
            should_run=_yes_or_no(entry, "running", True),
            priority=RestartPriority[priority],
            preferred_node=entry.get("prefers", ""),
            depends_on=tuple(_list("depends on", entry.get("depends on")) if entry.get("depends on") else ()),
            health_check=_health_check(entry, watchdog),
            watchdog="" if watchdog == "None" else watchdog,
            panic_device=_yes_or_no(entry, "panic device", False),
        )
        yield Guest(vm, "" if on == "nowhere" else on)


def _entries(what: str, entries: Any, keys: tuple[str, ...], taken: Iterable[str] = ()) -> list[dict[str, Any]]:
    """A list of servers or VMs, each with a name of its own and no key that nobody knows."""
    one = "server" if what == "servers" else "VM"
    if not isinstance(entries, list) or not all(isinstance(each, dict) and each.get("name") for each in entries):
        raise ScenarioError(f"`{what}` is a list of entries such as {{name: {one.lower()}-1, memory: 4Gi}}")
    names = {str(name) for name in taken}
    for entry in entries:
        for key in entry:
            if key not in keys:
                raise ScenarioError(f"a {one} has no {key}; it has: {', '.join(keys)}")
        if not NAME.fullmatch(str(entry["name"])):
            raise ScenarioError(f"'{entry['name']}' is no name for a {one}: use letters, digits and dashes")
        if entry["name"] in names:
            raise ScenarioError(f"two things are called {entry['name']}: give each its own name")
        names.add(entry["name"])
    return entries


def _cores(entry: Mapping[str, Any], default: int) -> int:
    cores = entry.get("cores", default)
    if not isinstance(cores, int) or cores < 1:
        raise ScenarioError(f"cores of {entry['name']} is a whole number, not '{cores}'")
    return cores


def _yes_or_no(entry: Mapping[str, Any], key: str, default: bool) -> bool:
    value = entry.get(key, default)
    if not isinstance(value, bool):
        raise ScenarioError(f"{key} of {entry['name']} is true or false, not '{value}'")
    return value


def _health_check(entry: Mapping[str, Any], watchdog: str) -> HealthCheck | None:
    asked = entry.get("health check")
    if not asked:
        return None
    by, fields = HealthCheck(watchdog_resets=watchdog == "Reset"), {} if asked is True else asked
    if fields.keys() - {"by", "patience", "boots in"} or fields.get("by", "agent") not in ("agent", "probe"):
        raise ScenarioError(f"the health check of {entry['name']} has: by (agent, probe), patience, boots in")
    return replace(
        by,
        by_agent=fields.get("by", "agent") == "agent",
        patience_seconds=_seconds(fields.get("patience", by.patience_seconds)),
        boot_seconds=_seconds(fields.get("boots in", by.boot_seconds)),
    )


@dataclass(frozen=True, slots=True)
class Names:
    servers: set[str]
    vms: set[str]

    def check(self, sentence: str, gaps: Mapping[str, str]) -> None:
        if "node" in gaps and gaps["node"] not in self.servers:
            raise NotUnderstood(f"'{sentence}': there is no server {gaps['node']}")
        if not {gaps[gap] for gap in ("vm", "other") if gap in gaps} <= self.vms:
            raise NotUnderstood(f"'{sentence}': there is no VM of that name; there are: {', '.join(sorted(self.vms))}")
        if gaps.get("target", "") not in {"", *self.servers, *self.vms}:
            raise NotUnderstood(f"'{sentence}': there is neither a server nor a VM {gaps['target']}")


def _timed(document: Mapping[str, Any], key: str) -> list[tuple[Any, Any]]:
    """What stands behind each time under `when` or `then`."""
    entries = document.get(key) or []
    entries = [entries] if isinstance(entries, dict) else entries
    for entry in entries if isinstance(entries, list) else [entries]:
        if not isinstance(entry, dict):
            raise ScenarioError(f"'{entry}' has no time in front of it: write `- 30 s: …`")
    return [pair for entry in entries for pair in entry.items()]


def _events(timed: list[tuple[Any, Any]], names: Names) -> Iterator[tuple[float, str]]:
    for at, sentences in timed:
        for sentence in _list(at, sentences):
            names.check(sentence, EVENTS.understand(sentence)[1])
            yield _seconds(at), sentence


def _expectations(timed: list[tuple[Any, Any]], ends: float, names: Names) -> Iterator[Expectation]:
    for text, sentences in timed:
        since, until, throughout = _window(str(text), ends)
        if since > until:
            raise ScenarioError(f"'{text}' ends before it begins")
        for sentence in _list(text, sentences):
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


def _list(at: Any, value: Any) -> list[str]:
    sentences = value if isinstance(value, list) else [value]
    for sentence in sentences:
        if isinstance(sentence, dict):
            raise ScenarioError(f"a sentence at {at} has a colon in it: put it in quotation marks")
        if not sentence or isinstance(sentence, list):
            raise ScenarioError(f"at {at} there stands no sentence")
    return [str(sentence) for sentence in sentences]


def _seconds(value: Any) -> float:
    return seconds(str(value))
