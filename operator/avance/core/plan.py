"""One look at a pair: what to record, how to go on with what is recorded, and when to look again.

view ──> rules ──────> intents to record (one thing at a time for each node and VM)
     └─> workflows ──> progress of every open action
     └─> upkeep ─────> VirtualMachines that differ from what their specs ask for, are to be adopted, or let go; servers
                       in maintenance that are open
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from avance.core.adoption import adoptions, releases, why_not_put_back
from avance.core.effects import ApplyVm, CloseNode, ReleaseVm
from avance.core.fence_path import FAILED_PATH_SECONDS, pause_between_looks
from avance.core.intents import Intent, LookAgain
from avance.core.liveness import Life, judge
from avance.core.maintenance import left_alone, worked_on
from avance.core.model import RECORDS_ONLY, ActionType, ActionView, NodeView, PairView, VmView
from avance.core.pairing import why_no_pair
from avance.core.placement import choose_node
from avance.core.progress import Progress, cancel
from avance.core.requests import settle, why_not_take_up
from avance.core.restraint import why_not_begin
from avance.core.rules import RULES
from avance.core.rules.edit import record_edits
from avance.core.rules.notification import tell_people
from avance.core.standstill import ends, held, may_begin, standstill
from avance.core.workflows import WORKFLOWS


@dataclass(frozen=True, slots=True)
class Plan:
    intents: tuple[Intent, ...] = ()
    """To be recorded as AvanceActions before anything is done for them."""
    progress: tuple[tuple[ActionView, Progress], ...] = ()
    """Every open action, what it left open settled, with the next thing to do for it."""
    upkeep: tuple[ApplyVm | CloseNode | ReleaseVm, ...] = ()
    """What is put right without an action of its own: VirtualMachines, and a server in maintenance that was opened."""
    would: tuple[str, ...] = ()
    """What would be done if the pair were not paused or in mode Observe, as sentences."""
    power_checks: Mapping[str, float] = field(default_factory=dict)
    """How many seconds old the power reading of each node may be."""
    look_at: float | None = None
    """When time alone could change this plan."""


def plan(view: PairView, now: float) -> Plan:
    """Decide what to do for one pair. Pure: the same view and time give the same plan."""
    wanted, later = _ask_the_rules(view, now)
    open_actions = [settle(action, view) for action in view.actions if action.open]
    progress = tuple((action, _next_step(action, view, now)) for action in open_actions)
    later += [*ends(view, now), *(step.look_at for _, step in progress if step.look_at is not None)]
    held_back = [intent for intent in wanted if not may_begin(view, intent, now)]
    told = [*tell_people(view, held_back, now), *record_edits(view, now)]
    later += [answer.at for answer in told if isinstance(answer, LookAgain)]
    return Plan(
        intents=tuple(intent for intent in (*wanted, *told) if isinstance(intent, Intent) and intent not in held_back),
        progress=progress,
        upkeep=(*releases(view, now), *_upkeep(view, now)),
        would=tuple(f"{intent.type} {intent.target}: {intent.message}" for intent in held_back),
        power_checks=_power_checks(view, now),
        look_at=min((at for at in later if at > now), default=None),
    )


def _ask_the_rules(view: PairView, now: float) -> tuple[tuple[Intent, ...], list[float]]:
    """The intents of all rules, less those for a node or VM that something is being done to already."""
    chosen: dict[tuple[str, bool], Intent] = {}
    later: list[float] = []
    if any(why_no_pair(view)):
        return (), later
    for rule in RULES:
        for answer in rule(view, now):
            if isinstance(answer, LookAgain):
                later.append(answer.at)
                continue
            if left_alone(view, answer.type, answer.target):
                continue
            restraint = why_not_begin(view, answer.type, now)
            if restraint is not None:
                later += [restraint.until] if restraint.until is not None else []
                continue
            report = answer.type in RECORDS_ONLY
            if report:
                chosen.setdefault((answer.name, report), answer)
            elif view.open_action(answer.target) is None and not _is_leaving(view, answer.target):
                chosen.setdefault((answer.target, report), answer)
    return tuple(chosen.values()), later


def _is_leaving(view: PairView, target: str) -> bool:
    vm = view.vm(target)
    return vm is not None and vm.custody.leaving


def _next_step(action: ActionView, view: PairView, now: float) -> Progress:
    refusal = why_not_take_up(action, view)
    if refusal:
        return cancel("Refuse", refusal)
    return held(action, WORKFLOWS[action.type](action, view, now), view, now)


def _upkeep(view: PairView, now: float) -> Iterator[ApplyVm | CloseNode]:
    for node in view.nodes:
        # Uncordoned by somebody, or registered anew without our marks.
        if worked_on(node) and not (node.closed and node.cordoned) and standstill(view, node.name, now) is None:
            yield CloseNode(node.name)
    if any(why_no_pair(view)):
        return
    yield from adoptions(view, now)
    for vm in view.vms:
        if standstill(view, vm.key, now) is not None or vm.provisioning.impossible:
            continue
        if vm.custody.leaving or why_not_put_back(vm):
            continue
        if view.open_action(vm.key) is not None or any(not migration.final for migration in vm.migrations):
            continue
        home = _home(view, vm, now)
        if home and not (vm.exists and vm.up_to_date and vm.prefers == home):
            yield ApplyVm(vm.key, home)


def _home(view: PairView, vm: VmView, now: float) -> str:
    """The node a VM's manifest shall prefer: the one it is on, so that it restarts where it is."""
    return vm.node or vm.prefers or choose_node(view, vm, now) or (view.nodes[0].name if view.nodes else "")


def _power_checks(view: PairView, now: float) -> dict[str, float]:
    """A look now and then at a healthy node's BMC; a close look while its answer decides something."""
    return {node.name: _power_check(view, node, now) for node in view.nodes if node.fence_agent}


def _power_check(view: PairView, node: NodeView, now: float) -> float:
    if _power_matters(view, node.name, now):
        return pause_between_looks(view.open_action(node.name), now)
    at_leisure = view.policy.fencing.check_interval_seconds
    # A path that failed is somebody's work in progress: that it is mended should show soon.
    return min(at_leisure, FAILED_PATH_SECONDS) if node.power is not None and node.power.error else at_leisure


def _power_matters(view: PairView, node_name: str, now: float) -> bool:
    node = view.node(node_name)
    action = view.open_action(node_name)
    peer = view.peer(node_name)
    if worked_on(node) and (action is None or action.type is ActionType.LEAVE_MAINTENANCE):
        return False  # it may be off for days, and nothing is decided by that
    unheard = peer is not None and peer.peer_unreachable_since is not None and not worked_on(peer)
    return action is not None or unheard or (node is not None and judge(view, node, now).life is not Life.ALIVE)
