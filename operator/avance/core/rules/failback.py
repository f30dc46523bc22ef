"""Returned server: VMs go back to it by the pair's failback policy, in one wave."""

from __future__ import annotations

from collections.abc import Iterator

from avance.core.homecoming import MOVE, homeward, moves_of, travellers, tries, wave_of, why_no_wave
from avance.core.intents import Intent, LookAgain, intent
from avance.core.model import ActionPhase, ActionType, ActionView, NodeView, PairView, VmView
from avance.core.policy import Failback
from avance.core.upgrade import under_way


def bring_its_vms_home(view: PairView, now: float) -> Iterator[Intent | LookAgain]:
    """Automatic: once for each rejoin, when the server has served long enough without a fault.

    Never while disks are resynchronised, never to the less healthy server, and only VMs that had left before it was
    back: what somebody has moved away since stays there.
    """
    if under_way(view) is not None:
        return  # the other server is next
    for node in view.nodes:
        rejoin = _last_rejoin(view, node)
        if view.policy.recovery.failback is not Failback.AUTOMATIC or rejoin is None:
            continue
        if any(each.incident == rejoin.incident for each in view.actions_on(node.name, ActionType.FAILBACK)):
            continue
        returned_at = rejoin.finished_at or rejoin.created_at
        coming = [vm for vm in homeward(view, node) if (vm.moved_at or 0.0) <= returned_at]
        due = _healthy_since(node, returned_at) + view.policy.recovery.healthy_delay_seconds
        if not coming or why_no_wave(view, ActionType.FAILBACK, node.name, now):
            continue
        if now < due:
            yield LookAgain(due)
            continue
        yield intent(
            view,
            ActionType.FAILBACK,
            node.name,
            reason="ServerReturned",
            message=f"{node.name} has served again long enough: {' and '.join(vm.key for vm in coming)} go home",
            incident=rejoin.incident,
        )


def move_the_wave(view: PairView, now: float) -> Iterator[Intent | LookAgain]:
    """While a Failback or Switchover is under way its VMs move, all at the same time, not before their stay is over."""
    for action in view.actions:
        if not action.open or action.type not in (ActionType.FAILBACK, ActionType.SWITCHOVER) or action.current != MOVE:
            continue
        for vm in travellers(view, action):
            due = _due(view, action, vm)
            if now < due:
                yield LookAgain(due)
                continue
            yield intent(
                view,
                ActionType.MIGRATE,
                vm.key,
                reason=str(action.type),
                message=f"{action.type} to {action.target}: {vm.key} leaves {vm.node}",
                incident=wave_of(action),
                destination=action.target,
                instance_uid=vm.instance.uid if vm.instance else "",
            )


def _last_rejoin(view: PairView, node: NodeView) -> ActionView | None:
    back = (*view.actions_on(node.name, ActionType.REJOIN), *view.actions_on(node.name, ActionType.LEAVE_MAINTENANCE))
    done = [action for action in back if action.phase is ActionPhase.SUCCEEDED]
    return max(done, key=lambda action: action.finished_at or 0.0, default=None)


def _healthy_since(node: NodeView, returned_at: float) -> float:
    """Since it is back, or since its last fault was gone; one that is there now is weighed by the score."""
    ends = [fault.until for each in node.history.components for fault in each.faults if fault.until is not None]
    return max([returned_at, *ends])


def _due(view: PairView, action: ActionView, vm: VmView) -> float:
    """After its stay, unless a person wants it moved; after a failed try ever later."""
    stays = action.type is ActionType.FAILBACK and vm.moved_at is not None
    stay = (vm.moved_at or 0.0) + view.policy.health.minimum_stay_seconds if stays else 0.0
    failed = [move for move in moves_of(view, action) if move.target == vm.key and not move.open]
    if not failed:
        return stay
    pause = view.policy.migration.retry_backoff_seconds * 2.0 ** (tries(view, action, vm) - 1)
    return max(stay, max(move.finished_at or 0.0 for move in failed) + pause)
