"""What must hold at every moment of every simulation, whatever breaks. Each returns sentences, none if all is well.

They look at the physical truth and at the records, never at what the operator believes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from avance.core.components import PEER_UNREACHABLE
from avance.core.effects import (
    ApplyVm,
    CloseNode,
    CreateMigration,
    DeletePod,
    Effect,
    MarkOutOfService,
    PowerOff,
    PowerOn,
    StartVm,
)
from avance.core.model import RECORDS_ONLY, ActionPhase, ActionType, ActionView, PairView
from avance.core.standstill import standstill
from avance.simulator.leadership import Lease
from avance.simulator.objects import Api
from avance.simulator.operator import Operator
from avance.simulator.records import Records
from avance.simulator.world import State, World

MOVES_AN_HOUR = 12
"""So often may the operator move one VM by its own decision; a healthy pair moves it once for each fault."""


def after_each_step(world: World, records: Records, operator: Operator | None, now: float) -> Iterator[str]:
    """Checked after every tick."""
    if operator is not None:
        yield from pause_wins(operator, records, now)
    yield from moves_are_bounded(records)
    yield from one_running_instance(world)
    yield from one_reason_for_an_action(records)
    yield from one_action_at_a_time(records)
    yield from never_both_nodes_fenced(records)
    yield from never_both_nodes_down(records)
    yield from nothing_runs_in_maintenance(world, records)


def pause_wins(operator: Operator, records: Records, now: float) -> Iterator[str]:
    """While a pause is known, or the mode is Observe, nothing is begun but what a person asked for and mere reports."""
    view = operator.view
    if view is None:
        return
    for action in reversed(records.all()):
        if action.created_at < now:
            return
        if (
            not action.requested_by
            and action.type not in RECORDS_ONLY
            and standstill(view, action.target, now) is not None
        ):
            yield f"{action.type} of {action.target} is begun although that is paused"


def moves_are_bounded(records: Records) -> Iterator[str]:
    """However much comes and goes, a VM is moved by the operator's own decision only so often an hour."""
    moves: dict[str, list[float]] = {}
    for action in records.all():
        if action.type is ActionType.MIGRATE and not action.requested_by and action.phase is ActionPhase.SUCCEEDED:
            moves.setdefault(action.target, []).append(action.created_at)
    for vm, times in moves.items():
        for earlier, later in zip(times, times[MOVES_AN_HOUR:], strict=False):
            if later - earlier < 3600.0:
                yield f"{vm} is moved more than {MOVES_AN_HOUR} times within an hour"


def one_running_instance(world: World) -> Iterator[str]:
    """No two instances of a VM run at the same time."""
    running: dict[str, list[str]] = {}
    for guest in world.ledger:
        if guest.runs:
            running.setdefault(guest.vm, []).append(guest.server)
    for vm, servers in running.items():
        if len(servers) > 1:
            yield f"{vm} runs {len(servers)} times: on {' and '.join(servers)}"


def one_reason_for_an_action(records: Records) -> Iterator[str]:
    """Every action says why it was taken, and one incident caused it unless a person asked for it."""
    for action in records.all():
        if not (action.reason and action.message and action.incident):
            yield f"action {action.name} has no reason"


def one_action_at_a_time(records: Records) -> Iterator[str]:
    """Nothing has two things done to it by the operator's own decision at the same time."""
    held = Counter(a.target for a in records.all() if a.open and not a.requested_by and a.type not in RECORDS_ONLY)
    for target, count in held.items():
        if count > 1:
            yield f"{count} actions are open on {target}"


def never_both_nodes_fenced(records: Records) -> Iterator[str]:
    """In one incident at most one server is fenced, and while one is being fenced the other one is not."""
    fences = [action for action in records.all() if action.type is ActionType.FENCE]
    by_incident: dict[str, set[str]] = {}
    for fence in fences:
        by_incident.setdefault(fence.incident, set()).add(fence.target)
    for incident, nodes in by_incident.items():
        if len(nodes) > 1:
            yield f"incident {incident} fences both servers"
    if len({fence.target for fence in fences if cuts_power(fence)}) > 1:
        yield "both servers are being fenced"


def never_both_nodes_down(records: Records) -> Iterator[str]:
    """At most one server is declared down by the operator's own decision, and never while the other one reboots."""
    down = {name for name, history in records.histories.items() if history.declared_down and history.declared_down.kind}
    rebooting = {a.target for a in records.all() if a.open and a.type is ActionType.REBOOT and a.started("PowerOff")}
    if len(down) > 1:
        yield "both servers are declared down"
    if len(rebooting) > 1:
        yield "both servers are being rebooted"
    if down and rebooting - down:
        yield f"{', '.join(rebooting)} is rebooted while {', '.join(down)} is declared down"


def nothing_runs_in_maintenance(world: World, records: Records) -> Iterator[str]:
    """A server that a person may work on runs no VM, and the other one is not theirs to work on."""
    held = records.in_maintenance()
    if len(held) > 1:
        yield "both servers are in maintenance"
    for name in held:
        for guest in world.guests_on(name):
            yield f"{guest.vm} runs on {name}, which is in maintenance"


def cuts_power(fence: ActionView) -> bool:
    """It may still cut the power: not one that stands down and opens its server again."""
    return fence.open and fence.started("PowerOff") is not None and fence.current != "Reopen"


def of_an_effect(
    world: World, api: Api, records: Records, view: PairView, action: ActionView | None, effect: Effect
) -> Iterator[str]:
    """Checked at the moment in which an effect is performed."""
    yield from belongs_to_a_record(records, action, effect)
    if isinstance(effect, PowerOff | PowerOn) and effect.node in records.in_maintenance():
        yield f"{effect} although {effect.node} is in maintenance"
    match effect:
        case StartVm(vm, instance_uid):
            yield from start_has_evidence(world, api, records, vm, instance_uid)
        case DeletePod(uid=uid, name=name, node=node):
            guest = world.guest_of_pod(uid)
            if guest is not None and guest.runs:
                yield f"pod {name} is force-deleted while its guest runs on {node}"
        case MarkOutOfService(node) if world.guests_on(node):
            yield f"{node} is put out of service while guests run on it"
        case PowerOff(node) if action is not None and action.type is ActionType.REBOOT:
            yield from reboot_is_harmless(world, node)
        case PowerOff(node):
            yield from fencing_is_justified(world, view, node)
        case CreateMigration(vm=vm):
            yield from private_link_is_up(view, vm)


def only_the_leader_acts(lease: Lease, operator: Operator | None, now: float) -> Iterator[str]:
    """No action without the Lease and the epoch that is current."""
    if operator is None or operator.leadership.epoch != lease.epoch:
        yield "an operator acts although another one has taken over"
    elif not operator.leadership.holds(now):
        yield "an operator acts although its Lease may have run out"


def belongs_to_a_record(records: Records, action: ActionView | None, effect: Effect) -> Iterator[str]:
    """Every effect is the deed of an open recorded action in the step that was written first; upkeep alone is not."""
    if action is None:
        kept_closed = isinstance(effect, CloseNode) and effect.node in records.in_maintenance()
        if not isinstance(effect, ApplyVm) and not kept_closed:
            yield f"{effect} belongs to no action"
    elif records.get(action.name) != action or not action.current or not action.open:
        yield f"{effect} was performed before its step was written"


def start_has_evidence(world: World, api: Api, records: Records, vm: str, instance_uid: str) -> Iterator[str]:
    """No start without proof, for every node that could still run the VM, that it does not."""
    live = api.instances.get(vm)
    if (live.uid if live else "") != instance_uid or (live is not None and not live.phase.final):
        return  # not carried out, or the restart of a running guest, which KubeVirt ends first
    for guest in world.ledger:
        if guest.vm != vm or guest.end_known:
            continue
        proven = records.proves_off(guest.server, guest.boot_id)
        node = api.nodes.get(guest.server)
        same_life = node.boot_id == guest.boot_id if node else guest.runs
        if not proven and same_life:
            yield f"{vm} is started although nothing proves that it has ended on {guest.server}"


def fencing_is_justified(world: World, view: PairView, node: str) -> Iterator[str]:
    """A server is fenced while the other one is there to take over, and never one that the other one still hears."""
    peer = world.peer(node)
    if peer.killed_by_us and peer.state is State.OFF:
        yield f"{node} is switched off while {peer.name} is off too, by our own hand"
    reporter = view.peer(node)
    if reporter is not None and reporter.hears_peer:
        yield f"{node} is switched off although {reporter.name} reports {PEER_UNREACHABLE}=False"


def reboot_is_harmless(world: World, node: str) -> Iterator[str]:
    """Only a server that runs no VM is rebooted by choice, and only while the other one is there."""
    for guest in world.guests_on(node):
        yield f"{node} is rebooted while it runs {guest.vm}"
    peer = world.peer(node)
    if peer.state is State.OFF and peer.killed_by_us:
        yield f"{node} is rebooted while {peer.name} is off by our own hand"


def private_link_is_up(view: PairView, vm: str) -> Iterator[str]:
    """Nothing moves with the private link down, as far as it is reported."""
    for node in view.nodes:
        for fault in node.faults:
            if fault.condition == "PrivateLinkProblem":
                yield f"{vm} is moved while {node.name} reports the private link down"


def at_rest(operator: Operator, records: Records) -> Iterator[str]:
    """Once nothing is broken any more the plan comes to rest and emits nothing."""
    for action in records.all():
        if action.open:
            step = action.step.message if action.step else "not begun"
            yield f"{action.type} of {action.target} is still open: {step}"
    for intent in operator.last_plan.intents:
        yield f"the plan still wants {intent.type} of {intent.target}: {intent.message}"
    for upkeep in operator.last_plan.upkeep:
        yield f"the plan still wants {upkeep}"


def serves_fully(world: World, api: Api) -> Iterator[str]:
    """Once nothing is broken any more every VM that shall run does, and both servers serve."""
    for vm in api.vms.values():
        runs = bool(world.guests_of(vm.key))
        if runs != vm.should_run:
            yield f"{vm.key} {'runs' if runs else 'does not run'}"
    for node in api.nodes.values():
        if node.ready != "True" or node.closed or node.out_of_service or (node.cordoned and node.cordoned_by_us):
            yield f"{node.name} does not serve"
