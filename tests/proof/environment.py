"""What happens to the abstract machine by itself: things break and heal, time passes, the cluster acts."""

from __future__ import annotations

from collections.abc import Iterator

from avance.core.effects import (
    ApplyVm,
    ClearOutOfService,
    CloseNode,
    DeletePod,
    MarkOutOfService,
    OpenNode,
    PowerOff,
    PowerOn,
    StartVm,
)
from avance.core.model import (
    VmPhase,
)
from tests.proof.states import (
    LONG_AGO,
    NAMES,
    Move,
    Pod,
    Request,
    State,
    Vm,
    aged,
    aged_record,
    booted,
    brought_up_to_date,
    marks,
    older,
    renewed,
    reported,
    successor,
    with_node,
    with_server,
    with_vm,
    without_guests,
)


def breaks(s: State) -> Iterator[Move]:
    """Everything that can go wrong."""
    if not s.troubles:
        return
    s = s._replace(troubles=s.troubles - 1)
    for i in range(len(NAMES)):
        yield from _breaks_of(s, i)
    if s.link:
        yield "the servers stop hearing each other", reported(s._replace(link=False))
    if s.api.vm.pods:
        yield "somebody force-deletes the pod", with_vm(s, pods=())
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
        yield f"{NAMES[i]} crashes", without_guests(with_server(s, i, state="hung"), i)
        yield f"{NAMES[i]} loses its power", without_guests(with_server(s, i, state="off"), i)
    if server.api:
        yield f"{NAMES[i]} loses the API", with_server(s, i, api=False)
    for mode in ("refuses", "lies"):
        if server.bmc == "normal":
            yield f"the BMC of {NAMES[i]} {mode}", with_server(s, i, bmc=mode)


def heals(s: State) -> Iterator[Move]:
    for i, server in enumerate(s.servers):
        if server.state != "up" and server.boot < 3:
            yield f"{NAMES[i]} boots", booted(s, i)
        if not server.api:
            yield f"{NAMES[i]} reaches the API", reported(renewed(with_server(s, i, api=True)))
        if server.bmc != "normal":
            yield f"the BMC of {NAMES[i]} is repaired", with_server(s, i, bmc="normal")
    if not s.link:
        yield "the servers hear each other", reported(s._replace(link=True))
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
    s = brought_up_to_date(next(acts(s))[1])
    memory = s.leader._replace(
        heard=tuple((older(age), ever) for age, ever in s.leader.heard),
        unheard=tuple(None if age is None else older(age) for age in s.leader.unheard),
        ended=None if s.leader.ended is None else older(s.leader.ended),
        # An old answer says nothing unless it was Off.
        readings=tuple(("Off", older(old[1])) if old and old[0] == "Off" else None for old in s.leader.readings),
        leads_for=older(s.leader.leads_for),
        seen=s.leader.seen._replace(nodes=aged(s.leader.seen.nodes)),
    )
    records = tuple(aged_record(action) for action in s.records)
    api = s.api._replace(nodes=aged(s.api.nodes))
    yield "time passes", renewed(s._replace(api=api, leader=memory, records=records))


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
        s = with_node(s, i, label=True)
    lost = [pod for pod in vm.pods if pod.node == i and pod.boot != server.boot and not pod.final]
    if lost:
        pods = tuple(pod._replace(final=True) if pod in lost else pod for pod in vm.pods)
        ended = any(pod.instance == vm.instance for pod in lost) and vm.node == i and not vm.phase.final
        return with_vm(s, pods=pods, phase=VmPhase.FAILED if ended else vm.phase)
    wanted = {pod.instance for pod in vm.pods if pod.node == i and not pod.final}
    current = {vm.instance} if vm.instance and not vm.phase.final else set()
    s = s._replace(guests=tuple(g for g in s.guests if g[0] != i or (g[2] in wanted and g[2] in current)))
    starts = vm.phase is VmPhase.SCHEDULED and vm.node == i and vm.instance in wanted and not node.out_of_service
    if starts:
        s = s._replace(guests=tuple(sorted((*s.guests, (i, server.boot, vm.instance)))))
        return with_vm(s, phase=VmPhase.RUNNING)
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
            if marks(s.api.nodes[i]) != request.node:
                return s  # the Node has changed since it was read
            changes = {
                CloseNode: {"closed": True, "label": False},
                OpenNode: {"closed": False},
                MarkOutOfService: {"out_of_service": True},
                ClearOutOfService: {"out_of_service": False},
            }
            return with_node(s, i, **changes[type(request.effect)])
        case PowerOff(name):
            i = NAMES.index(name)
            return without_guests(with_server(s, i, state="off"), i) if s.servers[i].bmc == "normal" else s
        case PowerOn(name):
            i = NAMES.index(name)
            normal = s.servers[i].bmc == "normal" and s.servers[i].state == "off"
            return booted(s, i) if normal and s.servers[i].boot < 3 else s
        case DeletePod(uid=uid, node=name):
            i = NAMES.index(name)
            return with_vm(s, pods=tuple(p for p in s.api.vm.pods if not (str(p.uid) == uid and p.node == i)))
        case ApplyVm(prefer=prefer):
            return with_vm(s, prefers=NAMES.index(prefer))
        case StartVm(instance_uid=uid):
            vm = s.api.vm
            return with_vm(s, asked=True) if (str(vm.instance) if vm.instance else "") == uid and vm.phase.final else s
    return s
