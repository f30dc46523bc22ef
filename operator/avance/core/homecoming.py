"""Where VMs belong, and when those of them that are elsewhere may move there together.

Home is the preferred node of a VM's spec. With Balanced placement the VMs that prefer none belong where they spread the
load evenly; with Consolidated placement they belong where they are.
"""

from __future__ import annotations

from collections.abc import Iterator

from avance.core.capacity import total
from avance.core.fitness import bound_for, room_on, why_not_move_to
from avance.core.health import score
from avance.core.model import ActionPhase, ActionType, ActionView, NodeView, PairView, VmView
from avance.core.policy import Failback, PlacementPolicy
from avance.core.replication import why_not_all_synced, why_not_move

MOVE = "Move"
"""The step of a Failback or Switchover at which its VMs move."""
TRIES = 3
"""Of one VM in one wave."""


def why_no_wave(view: PairView, action_type: ActionType, node_name: str, now: float) -> str:
    """Why no VMs are brought to a server together now, in words; empty when they may be."""
    node, peer = view.node(node_name), view.peer(node_name)
    if node is None or peer is None:
        return f"{node_name} is not one of two nodes of pair {view.name}"
    if action_type is ActionType.FAILBACK and view.policy.recovery.failback is Failback.NEVER:
        return "recovery.failback is Never: use Switchover or Migrate"
    hindrance = why_not_move_to(view, node_name, now) or why_not_all_synced(view)[1]
    here, there = score(node.faults).value, score(peer.faults).value
    if not hindrance and here < there:
        return f"{node_name} is the less healthy server ({here}, {peer.name} {there}): repair it first"
    return hindrance


def travellers(view: PairView, action: ActionView) -> tuple[VmView, ...]:
    """The VMs that a Failback or Switchover still has to bring, least important first: they show whether it goes well.

    Those that cannot move now are not among them, nor those that have failed to often enough.
    """
    node = view.node(action.target)
    if node is None:
        return ()
    wanted = homeward(view, node) if action.type is ActionType.FAILBACK else _elsewhere(view, node)
    return tuple(_with_room(view, node, [vm for vm in wanted if tries(view, action, vm) < TRIES]))


def homeward(view: PairView, node: NodeView) -> list[VmView]:
    """VMs on the other server whose home this one is."""
    away = _elsewhere(view, node)
    coming = [vm for vm in away if vm.preferred_node == node.name]
    if view.policy.placement is not PlacementPolicy.BALANCED:
        return coming
    free = [vm for vm in away if not vm.preferred_node]
    held = total(vm.needs for vm in view.vms if node.name in (vm.node, bound_for(view, vm)))
    here = (held + total(vm.needs for vm in coming)).memory_bytes
    there = total(vm.needs for vm in away).memory_bytes - total(vm.needs for vm in coming).memory_bytes
    for vm in free:
        if here + vm.needs.memory_bytes <= there - vm.needs.memory_bytes:
            coming.append(vm)
            here, there = here + vm.needs.memory_bytes, there - vm.needs.memory_bytes
    return coming


def wave_of(action: ActionView) -> str:
    """The incident that the moves of a wave share."""
    return action.incident or action.name


def moves_of(view: PairView, action: ActionView) -> list[ActionView]:
    """What has been recorded for a wave so far."""
    return [
        each
        for each in view.actions
        if each.type is ActionType.MIGRATE and each.reason == action.type and each.incident == wave_of(action)
    ]


def tries(view: PairView, action: ActionView, vm: VmView) -> int:
    """How often its move has failed or was called off in this wave."""
    ended = (ActionPhase.FAILED, ActionPhase.CANCELLED)
    return sum(move.target == vm.key and move.phase in ended for move in moves_of(view, action))


def _elsewhere(view: PairView, node: NodeView) -> list[VmView]:
    """What runs on the other server and could move."""
    others = [vm for vm in view.vms if vm.should_run and vm.running and vm.node and vm.node != node.name]
    movable = [vm for vm in others if vm.instance and not vm.instance.paused and vm.instance.migratable is not False]
    ready = [vm for vm in movable if not bound_for(view, vm) and not why_not_move(view, vm, node.name)]
    return sorted(ready, key=lambda vm: (-vm.priority, vm.key))


def _with_room(view: PairView, node: NodeView, vms: list[VmView]) -> Iterator[VmView]:
    room = room_on(view, node)
    for vm in vms:
        if vm.needs.fits_in(room):
            room = room - vm.needs
            yield vm
