"""A server that is taken out of service by choice hands its VMs over first."""

from __future__ import annotations

from collections.abc import Iterator

from avance.core.fitness import bound_for
from avance.core.intents import Intent, LookAgain, intent, last_failure
from avance.core.model import ActionType, PairView
from avance.core.sparing import HAND_OVER, guests_on, why_not_hand_over


def hand_over_its_vms(view: PairView, now: float) -> Iterator[Intent | LookAgain]:
    """While an action on a server is at that step, every VM there moves to the other one at the same time."""
    for action in view.actions:
        node, peer = view.node(action.target), view.peer(action.target)
        if not action.open or action.current != HAND_OVER or node is None or peer is None:
            continue
        if why_not_hand_over(view, node, now):
            continue
        for vm in guests_on(view, node.name):
            if bound_for(view, vm) or vm.instance is None:
                continue
            due = last_failure(view, vm.key, ActionType.MIGRATE) + view.policy.migration.retry_backoff_seconds
            if now < due:
                yield LookAgain(due)
                continue
            yield intent(
                view,
                ActionType.MIGRATE,
                vm.key,
                reason=HAND_OVER,
                message=f"{node.name} is taken out of service ({action.type}): {vm.key} moves to {peer.name} first",
                incident=action.incident or action.name,
                destination=peer.name,
                instance_uid=vm.instance.uid,
            )
