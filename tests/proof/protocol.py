"""Fencing and takeover as a small abstract machine with the real `plan()` as its transition function.

Two servers, one VM, the leader's memory, the records, requests on their way. Time is abstract: everything happened just
now or long ago, and all deadlines lie between these two. In each state everything that could happen next is tried: a
server dies, hangs or boots, a link breaks or heals, a BMC answers, refuses or takes orders and does nothing, somebody
force-deletes the pod, the leader's watches hang, a request is lost or arrives at any later moment, after a change of
leaders too. The leader decides; it dies after any of its writes and requests, and a successor begins with nothing but
the records.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from avance.core.effects import (
    ApplyVm,
    ClearOutOfService,
    CloseNode,
    DeletePod,
    Effect,
    MarkOutOfService,
    OpenNode,
    PowerOff,
    PowerOn,
    StartVm,
)
from avance.core.fence_path import CLOSE_LOOK_SECONDS
from avance.core.intents import Intent
from avance.core.model import (
    ActionPhase,
    ActionType,
    ActionView,
    InstanceView,
    NodeView,
    PairView,
    PodView,
    Resources,
    StepView,
    VmPhase,
    VmView,
)
from avance.core.plan import plan
from avance.core.policy import DetectionPolicy, PairPolicy, RecoveryPolicy, RestartPolicy
from avance.core.power import PowerReading
from avance.core.progress import Progress

NOW = 1_000_000.0
TICK = 15.0
LONG_AGO = 15.0
NAMES = ("node-a", "node-b")
UUIDS = ("1c5f2a52-3a4e-4d8a-9b41-0d1f5f6e7a01", "2d6f3b63-4b5f-4e9b-8c52-1e2f6f7f8b02")
VM = "default/web"
ROOM = Resources(16_000, 64 * 1024**3)
POLICY = PairPolicy(
    detection=DetectionPolicy(storm_cooldown_seconds=10.0),
    recovery=RecoveryPolicy(stabilisation_seconds=10.0, healthy_delay_seconds=10.0),
    restart=RestartPolicy(ready_gate_seconds=10.0, start_timeout_seconds=10.0),
)
"""Every deadline lies between two abstract moments."""
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
Decision = tuple[tuple[Intent, ...], tuple[tuple[ActionView, Progress], ...], tuple[int, ...]]
"""Intents, progress, and the servers whose BMC is read at once."""


# ── the environment ──


def breaks(s: State) -> Iterator[Move]:
    """Everything that can go wrong."""
    if not s.troubles:
        return
    s = s._replace(troubles=s.troubles - 1)
    for i in range(len(NAMES)):
        yield from _breaks_of(s, i)
    if s.link:
        yield "the servers stop hearing each other", _reports(s._replace(link=False))
    if s.api.vm.pods:
        yield "somebody force-deletes the pod", _vm(s, pods=())
    if not s.blind:
        yield "the watches of the leader hang", s._replace(blind=True)
    if s.sent:
        yield "a request is lost", s._replace(sent=s.sent[1:])
        if not s.held_up:
            yield "requests are held up", s._replace(held_up=True)
    yield "the operator dies", successor(s)


def _breaks_of(s: State, i: int) -> Iterator[Move]:
    """What can go wrong with one server."""
    server = s.servers[i]
    if server.state == "up":
        yield f"{NAMES[i]} crashes", _ends(_server(s, i, state="hung"), i)
        yield f"{NAMES[i]} loses its power", _ends(_server(s, i, state="off"), i)
    if server.api:
        yield f"{NAMES[i]} loses the API", _server(s, i, api=False)
    for mode in ("refuses", "lies"):
        if server.bmc == "normal":
            yield f"the BMC of {NAMES[i]} {mode}", _server(s, i, bmc=mode)


def heals(s: State) -> Iterator[Move]:
    for i, server in enumerate(s.servers):
        if server.state != "up" and server.boot < 3:
            yield f"{NAMES[i]} boots", _boots(s, i)
        if not server.api:
            yield f"{NAMES[i]} reaches the API", _reports(_beats(_server(s, i, api=True)))
        if server.bmc != "normal":
            yield f"the BMC of {NAMES[i]} is repaired", _server(s, i, bmc="normal")
    if not s.link:
        yield "the servers hear each other", _reports(s._replace(link=True))
    if s.blind:
        yield "the watches go on", s._replace(blind=False)
    if s.held_up:
        yield "requests arrive in time again", s._replace(held_up=False)


def passes(s: State) -> Iterator[Move]:
    """A quarter of a minute passes: what is connected renews its Lease, all that was seen grows older.

    Within it the cluster acts, requests arrive and the leader sees what is new, unless something keeps them from it.
    """
    if s.sent and not s.held_up:
        return
    s = _sees(next(acts(s))[1])
    memory = s.leader._replace(
        heard=tuple((_older(age), ever) for age, ever in s.leader.heard),
        unheard=tuple(None if age is None else _older(age) for age in s.leader.unheard),
        ended=None if s.leader.ended is None else _older(s.leader.ended),
        # An old answer says nothing unless it was Off.
        readings=tuple(("Off", _older(old[1])) if old and old[0] == "Off" else None for old in s.leader.readings),
        leads_for=_older(s.leader.leads_for),
        seen=s.leader.seen._replace(nodes=_aged(s.leader.seen.nodes)),
    )
    records = tuple(_aged_record(action) for action in s.records)
    api = s.api._replace(nodes=_aged(s.api.nodes))
    yield "time passes", _beats(s._replace(api=api, leader=memory, records=records))


def acts(s: State) -> Iterator[Move]:
    """Kubelets and KubeVirt."""
    after = s
    for i, server in enumerate(s.servers):
        if server.connected:
            after = _kubelet(after, i)
    yield "the cluster acts", _kubevirt(after)


def _kubelet(s: State, i: int) -> State:
    server, vm = s.servers[i], s.api.vm
    node = s.api.nodes[i]
    if not node.label and not node.out_of_service:
        s = _node(s, i, label=True)
    lost = [pod for pod in vm.pods if pod.node == i and pod.boot != server.boot and not pod.final]
    if lost:
        pods = tuple(pod._replace(final=True) if pod in lost else pod for pod in vm.pods)
        ended = any(pod.instance == vm.instance for pod in lost) and vm.node == i and not vm.phase.final
        return _vm(s, pods=pods, phase=VmPhase.FAILED if ended else vm.phase)
    wanted = {pod.instance for pod in vm.pods if pod.node == i and not pod.final}
    current = {vm.instance} if vm.instance and not vm.phase.final else set()
    s = s._replace(guests=tuple(g for g in s.guests if g[0] != i or (g[2] in wanted and g[2] in current)))
    starts = vm.phase is VmPhase.SCHEDULED and vm.node == i and vm.instance in wanted and not node.out_of_service
    if starts:
        s = s._replace(guests=tuple(sorted((*s.guests, (i, server.boot, vm.instance)))))
        return _vm(s, phase=VmPhase.RUNNING)
    return s


def _kubevirt(s: State) -> State:
    vm = s.api.vm
    for i, node in enumerate(s.api.nodes):
        if node.out_of_service and node.age >= LONG_AGO:
            vm = vm._replace(pods=tuple(pod for pod in vm.pods if pod.node != i))
    if vm.instance and not vm.phase.final:
        if not any(pod.instance == vm.instance for pod in vm.pods):
            vm = vm._replace(phase=VmPhase.FAILED)
        elif vm.phase is VmPhase.SCHEDULING:
            vm = _schedule(s, vm)
    elif vm.asked and not any(pod.node >= 0 and not pod.final for pod in vm.pods) and vm.last_uid < 5:
        uid = vm.last_uid + 1
        new = vm._replace(instance=uid, phase=VmPhase.SCHEDULING, node=-1, asked=False, last_uid=uid)
        vm = _schedule(s, new._replace(pods=(Pod(uid, uid, -1, 0),)))
    return s._replace(api=s.api._replace(vm=vm))


def _schedule(s: State, vm: Vm) -> Vm:
    fit = [
        i
        for i, node in enumerate(s.api.nodes)
        if node.age < LONG_AGO and node.label and not node.closed and not node.out_of_service
    ]
    if not fit:
        return vm
    i = vm.prefers if vm.prefers in fit else fit[0]
    pods = tuple(p._replace(node=i, boot=s.servers[i].boot) if p.instance == vm.instance else p for p in vm.pods)
    return vm._replace(phase=VmPhase.SCHEDULED, node=i, pods=pods)


def arrives(s: State) -> Iterator[Move]:
    """The oldest request on its way arrives."""
    if not s.sent:
        return
    request, rest = s.sent[0], s._replace(sent=s.sent[1:])
    word = type(request.effect).__name__
    yield f"{word} arrives", _carry_out(rest, request)


def _carry_out(s: State, request: Request) -> State:
    match request.effect:
        case CloseNode(name) | OpenNode(name) | MarkOutOfService(name) | ClearOutOfService(name):
            i = NAMES.index(name)
            if _marks(s.api.nodes[i]) != request.node:
                return s  # the Node has changed since it was read
            changes = {
                CloseNode: {"closed": True, "label": False},
                OpenNode: {"closed": False},
                MarkOutOfService: {"out_of_service": True},
                ClearOutOfService: {"out_of_service": False},
            }
            return _node(s, i, **changes[type(request.effect)])
        case PowerOff(name):
            i = NAMES.index(name)
            return _ends(_server(s, i, state="off"), i) if s.servers[i].bmc == "normal" else s
        case PowerOn(name):
            i = NAMES.index(name)
            normal = s.servers[i].bmc == "normal" and s.servers[i].state == "off"
            return _boots(s, i) if normal and s.servers[i].boot < 3 else s
        case DeletePod(uid=uid, node=name):
            i = NAMES.index(name)
            return _vm(s, pods=tuple(p for p in s.api.vm.pods if not (str(p.uid) == uid and p.node == i)))
        case ApplyVm(prefer=prefer):
            return _vm(s, prefers=NAMES.index(prefer))
        case StartVm(instance_uid=uid):
            vm = s.api.vm
            return _vm(s, asked=True) if (str(vm.instance) if vm.instance else "") == uid and vm.phase.final else s
    return s


# ── the operators ──


def successor(s: State) -> State:
    """Another operator leads: it has listed the API, and remembers nothing."""
    unheard = tuple(None if node.hears else 0.0 for node in s.api.nodes)
    ended = 0.0 if s.api.vm.instance and s.api.vm.phase.final else None
    fresh = Memory(s.api, ((0.0, False), (0.0, False)), unheard, ended, (None, None), 0.0)
    return _seen_by(s._replace(leader=fresh, blind=False))


def _sees(s: State) -> State:
    """The watches bring the leader up to date, unless they hang."""
    if s.blind:
        return s
    old = s.leader
    heard = tuple((0.0, True) if node.renewed else old.heard[i] for i, node in enumerate(s.api.nodes))
    unheard = tuple(None if node.hears else _or(old.unheard[i], 0.0) for i, node in enumerate(s.api.nodes))
    same = old.seen.vm.instance == s.api.vm.instance
    ended = (_or(old.ended, 0.0) if same else 0.0) if s.api.vm.instance and s.api.vm.phase.final else None
    return _seen_by(s._replace(leader=old._replace(seen=s.api, heard=heard, unheard=unheard, ended=ended)))


def decides(s: State) -> Iterator[Move]:
    """One look: it sees the API, writes intents and steps, sends requests, and asks the BMCs whose answer decides
    something, for the next look. It may die after any write and any request.
    """
    s = _sees(s)
    intents, progress, close = _plan(s.leader, s.records)
    for intent in intents:
        if len(s.records) < RECORDS:
            s = s._replace(records=(*s.records, _record(intent)))
    yield from _carries_on(s, progress, close)


def _carries_on(s: State, progress: tuple[tuple[ActionView, Progress], ...], close: tuple[int, ...]) -> Iterator[Move]:
    begun = s
    for action, step in progress:
        s = _written(s, action, step)
        if s != begun and s.troubles:
            yield "the operator dies after a write", successor(s._replace(troubles=s.troubles - 1))
        for effect in step.effects:
            request = Request(effect, _version(s, effect))
            if len(s.sent) < ON_THEIR_WAY and request not in s.sent:
                s = s._replace(sent=(*s.sent, request))
                if s.troubles:
                    yield "the operator dies after an effect", successor(s._replace(troubles=s.troubles - 1))
    for i in close:
        s = _reads(s, i)
    yield "the leader decides", s


@lru_cache(maxsize=200_000)
def _plan(memory: Memory, records: tuple[ActionView, ...]) -> Decision:
    decided = plan(view_of(memory, records), NOW)
    close = tuple(i for i, name in enumerate(NAMES) if decided.power_checks.get(name, 99.0) <= CLOSE_LOOK_SECONDS)
    return decided.intents, decided.progress, close


def _record(intent: Intent) -> ActionView:
    return ActionView(
        name=intent.name,
        type=intent.type,
        target=intent.target,
        incident=intent.incident,
        reason=intent.reason,
        message="",
        created_at=NOW - LONG_AGO,
        destination=intent.destination,
        instance_uid=intent.instance_uid,
    )


def _written(s: State, action: ActionView, progress: Progress) -> State:
    step = next((step for step in action.steps if step.name == progress.step and action.current == step.name), None)
    others = tuple(other for other in action.steps if other.name != progress.step)
    entered = StepView(progress.step, NOW if progress.step in TIMED else NOW - LONG_AGO)
    evidence = progress.evidence and replace(progress.evidence, message="")
    new = replace(
        action,
        message="",
        phase=progress.outcome or ActionPhase.RUNNING,
        current=progress.step,
        steps=_that_matter((*others, step or entered), progress),
        evidence=evidence or action.evidence,
        finished_at=NOW - LONG_AGO if progress.outcome else None,
    )
    return s._replace(records=tuple(new if known.name == new.name else known for known in s.records))


def _that_matter(steps: tuple[StepView, ...], progress: Progress) -> tuple[StepView, ...]:
    """Nothing asks whether a passing step was ever entered, nor which ones an action that is over has made but two."""
    passing = {"Place", "Release", "Doubt", "AwaitVirtHandler", "PowerOn"} - {progress.step}
    kept = [step for step in steps if step.name not in passing]
    if progress.outcome:
        kept = [replace(step, started_at=NOW - LONG_AGO) for step in kept if step.name in ("Start", "Copy")]
    return tuple(sorted(kept, key=lambda step: step.name))


def _reads(s: State, i: int) -> State:
    server = s.servers[i]
    state = "" if server.bmc == "refuses" else "Off" if server.state == "off" else "On"
    readings = tuple((state, 0.0) if at == i else reading for at, reading in enumerate(s.leader.readings))
    return s._replace(leader=s.leader._replace(readings=readings))


def view_of(memory: Memory, records: tuple[ActionView, ...]) -> PairView:
    """What the leader bases its decision on."""
    vm = memory.seen.vm
    instance = None
    if vm.instance:
        ended = None if memory.ended is None else NOW - memory.ended
        where = NAMES[vm.node] if vm.node >= 0 else ""
        instance = InstanceView(str(vm.instance), vm.phase, where, vm.phase is VmPhase.RUNNING, ended, True)
    pods = tuple(
        PodView("default", f"pod-{p.uid}", str(p.uid), VM, str(p.instance), NAMES[p.node] if p.node >= 0 else "",
                "Failed" if p.final else "Running")
        for p in vm.pods
    )  # fmt: skip
    last = NAMES[vm.node] if vm.node >= 0 else ""
    protected = VmView("default", "web", should_run=True, needs=Resources(100, 1024**3), prefers=NAMES[vm.prefers],
                       instance=instance, last_node=last, admitted=True)  # fmt: skip
    nodes = (_node_view(memory, 0), _node_view(memory, 1))
    return PairView("pair", nodes, (protected,), pods, records, POLICY)


def _node_view(memory: Memory, i: int) -> NodeView:
    node, (age, ever), unheard = memory.seen.nodes[i], memory.heard[i], memory.unheard[i]
    reading = memory.readings[i]
    power = None
    if reading is not None:
        error = "" if reading[0] else "connection refused"
        power = PowerReading(reading[0], UUIDS[i] if reading[0] else "", NOW - reading[1], error, f"bmc-{NAMES[i]}")
    return NodeView(
        name=NAMES[i],
        uid=f"uid-{NAMES[i]}",
        ready="True" if node.age < LONG_AGO else "Unknown",
        heard_at=NOW - age,
        heartbeat=str(node.beat),
        boot_id=f"boot-{node.boot}",
        system_uuid=UUIDS[i],
        hears_peer=node.hears,
        heard=ever,
        heard_since=NOW - LONG_AGO if ever else NOW,
        peer_unreachable_since=None if unheard is None else NOW - unheard,
        cordoned=node.closed,
        closed=node.closed,
        out_of_service=node.out_of_service,
        accepts_vms=node.label,
        allocatable=ROOM,
        power=power,
        fence_agent=True,
    )


# ── what must hold ──


def wrong(s: State) -> Iterator[str]:
    """What is unsafe in a state."""
    if len(s.guests) > 1:
        yield f"the VM runs {len(s.guests)} times"
    fenced = {
        a.target for a in s.records if a.type is ActionType.FENCE and a.open and a.started("PowerOff") is not None
    }
    if len(fenced) > 1:
        yield "both servers are being fenced"
    held = [a.target for a in s.records if a.open and a.incident]
    if len(held) != len(set(held)):
        yield "two things are done to one target"
    for action in s.records:
        if not action.reason:
            yield "an action has no reason"


def wrongly_sent(before: State, after: State) -> Iterator[str]:
    """What is unsafe in a request at the moment in which it is sent."""
    if len(after.sent) <= len(before.sent):
        return
    for request in after.sent[len(before.sent) :]:
        match request.effect:
            case DeletePod(uid=uid, node=name):
                pod = next((p for p in before.api.vm.pods if str(p.uid) == uid), None)
                if pod and (NAMES.index(name), pod.boot, pod.instance) in before.guests:
                    yield f"a pod is given up while its guest runs on {name}"
            case MarkOutOfService(name) if any(g[0] == NAMES.index(name) for g in before.guests):
                yield f"{name} is put out of service while a guest runs on it"
            case PowerOff(name) if after.leader.seen.nodes[1 - NAMES.index(name)].hears:
                yield f"{name} is switched off although the other server hears it"


# ── small things ──


def moves(s: State) -> Iterator[Move]:
    """Everything that can happen next."""
    for kind in (breaks, heals, passes, acts, arrives, decides):
        yield from kind(s)


def _older(age: float) -> float:
    return min(age + TICK, LONG_AGO)


def _or(value: float | None, default: float) -> float:
    return default if value is None else value


def _aged(nodes: tuple[Node, Node]) -> tuple[Node, Node]:
    a, b = (node._replace(age=_older(node.age)) for node in nodes)
    return a, b


def _aged_record(action: ActionView) -> ActionView:
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


def _server(s: State, i: int, **changes: object) -> State:
    servers = tuple(each._replace(**changes) if at == i else each for at, each in enumerate(s.servers))  # type: ignore[arg-type]
    return _reports(s._replace(servers=servers))  # type: ignore[arg-type]


def _node(s: State, i: int, **changes: object) -> State:
    nodes = tuple(each._replace(**changes) if at == i else each for at, each in enumerate(s.api.nodes))  # type: ignore[arg-type]
    return s._replace(api=s.api._replace(nodes=nodes))  # type: ignore[arg-type]


def _vm(s: State, **changes: object) -> State:
    return s._replace(api=s.api._replace(vm=s.api.vm._replace(**changes)))  # type: ignore[arg-type]


def _ends(s: State, i: int) -> State:
    return s._replace(guests=tuple(guest for guest in s.guests if guest[0] != i))


def _boots(s: State, i: int) -> State:
    s = _ends(s, i)
    return _beats(_server(s, i, state="up", boot=s.servers[i].boot + 1))


def _reports(s: State) -> State:
    """The detectors of the servers that reach the API say whether they hear each other."""
    heard = s.link and all(server.state == "up" for server in s.servers)
    for i, server in enumerate(s.servers):
        if server.connected and s.api.nodes[i].hears != heard:
            s = _node(s, i, hears=heard)
    return s


def _beats(s: State) -> State:
    """Connected kubelets renew their Leases. A renewal gets a name of its own if something on record names the last."""
    for i, server in enumerate(s.servers):
        node = s.api.nodes[i]
        if server.connected:
            named = node.boot != server.boot or any(a.target == NAMES[i] for a in s.records)
            beat = node.beat + (named and node.age > 0)
            s = _node(s, i, boot=server.boot, beat=min(beat, 3), age=0.0, renewed=True)
    return _reports(s)


def _seen_by(s: State) -> State:
    for i in range(len(NAMES)):
        s = _node(s, i, renewed=False)
    return s._replace(leader=s.leader._replace(seen=s.api))


def _marks(node: Node) -> Node:
    return node._replace(age=0.0, beat=0, renewed=False)


def _version(s: State, effect: Effect) -> Node | None:
    if isinstance(effect, CloseNode | OpenNode | MarkOutOfService | ClearOutOfService):
        return _marks(s.api.nodes[NAMES.index(effect.node)])
    return None
