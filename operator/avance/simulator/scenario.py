"""Scenario files: a sentence that says what is shown, a pair, its VMs, what happens when, and what is expected.

docs/scenarios.md describes the format for people who write them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml

from avance.core.components import ComponentKind
from avance.core.guest import HealthCheck
from avance.core.model import Resources, RestartPriority
from avance.core.policy import Mode, MtbfPolicy, PairPolicy, PlacementPolicy, RebootPolicy, StoragePolicy
from avance.core.storage import StorageProvider
from avance.simulator import (
    disk_events,  # noqa: F401 - adds its sentences to EVENTS
    fencing_events,  # noqa: F401 - its sentences are events too
    guest_events,  # noqa: F401 - its sentences are events too
    operator_events,  # noqa: F401 - its sentences are events too
)
from avance.simulator.disks import RESYNC_SECONDS
from avance.simulator.events import EVENTS, happen
from avance.simulator.expectations import EXPECTATIONS, holds
from avance.simulator.objects import VmObject
from avance.simulator.sentences import NotUnderstood, memory, seconds
from avance.simulator.simulation import TICK, Entry, Guest, Simulation
from avance.simulator.table import Place, TableError, place
from avance.simulator.world import Server

TIME = re.compile(r"[\d.]+ (?:s|min)\b")
AFTER_THE_LAST = 30.0
"""Seconds that a scenario goes on after the last time that it names, unless it says when it ends."""
KEYS = {"shows", "table", "pair", "vms", "when", "then", "ends"}
SETTINGS = {
    "mode", "placement", "health", "mtbf", "detection", "fencing", "recovery", "restart", "migration", "limits",
    "storage",
}  # fmt: skip
NO_SETTINGS = ("servers", "lag", "resync")
UUIDS = ("1c5f2a52-3a4e-4d8a-9b41-0d1f5f6e7a01", "2d6f3b63-4b5f-4e9b-8c52-1e2f6f7f8b02")
VM_KEYS = (
    "name", "priority", "cores", "memory", "prefers", "runs on", "running", "depends on", "health check", "watchdog",
    "panic device",
)  # fmt: skip
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
        resync=_seconds(pair.get("resync", f"{RESYNC_SECONDS:g} s")),
        place=place(document.get("table")),
    )


def _servers(entries: Any) -> Iterator[tuple[str, Resources, float]]:
    entries = entries or [{"name": "node-a"}, {"name": "node-b"}]
    if len(entries) != len(UUIDS):
        raise ScenarioError("a pair has two servers")
    for entry in entries:
        resources = Resources(int(entry.get("cores", 16)) * 1000, memory(str(entry.get("memory", "64Gi"))))
        yield entry["name"], resources, _seconds(entry.get("boots in", "30 s"))


def _guests(entries: Any, servers: list[str]) -> Iterator[Guest]:
    for entry in entries or [{"name": "web"}, {"name": "db"}, {"name": "mail"}]:
        unknown = entry.keys() - set(VM_KEYS)
        if unknown:
            raise ScenarioError(f"a VM has no {sorted(unknown)[0]}; it has: {', '.join(VM_KEYS)}")
        watchdog = entry.get("watchdog", "None")
        if watchdog not in WATCHDOGS:
            raise ScenarioError(f"the watchdog of {entry['name']} is one of {', '.join(WATCHDOGS)}")
        on, priority = entry.get("runs on", servers[0]), str(entry.get("priority", "Medium")).upper()
        if on not in (*servers, "nowhere"):
            raise ScenarioError(f"there is no server {on} for {entry['name']} to run on")
        if priority not in RestartPriority.__members__:
            raise ScenarioError(f"the priority of {entry['name']} is High, Medium or Low")
        vm = VmObject(
            "default",
            entry["name"],
            Resources(int(entry.get("cores", 1)) * 100, memory(str(entry.get("memory", "4Gi")))),
            should_run=bool(entry.get("running", True)),
            priority=RestartPriority[priority],
            preferred_node=entry.get("prefers", ""),
            depends_on=tuple(_list(entry.get("depends on") or [])),
            health_check=_health_check(entry, watchdog),
            watchdog="" if watchdog == "None" else watchdog,
            panic_device=bool(entry.get("panic device", False)),
        )
        yield Guest(vm, "" if on == "nowhere" else on)


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
        if name in NO_SETTINGS:
            continue
        if name not in SETTINGS:
            raise ScenarioError(f"a pair has no {name}; it has: {', '.join((*NO_SETTINGS, *sorted(SETTINGS)))}")
        policy = replace(policy, **{name: _setting(name, getattr(policy, name), value)})
    return policy


def _setting(name: str, default: Any, value: Any) -> Any:
    if name == "mode":
        return Mode(value)
    if name == "placement":
        return PlacementPolicy(value)
    if name == "storage":
        return _storage(value)
    known = {each.name for each in fields(default)}
    if name == "mtbf":
        return _mtbf(default, value)
    for key in value:
        if key not in known:
            raise ScenarioError(f"{name} has no {key}; it has: {', '.join(sorted(known))}")
    words = {key: type(getattr(default, key)) for key in value if isinstance(getattr(default, key), StrEnum)}
    return replace(default, **{key: words[key](each) if key in words else each for key, each in value.items()})


def _storage(value: Any) -> StoragePolicy:
    """`shared`, `replicated`, or settings of what is replicated."""
    if value == "shared":
        return StoragePolicy()
    replicated = StoragePolicy(StorageProvider.LINSTOR)
    if value == "replicated":
        return replicated
    if not isinstance(value, dict) or value.keys() - {"only_copy_patience_seconds"}:
        raise ScenarioError("storage is shared, replicated, or {only_copy_patience_seconds: 300}, which is replicated")
    return replace(replicated, **value)


def _mtbf(default: MtbfPolicy, value: Mapping[str, Any]) -> MtbfPolicy:
    """Settings for all kinds of components, and under the name of a kind what is different for it."""
    kinds = {kind: settings for kind, settings in value.items() if kind in set(ComponentKind)}
    plain = {key: setting for key, setting in value.items() if key not in kinds}
    known = {each.name for each in fields(default)} - {"kinds"}
    for key in plain:
        if key not in known:
            raise ScenarioError(f"mtbf has no {key}; it has: {', '.join(sorted(known))}, and kinds of components")
    if "policy" in plain:
        plain["policy"] = RebootPolicy(plain["policy"])
    for_all = replace(default, **plain)
    return replace(for_all, kinds={ComponentKind(kind): _mtbf(for_all, kinds[kind]) for kind in kinds})


def _pairs(entry: Any) -> list[tuple[Any, Any]]:
    if not isinstance(entry, dict):
        raise ScenarioError(f"'{entry}' has no time in front of it: write `- 30 s: …`")
    return list(entry.items())


def _times(entry: Any) -> list[str]:
    return [time for text, _ in _pairs(entry) for time in TIME.findall(str(text))]


def _list(value: Any) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else [str(value)]


def _seconds(value: Any) -> float:
    return seconds(str(value))
