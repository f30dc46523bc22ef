"""Server crash: fence, prove, cold-restart every VM on the other server, highest tier first."""

from __future__ import annotations

from collections.abc import Iterator

from avance.core.intents import Intent, LookAgain, crash_incident, intent
from avance.core.liveness import Life, judge, standing_evidence
from avance.core.model import ActionType, ActionView, PairView, VmView


def fence_the_dead_server(view: PairView, now: float) -> Iterator[Intent | LookAgain]:
    """A server that two independent observers hold to be dead is fenced; its VMs stay as they are until it is off."""
    for node in view.nodes:
        verdict = judge(view, node, now)
        if verdict.reconsider_at is not None:
            yield LookAgain(verdict.reconsider_at)
        if verdict.life is Life.DEAD and standing_evidence(view, node.name) is None:
            yield intent(
                view,
                ActionType.FENCE,
                node.name,
                reason="ServerCrash",
                message=f"{node.name} is held to be dead: {verdict.because}",
                incident=crash_incident(node),
            )


def restart_its_vms_on_the_survivor(view: PairView, now: float) -> Iterator[Intent | LookAgain]:
    """Once there is evidence that the server is off, every VM whose instance was on it boots on the survivor."""
    for fence in _proven_fences(view):
        survivor = view.peer(fence.target)
        for vm in sorted(view.vms, key=lambda vm: vm.priority):
            if survivor is not None and vm.should_run and vm.instance and _was_on(view, vm, fence.target):
                yield intent(
                    view,
                    ActionType.COLD_RESTART,
                    vm.key,
                    reason="ServerCrash",
                    message=f"{fence.target}, the server that {vm.key} ran on, is proven off",
                    incident=fence.incident,
                    destination=survivor.name,
                    instance_uid=vm.instance.uid,
                )


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
