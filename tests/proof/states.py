"""The states of the abstract machine: servers, the API, the leader's memory, the records, requests on their way."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from avance.core.effects import (
    Effect,
)
from avance.core.model import (
    ActionView,
    VmPhase,
)

NOW = 1_000_000.0
TICK = 15.0
LONG_AGO = 15.0
NAMES = ("node-a", "node-b")
UUIDS = ("1c5f2a52-3a4e-4d8a-9b41-0d1f5f6e7a01", "2d6f3b63-4b5f-4e9b-8c52-1e2f6f7f8b02")
VM = "default/web"
ON_THEIR_WAY = 2
"""Requests that may be under way at once; further ones are made when these have arrived."""
TIMED = {"ConfirmOff", "Start", "Boot", "WaitTurn", "Stabilise", "AwaitBoot"}
"""Steps whose beginning a later decision counts from; that of the others is no difference between two states."""
RECORDS = 5
"""Longer stories are not followed."""


class Server(NamedTuple):
    """One machine as it physically is."""

    state: str = "up"
    boot: int = 1
    api: bool = True
    bmc: str = "normal"

    @property
    def connected(self) -> bool:
        return self.state == "up" and self.api


class Node(NamedTuple):
    """Its Node and Lease in the API."""

    boot: int = 1
    beat: int = 1
    age: float = 0.0
    """Seconds since its Lease was renewed."""
    renewed: bool = False
    """The leader has not seen its newest renewal yet."""
    closed: bool = False
    out_of_service: bool = False
    label: bool = True
    hears: bool = True


class Pod(NamedTuple):
    uid: int
    instance: int
    node: int
    boot: int
    final: bool = False


class Vm(NamedTuple):
    """The VM's objects in the API: at most one instance, and its pod."""

    instance: int = 1
    """0 if there is none."""
    phase: VmPhase = VmPhase.RUNNING
    node: int = 0
    """Index of the node; -1 while it is not scheduled."""
    pods: tuple[Pod, ...] = (Pod(1, 1, 0, 1),)
    asked: bool = False
    prefers: int = 0
    last_uid: int = 1


class Api(NamedTuple):
    nodes: tuple[Node, Node] = (Node(), Node())
    vm: Vm = Vm()


class Memory(NamedTuple):
    """What one operator process knows."""

    seen: Api
    heard: tuple[tuple[float, bool], ...] = ((0.0, True), (0.0, True))
    """Of each node: seconds since the last sign of life, and whether there was one at all."""
    unheard: tuple[float | None, ...] = (None, None)
    """Of each node: since when it has reported that it hears its peer on no path."""
    ended: float | None = None
    """Since when the instance has been seen to have ended."""
    readings: tuple[tuple[str, float] | None, ...] = (None, None)
    leads_for: float = LONG_AGO


class Request(NamedTuple):
    effect: Effect
    node: Node | None = None
    """The version of the Node that a write of it names."""


class State(NamedTuple):
    servers: tuple[Server, Server] = (Server(), Server())
    link: bool = True
    guests: tuple[tuple[int, int, int], ...] = ((0, 1, 1),)
    """What physically runs: server, its boot, instance."""
    api: Api = Api()
    records: tuple[ActionView, ...] = ()
    leader: Memory = Memory(Api())
    sent: tuple[Request, ...] = ()
    blind: bool = False
    """The leader's watches hang."""
    held_up: bool = False
    """Requests may take for ever."""
    troubles: int = 3
    """How many more things may break; what is broken may heal at any time."""


Move = tuple[str, State]


def successor(s: State) -> State:
    """Another operator leads: it has listed the API, and remembers nothing."""
    unheard = tuple(None if node.hears else 0.0 for node in s.api.nodes)
    ended = 0.0 if s.api.vm.instance and s.api.vm.phase.final else None
    fresh = Memory(s.api, ((0.0, False), (0.0, False)), unheard, ended, (None, None), 0.0)
    return _seen_by(s._replace(leader=fresh, blind=False))


def brought_up_to_date(s: State) -> State:
    """The watches bring the leader up to date, unless they hang."""
    if s.blind:
        return s
    old = s.leader
    heard = tuple((0.0, True) if node.renewed else old.heard[i] for i, node in enumerate(s.api.nodes))
    unheard = tuple(None if node.hears else _or(old.unheard[i], 0.0) for i, node in enumerate(s.api.nodes))
    same = old.seen.vm.instance == s.api.vm.instance
    ended = (_or(old.ended, 0.0) if same else 0.0) if s.api.vm.instance and s.api.vm.phase.final else None
    return _seen_by(s._replace(leader=old._replace(seen=s.api, heard=heard, unheard=unheard, ended=ended)))


def older(age: float) -> float:
    return min(age + TICK, LONG_AGO)


def _or(value: float | None, default: float) -> float:
    return default if value is None else value


def aged(nodes: tuple[Node, Node]) -> tuple[Node, Node]:
    a, b = (node._replace(age=older(node.age)) for node in nodes)
    return a, b


def aged_record(action: ActionView) -> ActionView:
    evidence = action.evidence
    return replace(
        action,
        created_at=_earlier(action.created_at),
        finished_at=None if action.finished_at is None else _earlier(action.finished_at),
        steps=tuple(replace(step, started_at=_earlier(step.started_at)) for step in action.steps),
        evidence=evidence and replace(evidence, observed_at=_earlier(evidence.observed_at)),
    )


def _earlier(moment: float) -> float:
    return max(moment - TICK, NOW - LONG_AGO)


def with_server(s: State, i: int, **changes: object) -> State:
    servers = tuple(each._replace(**changes) if at == i else each for at, each in enumerate(s.servers))  # type: ignore[arg-type]
    return reported(s._replace(servers=servers))  # type: ignore[arg-type]


def with_node(s: State, i: int, **changes: object) -> State:
    nodes = tuple(each._replace(**changes) if at == i else each for at, each in enumerate(s.api.nodes))  # type: ignore[arg-type]
    return s._replace(api=s.api._replace(nodes=nodes))  # type: ignore[arg-type]


def with_vm(s: State, **changes: object) -> State:
    return s._replace(api=s.api._replace(vm=s.api.vm._replace(**changes)))  # type: ignore[arg-type]


def without_guests(s: State, i: int) -> State:
    return s._replace(guests=tuple(guest for guest in s.guests if guest[0] != i))


def booted(s: State, i: int) -> State:
    s = without_guests(s, i)
    return renewed(with_server(s, i, state="up", boot=s.servers[i].boot + 1))


def reported(s: State) -> State:
    """The detectors of the servers that reach the API say whether they hear each other."""
    heard = s.link and all(server.state == "up" for server in s.servers)
    for i, server in enumerate(s.servers):
        if server.connected and s.api.nodes[i].hears != heard:
            s = with_node(s, i, hears=heard)
    return s


def renewed(s: State) -> State:
    """Connected kubelets renew their Leases. A renewal gets a name of its own if something on record names the last."""
    for i, server in enumerate(s.servers):
        node = s.api.nodes[i]
        if server.connected:
            named = node.boot != server.boot or any(a.target == NAMES[i] for a in s.records)
            beat = node.beat + (named and node.age > 0)
            s = with_node(s, i, boot=server.boot, beat=min(beat, 3), age=0.0, renewed=True)
    return reported(s)


def _seen_by(s: State) -> State:
    for i in range(len(NAMES)):
        s = with_node(s, i, renewed=False)
    return s._replace(leader=s.leader._replace(seen=s.api))


def marks(node: Node) -> Node:
    return node._replace(age=0.0, beat=0, renewed=False)
