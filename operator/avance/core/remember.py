"""A look at a pair, joined with what is remembered of its nodes: history first, then the faults that count now.

Beside the faults that detectors report now, a component counts as failed while it is declared failed, and while it
flaps: what comes and goes keeps its weight until it has been quiet.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from avance.core.components import ComponentKind
from avance.core.departures import have_left
from avance.core.faults import DECLARED_FAILED, FLAPS, Fault
from avance.core.history import ComponentHistory, Declaration, Maintenance, NodeHistory, Occurrence
from avance.core.intents import RESYNC, SERVER_CRASH, failed_reason, occurrence_incident
from avance.core.licence import why_not_empty
from avance.core.liveness import Life, judge
from avance.core.maintenance import OPEN, is_the_work, seen_on
from avance.core.model import ActionPhase, ActionType, ActionView, NodeView, PairView
from avance.core.mtbf import below_threshold, forgiven_at, quiet_at
from avance.core.policy import HealthPolicy

FAULTS_KEPT = 32
"""Of one component; what is there now is never forgotten."""
COMPONENTS_KEPT = 64
"""Of one node; those whose last fault is longest ago go first."""
CRASH = "Crash"
"""Where a recorded fault has its condition, a crash of the server has this word."""


def remember(view: PairView, now: float) -> PairView:
    """The view with every node's history brought up to date, and with the faults that count for its health."""
    nodes = []
    for node in view.nodes:
        history = _history(view, node, now)
        held = tuple(_held(view, node, history, now))
        known = (_as_known(history, fault) for fault in node.faults)
        faults = sorted((*known, *held), key=lambda fault: (-fault.weight, fault.kind, fault.component))
        nodes.append(replace(node, history=history, faults=tuple(faults)))
    return replace(view, nodes=tuple(nodes))


def _history(view: PairView, node: NodeView, now: float) -> NodeHistory:
    node = replace(node, history=_of_this_server(view, node))
    history = _maintain(view, node, _after_reset(view, node, now), now)
    history = replace(history, cordoned_at=_cordoned_at(view, node, now))
    known = {(each.kind, each.component): each for each in history.components}
    for fault in node.faults:
        if _is_its_own(view, fault) and not is_the_work(view, fault):
            _record(
                view, known, fault.kind, fault.component, Occurrence(fault.condition, fault.since, fault.observed_at)
            )
    for crash in _crashes(view, node):
        _record(view, known, ComponentKind.SERVER, "", crash)
    there = {(fault.kind, fault.component, fault.condition) for fault in node.faults if _is_its_own(view, fault)}
    for key, each in known.items():
        known[key] = replace(each, faults=_bounded(_ended(each, there, node.untold, now)))
    history = replace(history, components=_most_recent(known.values()))
    return _forgive(view, _declare(view, node, history), now) if history.components or view.actions else history


def _as_known(history: NodeHistory, fault: Fault) -> Fault:
    """A fault that lasts keeps the time by which it is named, however often a detector that starts anew moves it."""
    lasting = history.of(fault.kind, fault.component).lasting(fault.condition)
    return fault if lasting is None else replace(fault, since=lasting.since, observed_at=lasting.at)


def _is_its_own(view: PairView, fault: Fault) -> bool:
    """A private link is broken when both ends say so: one end alone sees a peer that reboots or is gone."""
    if fault.kind is not ComponentKind.PRIVATE_LINK:
        return True
    peer = view.peer(fault.node)
    return peer is not None and any(other.kind is ComponentKind.PRIVATE_LINK for other in peer.faults)


def _record(
    view: PairView,
    known: dict[tuple[ComponentKind, str], ComponentHistory],
    kind: ComponentKind,
    component: str,
    seen: Occurrence,
) -> None:
    """Add what is new; below the threshold the component is declared failed, and stays so.

    A fault that has not been seen gone is the same one, whatever time its condition has now: node-problem-detector
    moves it when the message changes, and when it is started anew.
    """
    history = known.get((kind, component), ComponentHistory(kind, component))
    if history.lasting(seen.condition) is not None:
        return
    same = [fault for fault in history.faults if fault.is_of(seen.condition, seen.since)]
    if same:
        again = replace(same[0], until=seen.until)
        faults = tuple(again if fault is same[0] else fault for fault in history.faults)
        known[kind, component] = replace(history, faults=faults)
        return
    policy = view.policy.mtbf.of(kind)
    history = replace(history, faults=tuple(sorted((*history.faults, seen), key=lambda fault: fault.at)))
    if history.failed_since is None and below_threshold(history, policy):
        history = replace(history, failed_since=seen.at)
    known[kind, component] = history


def _ended(
    history: ComponentHistory, there: set[tuple[ComponentKind, str, str]], untold: frozenset[str], now: float
) -> tuple[Occurrence, ...]:
    """A fault that is not reported any more has ended; not where its detector can tell nothing at the moment."""
    return tuple(
        fault
        if fault.until is not None
        or (history.kind, history.component, fault.condition) in there
        or fault.condition in untold
        else replace(fault, until=now)
        for fault in history.faults
    )


def _bounded(faults: tuple[Occurrence, ...]) -> tuple[Occurrence, ...]:
    recent = faults[-FAULTS_KEPT:]
    return tuple(fault for fault in faults if fault in recent or fault.until is None)


def _most_recent(components: Iterable[ComponentHistory]) -> tuple[ComponentHistory, ...]:
    """Bounded, in an order that does not change from look to look."""
    by_age = sorted(components, key=lambda each: (each.failed_since is not None or each.active, each.faults[-1].at))
    return tuple(sorted(by_age[-COMPONENTS_KEPT:], key=lambda each: (each.kind, each.component)))


def _crashes(view: PairView, node: NodeView) -> Iterator[Occurrence]:
    """Every fence for a crash that has come as far as its proof: a server that turned out to live has not crashed."""
    for fence in view.actions_on(node.name, ActionType.FENCE):
        if fence.evidence is None or fence.evidence.observed_at <= node.history.identified_at:
            continue
        if fence.reason == SERVER_CRASH:
            moment = fence.evidence.observed_at
            yield Occurrence(CRASH, moment, moment, until=moment)


def _of_this_server(view: PairView, node: NodeView) -> NodeHistory:
    """The first server that is seen is the one that is meant; of another one that was accepted nothing is known yet."""
    if not node.history.system_uuid:
        return replace(node.history, system_uuid=node.system_uuid)
    accepted = _last_done(view, node, ActionType.ACCEPT_REPLACEMENT)
    at = (accepted.finished_at or 0.0) if accepted else 0.0
    if not node.replaced or at <= node.history.identified_at:
        return node.history
    return NodeHistory(
        system_uuid=node.system_uuid,
        identified_at=at,
        lifted_at=at,
        maintenance=node.history.maintenance,  # a server may be replaced in the middle of one
        maintenance_ended_at=node.history.maintenance_ended_at,
    )


def _heard_peer_in(view: PairView, node: NodeView, now: float) -> str:
    """The boot in which it last heard the other node, once it was trusted: an earlier life's report may still stand."""
    action = view.open_action(node.name)
    coming_back = action is not None and action.current != RESYNC  # it serves again by then
    if node.history.maintenance is not None:
        steady = now - node.heard_since >= view.policy.recovery.stabilisation_seconds
        coming_back = coming_back or not steady
    return node.boot_id if node.hears_peer and not coming_back else node.history.heard_peer_in


def _cordoned_at(view: PairView, node: NodeView, now: float) -> float:
    """Since when somebody else keeps it cordoned; after that, until it has rejoined if VMs have left it meanwhile."""
    since = node.history.cordoned_at
    if node.cordoned and not node.closed:
        return since or now
    rejoins = (a for a in view.actions_on(node.name, ActionType.REJOIN) if not a.open and a.created_at > since)
    served = not node.closed and (not have_left(view, node, since) or any(rejoins))
    return 0.0 if served else since


def _after_reset(view: PairView, node: NodeView, now: float) -> NodeHistory:
    """A ResetMTBF ends every declaration, and counting begins anew."""
    history = replace(node.history, heard_peer_in=_heard_peer_in(view, node, now))
    moment = _last_done(view, node, ActionType.RESET_MTBF)
    if moment is None or moment.finished_at is None or moment.finished_at <= history.lifted_at:
        return history
    at = moment.finished_at
    anew = tuple(replace(each, counted_from=at, failed_since=None) for each in history.components)
    return replace(history, components=anew, declared_down=None, lifted_at=at)


def _maintain(view: PairView, node: NodeView, history: NodeHistory, now: float) -> NodeHistory:
    """An EnterMaintenance that was carried out stands until a LeaveMaintenance opens the server again."""
    entered, left = _last_done(view, node, ActionType.ENTER_MAINTENANCE), _left_at(view, node)
    record = history.maintenance
    if entered is not None and (entered.finished_at or 0.0) > max(history.maintenance_ended_at, left):
        since = entered.finished_at or 0.0
        if record is None or record.since < since:
            record = Maintenance(since, entered.requested_by, entered.message)
    if record is None or left > record.since:
        return replace(history, maintenance=None, maintenance_ended_at=max(history.maintenance_ended_at, left))
    return replace(history, maintenance=replace(record, empty=_is_empty(view, node, record, now)))


def _left_at(view: PairView, node: NodeView) -> float:
    """When a LeaveMaintenance last opened it, or was about to: what is on record may have been done."""
    asked = view.actions_on(node.name, ActionType.LEAVE_MAINTENANCE)
    return max((at for action in asked if (at := action.started(OPEN)) is not None), default=0.0)


def _is_empty(view: PairView, node: NodeView, record: Maintenance, now: float) -> bool:
    """What was found empty stays so while it is closed, or gives no sign of life: then nothing can start on it.

    Whatever was seen on it since has to be seen gone.
    """
    if seen_on(view, node.name):
        return False
    sealed = (node.closed and node.cordoned) or judge(view, node, now).life is not Life.ALIVE
    return (record.empty and sealed) or not why_not_empty(view, node, now)


def _declare(view: PairView, node: NodeView, history: NodeHistory) -> NodeHistory:
    """A DeclareDown that was carried out stands until it is lifted; the part that it was for is declared failed."""
    action = _last_done(view, node, ActionType.DECLARE_DOWN)
    if history.declared_down is not None or action is None or (action.finished_at or 0.0) <= history.lifted_at:
        return history
    at = action.finished_at or 0.0
    cause = next((each for each in history.components if _is_cause(node, each, action)), None)
    if cause is None:
        return replace(history, declared_down=Declaration(at, action.message))
    failed = replace(cause, failed_since=at if cause.failed_since is None else cause.failed_since)
    components = tuple(failed if each is cause else each for each in history.components)
    declaration = Declaration(at, action.message, cause.kind, cause.component)
    return replace(history, components=components, declared_down=declaration)


def _is_cause(node: NodeView, component: ComponentHistory, action: ActionView) -> bool:
    return action.reason == failed_reason(component.kind) and (
        component.kind is ComponentKind.SERVER
        or any(
            action.incident == occurrence_incident(node.name, component.kind, component.component, fault)
            for fault in component.faults
        )
    )


def _last_done(view: PairView, node: NodeView, type_: ActionType) -> ActionView | None:
    done = [action for action in view.actions_on(node.name, type_) if action.phase is ActionPhase.SUCCEEDED]
    return max(done, key=lambda action: action.finished_at or 0.0, default=None)


def _forgive(view: PairView, history: NodeHistory, now: float) -> NodeHistory:
    """What has been good for as long as the spec asks is trusted again, and so is the node that was down for it."""
    for each in history.components:
        at = forgiven_at(each, view.policy.mtbf.of(each.kind))
        if at is None or now < at:
            continue
        trusted = replace(each, counted_from=now, failed_since=None)
        history = replace(history, components=tuple(trusted if c is each else c for c in history.components))
        down = history.declared_down
        if down is not None and (down.kind, down.component) == (each.kind, each.component):
            history = replace(history, declared_down=None, lifted_at=now)
    return history


def _held(view: PairView, node: NodeView, history: NodeHistory, now: float) -> Iterator[Fault]:
    """Components that no detector reports now and that count as failed all the same.

    Not the private link's declared failure: both ends record it, and it says nothing about which one is the better.
    """
    policy = view.policy.health
    reported = {(fault.kind, fault.component) for fault in node.faults}
    for each in history.components:
        if (each.kind, each.component) in reported or not each.faults:
            continue
        failed = each.failed_since is not None and each.kind is not ComponentKind.PRIVATE_LINK
        if failed or quiet_at(each, policy, now) is not None:
            yield _as_fault(node, each, policy, DECLARED_FAILED if failed else FLAPS)


def _as_fault(node: NodeView, history: ComponentHistory, policy: HealthPolicy, held: str) -> Fault:
    last = history.faults[-1]
    its = policy.condition_classes.get(last.condition) or policy.classes[history.kind]
    return Fault(
        node=node.name,
        kind=history.kind,
        component=history.component,
        noun=its.noun,
        severity=its.severity,
        weight=its.weight,
        spare_part=its.spare_part,
        condition=last.condition,
        since=last.since,
        observed_at=last.at,
        message=f"{len(history.counted)} faults on record",
        held=held,
    )
