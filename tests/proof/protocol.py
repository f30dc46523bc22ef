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

from avance.core.effects import (
    ClearOutOfService,
    CloseNode,
    DeletePod,
    Effect,
    MarkOutOfService,
    OpenNode,
    PowerOff,
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
    StepView,
    VmPhase,
    VmView,
)
from avance.core.plan import plan
from avance.core.policy import DetectionPolicy, PairPolicy, RecoveryPolicy, RestartPolicy
from avance.core.power import PowerReading
from avance.core.progress import Progress
from avance.core.resources import Resources
from avance.simulator.invariants import cuts_power
from tests.proof.environment import (
    acts,
    arrives,
    breaks,
    heals,
    passes,
)
from tests.proof.states import (
    LONG_AGO,
    NAMES,
    NOW,
    ON_THEIR_WAY,
    RECORDS,
    TIMED,
    UUIDS,
    VM,
    Memory,
    Move,
    Node,
    Request,
    State,
    brought_up_to_date,
    marks,
    successor,
)

ROOM = Resources(16_000, 64 * 1024**3)
POLICY = PairPolicy(
    detection=DetectionPolicy(storm_cooldown_seconds=10.0),
    recovery=RecoveryPolicy(stabilisation_seconds=10.0, healthy_delay_seconds=10.0),
    restart=RestartPolicy(ready_gate_seconds=10.0, start_timeout_seconds=10.0),
)
"""Every deadline lies between two abstract moments."""
Decision = tuple[tuple[Intent, ...], tuple[tuple[ActionView, Progress], ...], tuple[int, ...]]
"""Intents, progress, and the servers whose BMC is read at once."""


def decides(s: State) -> Iterator[Move]:
    """One look: it sees the API, writes intents and steps, sends requests, and asks the BMCs whose answer decides
    something, for the next look. It may die after any write and any request.
    """
    s = brought_up_to_date(s)
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


def wrong(s: State) -> Iterator[str]:
    """What is unsafe in a state."""
    if len(s.guests) > 1:
        yield f"the VM runs {len(s.guests)} times"
    fenced = {a.target for a in s.records if a.type is ActionType.FENCE and cuts_power(a)}
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


def moves(s: State) -> Iterator[Move]:
    """Everything that can happen next."""
    for kind in (breaks, heals, passes, acts, arrives, decides):
        yield from kind(s)


def _version(s: State, effect: Effect) -> Node | None:
    if isinstance(effect, CloseNode | OpenNode | MarkOutOfService | ClearOutOfService):
        return marks(s.api.nodes[NAMES.index(effect.node)])
    return None
