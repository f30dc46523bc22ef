"""Server crash: fence, prove, cold-restart every VM on the other server, highest tier first."""

from __future__ import annotations

from collections.abc import Iterator

from avance.core.failures import given_up, surrender_to_crashes
from avance.core.intents import SERVER_CRASH, Intent, LookAgain, crash_incident, intent
from avance.core.licence import may_hold
from avance.core.liveness import Life, judge, standing_evidence
from avance.core.model import ActionType, ActionView, NodeView, PairView, VmView
from avance.core.order import in_order
from avance.core.replication import why_not_fence, why_not_start_on


def fence_the_dead_server(view: PairView, now: float) -> Iterator[Intent | LookAgain]:
    """A server that two independent observers hold to be dead is fenced; its VMs stay as they are until it is off.

    Not one in maintenance that holds no VM: there is nothing to be had from its proof (`maintenance.left_alone`).
    """
    for node in view.nodes:
        verdict = judge(view, node, now)
        if verdict.reconsider_at is not None:
            yield LookAgain(verdict.reconsider_at)
        if verdict.life is not Life.DEAD or standing_evidence(view, node.name) is not None:
            continue
        if _is_somebodys(view, node):
            continue
        spared, until = why_not_fence(view, node, now)
        if until is not None:
            yield LookAgain(until)
        if not spared:
            yield intent(
                view,
                ActionType.FENCE,
                node.name,
                reason=SERVER_CRASH,
                message=f"{node.name} is held to be dead: {verdict.because}",
                incident=crash_incident(node),
            )


def restart_its_vms_on_the_survivor(view: PairView, now: float) -> Iterator[Intent | LookAgain]:
    """Once there is evidence that the server is off, every VM whose instance was on it boots on the survivor.

    Not from stale disks: a VM whose survivor has no up-to-date copy waits for the server that has it.
    """
    for fence in _proven_fences(view):
        survivor = view.peer(fence.target)
        for vm in in_order(view):
            if survivor is None or why_not_start_on(view, vm, survivor.name):
                continue
            if vm.should_run and vm.instance and _was_on(view, vm, fence.target) and not given_up(view, vm):
                yield surrender_to_crashes(view, vm, fence.incident, now) or intent(
                    view,
                    ActionType.COLD_RESTART,
                    vm.key,
                    reason=SERVER_CRASH,
                    message=f"{fence.target}, the server that {vm.key} ran on, is proven off",
                    incident=fence.incident,
                    destination=survivor.name,
                    instance_uid=vm.instance.uid,
                )


def _is_somebodys(view: PairView, node: NodeView) -> bool:
    """A person has cordoned it, and it holds no VM: whoever drained it may have it open on the bench.

    Nothing waits for the proof that it is off, and switching it could harm the hand or the firmware in it.
    """
    return node.cordoned and not node.closed and not node.out_of_service and not may_hold(view, node.name)


def _proven_fences(view: PairView) -> list[ActionView]:
    return [
        action
        for action in view.actions
        if action.type is ActionType.FENCE
        and action.evidence is not None
        and standing_evidence(view, action.target) == action.evidence
    ]


def _was_on(view: PairView, vm: VmView, node: str) -> bool:
    """Its present instance ran there, or was starting there: a launcher pod counts as much as the instance."""
    instance = vm.instance
    if instance is None:
        return False
    here = any(pod.node == node and not pod.final for pod in view.pods_of(vm.key))
    return instance.node == node or (not instance.node and here)
