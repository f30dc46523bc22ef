"""What to tell people about a pair: states, conditions and their reasons, from the same view that the rules decide on.

Every condition answers a question of its own. `Redundant`: could either server be lost? `FailoverReady`: would a crash
now be survived without a person? `Protected`: would this VM survive the loss of its server? A No says why, first reason
first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from avance.core.components import Severity
from avance.core.fitness import private_link_up, total, why_not_serve
from avance.core.health import HealthScore, score
from avance.core.liveness import Life, judge, silent, standing_evidence
from avance.core.model import ActionType, ActionView, NodeView, PairView, Resources, VmPhase, VmView
from avance.core.pairing import why_no_pair
from avance.core.placement import backup_of, pair_primary
from avance.core.power import same_system


@dataclass(frozen=True, slots=True)
class Condition:
    type: str
    holds: bool | None
    """None when it cannot be told."""
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class NodeReport:
    name: str
    state: str
    score: HealthScore
    fence_path: Condition


@dataclass(frozen=True, slots=True)
class Failover:
    """How a VM last changed its node or was restarted."""

    at: float
    kind: str
    origin: str
    to: str
    seconds: float


@dataclass(frozen=True, slots=True)
class VmReport:
    key: str
    phase: str
    primary: str
    backup: str
    conditions: tuple[Condition, ...]
    down_since: float | None
    """Since when it is down though it shall run; None while it runs."""
    last_failover: Failover | None


@dataclass(frozen=True, slots=True)
class PairReport:
    conditions: tuple[Condition, ...]
    primary: str
    nodes: tuple[NodeReport, ...]
    vms: tuple[VmReport, ...]
    incident: ActionView | None
    """The action that an incident under way is at."""


def report(view: PairView, now: float) -> PairReport:
    """Everything that status, Events and metrics say about the pair."""
    return PairReport(
        conditions=tuple(_pair_conditions(view, now)),
        primary=pair_primary(view),
        nodes=tuple(_node(view, node, now) for node in view.nodes),
        vms=tuple(_vm(view, vm, now) for vm in view.vms),
        incident=_incident(view),
    )


# --- the pair ---------------------------------------------------------------------------------------------------------


def _pair_conditions(view: PairView, now: float) -> Iterator[Condition]:
    reason, message = why_no_pair(view)
    if reason:
        for type_ in ("Ready", "Redundant", "FailoverReady"):
            yield Condition(type_, False, reason, message)
        yield Condition("PrivateLinkHealthy", None, reason, message)
        return
    names = " and ".join(node.name for node in view.nodes)
    yield Condition("Ready", True, "Serving", f"{names} serve {len(view.vms)} VMs")
    yield _answer("Redundant", "NotRedundant", _why_not_redundant(view, now), "either server can be lost")
    yield _failover_ready(view, now)
    link = "" if private_link_up(view) else _link_fault(view)
    yield _answer("PrivateLinkHealthy", "LinkDown", link, "the private link is up")


def _answer(type_: str, reason: str, hindrance: str, fine: str) -> Condition:
    return Condition(type_, not hindrance, reason if hindrance else "AsExpected", hindrance or fine)


def _why_not_redundant(view: PairView, now: float) -> str:
    for node in view.nodes:
        hindrance = why_not_serve(view, node, now) or _serious_fault(node) or _why_not_hold_all(view, node)
        if hindrance:
            return hindrance
    under_way = _incident(view)
    return f"{under_way.type} of {under_way.target} is under way" if under_way else ""


def _serious_fault(node: NodeView) -> str:
    """A server that has lost a service is no full replacement for the other one; a benign fault leaves it one."""
    return next((fault.sentence for fault in node.faults if fault.severity is not Severity.BENIGN), "")


def _why_not_hold_all(view: PairView, node: NodeView) -> str:
    """N+1: either node alone has to hold every VM that shall run."""
    limits = view.policy.limits
    room = node.allocatable - Resources(limits.reserved_cpu_milli, limits.reserved_memory_bytes)
    needs = total(vm.needs for vm in view.vms if vm.should_run)
    if len(view.vms) > limits.max_vms:
        return f"{len(view.vms)} VMs are more than limits.maxVMs, which is {limits.max_vms}"
    if needs.fits_in(room):
        return ""
    return (
        f"{node.name} alone cannot hold all VMs: they need {_gib(needs)} GiB and {needs.cpu_milli}m CPU, "
        f"it has {_gib(room)} GiB and {room.cpu_milli}m after the reserve"
    )


def _gib(resources: Resources) -> str:
    return f"{resources.memory_bytes / 1024**3:.1f}"


def _failover_ready(view: PairView, now: float) -> Condition:
    for node in view.nodes:
        path = fence_path(node)
        unfit = why_not_serve(view, node, now) or _why_not_hold_all(view, node)
        hindrance = path.message if path.holds is False else unfit
        if hindrance:
            return Condition("FailoverReady", False, "Blocked", hindrance)
    untried = next((path for path in map(fence_path, view.nodes) if path.holds is None), None)
    if untried:
        # After an operator's start nothing is known of a BMC for a moment: no bad news, but no good news either.
        return Condition("FailoverReady", None, untried.reason, untried.message)
    return Condition("FailoverReady", True, "AsExpected", "a crash now would be survived")


def fence_path(node: NodeView) -> Condition:
    """Could this node be fenced now? Tried all the time, because a dead fence path shows itself too late."""
    reading = node.power
    if not node.fence_agent:
        message = f"no fence agent is configured for {node.name}: add it to spec.fencing.nodes"
        return Condition("FencePath", False, "NotConfigured", message)
    if reading is None:
        return Condition("FencePath", None, "NotTriedYet", f"the BMC of {node.name} has not been asked yet")
    if reading.error:
        return Condition("FencePath", False, "Unreadable", f"the BMC of {node.name}: {reading.error}")
    if not same_system(reading.system_uuid, node.system_uuid):
        message = f"the BMC at {reading.source} belongs to another server than {node.name}: correct its address"
        return Condition("FencePath", False, "WrongServer", message)
    return Condition("FencePath", True, "Answers", f"the BMC of {node.name} reads {reading.state}")


def _link_fault(view: PairView) -> str:
    faulty = [fault.node for node in view.nodes for fault in node.faults if fault.kind == "PrivateLink"]
    return f"the private link is down as seen by {' and '.join(sorted(set(faulty)))}: nothing moves until it is back"


def _incident(view: PairView) -> ActionView | None:
    """What is being done about a server; else what is being done about a VM. Starting and stopping are no incidents."""
    ordinary = (ActionType.CALL_HOME, ActionType.START, ActionType.STOP)
    under_way = [action for action in view.actions if action.open and action.type not in ordinary]
    return max(under_way, key=lambda action: (view.node(action.target) is not None, action.created_at), default=None)


# --- nodes ------------------------------------------------------------------------------------------------------------


def _node(view: PairView, node: NodeView, now: float) -> NodeReport:
    state = _node_state(view, node, now)
    return NodeReport(node.name, state, _score(node, state), fence_path(node))


def _score(node: NodeView, state: str) -> HealthScore:
    """A server that is gone has no health, whatever its last conditions said."""
    gone = {"Fencing": "is held to be dead", "Fenced": "is off"}.get(state)
    return HealthScore(0, f"0: {node.name} {gone}") if gone else score(node.faults)


def _node_state(view: PairView, node: NodeView, now: float) -> str:
    action = view.open_action(node.name)
    if action and action.type is ActionType.FENCE and action.evidence is None:
        return "Fencing"
    if standing_evidence(view, node.name):
        return "Fenced"
    if action and action.type is ActionType.REJOIN:
        return "Rejoining"
    if not node.ready:
        return "Unknown"
    if judge(view, node, now).doubted:
        return "Suspect"
    if why_not_serve(view, node, now):
        return "Closed"
    return "Degraded" if node.faults else "InService"


# --- VMs --------------------------------------------------------------------------------------------------------------

_PHASE_OF_ACTION = {
    ActionType.START: "Starting",
    ActionType.RESTART: "Restarting",
    ActionType.COLD_RESTART: "Restarting",
    ActionType.MIGRATE: "Migrating",
}


def _vm(view: PairView, vm: VmView, now: float) -> VmReport:
    primary = vm.node or vm.last_node
    return VmReport(
        key=vm.key,
        phase=_vm_phase(view, vm, now),
        primary=primary,
        backup=backup_of(view, vm) or next((node.name for node in view.nodes if node.name != primary), ""),
        conditions=(
            _answer("Ready", "NotRunning", _why_not_ready(view, vm, now), "the guest runs"),
            _protected(view, vm, now),
            _migratable(vm),
            Condition("Synced", True, "SharedStorage", "its disks are on storage that both servers reach"),
        ),
        down_since=_down_since(view, vm, now),
        last_failover=_last_failover(view, vm),
    )


def _vm_phase(view: PairView, vm: VmView, now: float) -> str:
    action = view.open_action(vm.key)
    if action and action.type in _PHASE_OF_ACTION:
        return _PHASE_OF_ACTION[action.type]
    if vm.instance is None:
        return "Pending" if vm.should_run else "Stopped"
    if vm.instance.phase.final:
        return "Failed" if vm.should_run else "Stopped"
    if vm.instance.phase is VmPhase.RUNNING:
        return "Unknown" if _on_silent_node(view, vm, now) else "Running"
    return "Starting"


def _on_silent_node(view: PairView, vm: VmView, now: float) -> bool:
    node = view.node(vm.node)
    return node is None or silent(view, node, now) or judge(view, node, now).life is Life.DEAD


def _why_not_ready(view: PairView, vm: VmView, now: float) -> str:
    if not vm.should_run:
        return "its spec says running: false"
    if vm.running and not _on_silent_node(view, vm, now):
        return "its guest is paused" if vm.instance and vm.instance.paused else ""
    if vm.running:
        return f"{vm.node or 'its server'} is silent: whether the guest still runs cannot be told"
    action = view.open_action(vm.key)
    step = action.step if action else None
    return (step.message if step else "") or vm.start_blocked or "it has no running instance"


def _protected(view: PairView, vm: VmView, now: float) -> Condition:
    reason, message = _why_not_protected(view, vm, now)
    if reason:
        return Condition("Protected", False, reason, message)
    home = view.node(vm.node)
    untried = fence_path(home) if home else None
    if untried and untried.holds is None:
        return Condition("Protected", None, untried.reason, untried.message)
    return Condition("Protected", True, "AsExpected", "it would survive the loss of its server")


def _why_not_protected(view: PairView, vm: VmView, now: float) -> tuple[str, str]:
    """Reason and sentence; both empty when nothing speaks against it."""
    if not vm.running:
        return "NotRunning", _why_not_ready(view, vm, now) or "it does not run"
    if _on_silent_node(view, vm, now):
        return "PrimarySuspect", _why_not_ready(view, vm, now)
    home, peer = view.node(vm.node), view.peer(vm.node)
    if home is None or peer is None:
        return "NotInPair", f"it runs on {vm.node}, which is not one of two nodes of pair {view.name}"
    if fence_path(home).holds is False:
        return "FencePathFailed", fence_path(home).message
    hindrance = why_not_serve(view, peer, now)
    if hindrance:
        return "NoBackup", hindrance
    full = _why_not_hold_all(view, peer)
    return ("NoRoom", full) if full else ("", "")


def _migratable(vm: VmView) -> Condition:
    instance = vm.instance
    if instance is None or instance.migratable is None:
        return Condition("Migratable", None, "NotKnown", "virt-handler has not said whether it can be moved")
    if instance.migratable:
        return Condition("Migratable", True, "AsExpected", "it can be moved while it runs")
    return Condition("Migratable", False, "NotLiveMigratable", instance.not_migratable_because)


def _down_since(view: PairView, vm: VmView, now: float) -> float | None:
    """On a dead node it counts from when the survivor heard it no more; what is merely silent may well run."""
    action = view.open_action(vm.key)
    if not vm.should_run or vm.instance is None or (action and action.type is ActionType.START):
        return None
    node = view.node(vm.instance.node)
    if vm.running:
        if node is None or judge(view, node, now).life is not Life.DEAD:
            return None
        peer = view.peer(node.name)
        return max(node.heard_at, (peer.peer_unreachable_since if peer else None) or 0.0)
    return vm.instance.ended_at or now


_KIND_OF_FAILOVER = {
    ActionType.MIGRATE: "Graceful",
    ActionType.COLD_RESTART: "ColdRestart",
    ActionType.RESTART: "Restart",
}


def _last_failover(view: PairView, vm: VmView) -> Failover | None:
    done = [
        action
        for action in view.actions
        if action.target == vm.key and action.type in _KIND_OF_FAILOVER and action.phase == "Succeeded"
    ]
    if not done:
        return None
    last = max(done, key=lambda action: action.finished_at or 0.0)
    elsewhere = view.peer(last.destination)
    origin = last.destination if last.type is ActionType.RESTART else (elsewhere.name if elsewhere else "")
    finished = last.finished_at or last.created_at
    return Failover(finished, _KIND_OF_FAILOVER[last.type], origin, last.destination, finished - last.created_at)
