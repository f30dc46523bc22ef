"""A VM runs if its spec says so, on the node that the placement policy chooses, and is shut down if not."""

from __future__ import annotations

from collections.abc import Iterator

from avance.core.capacity import why_not_admitted
from avance.core.failures import given_up
from avance.core.intents import Intent, LookAgain, incident_id, intent
from avance.core.licence import why_not_start
from avance.core.model import ActionPhase, ActionType, PairView, VmView
from avance.core.order import in_order
from avance.core.placement import choose_node
from avance.core.provisioning import why_disks_keep_it

RETRY_SECONDS = 30.0
"""Between tries of a start that failed."""
GATHERING_SECONDS = 1.0
"""VMs that are created together are seen one after the other: the first start of one waits for those it may follow."""


def start_what_shall_run(view: PairView, now: float) -> Iterator[Intent | LookAgain]:
    """A VM without an instance is started where it fits, unless something may still run it, its disks are still being
    made, or the pair has not the room to take it on (N+1).

    One a pass, in the order of tiers and dependencies: the next pass counts it when it looks for room for the next one.
    """
    for vm in in_order(view):
        held = vm.pause is not None and now < vm.pause.until
        if not vm.should_run or vm.instance is not None or view.open_action(vm.key) or held or given_up(view, vm):
            continue
        due = max(_last_failed(view, vm) + RETRY_SECONDS, 0.0 if vm.last_node else vm.seen_at + GATHERING_SECONDS)
        if now < due:
            yield LookAgain(due)
            continue
        if why_not_admitted(view, vm) or why_disks_keep_it(vm.provisioning) or why_not_start(view, vm, now):
            continue
        node = choose_node(view, vm, now)
        if node:
            yield intent(
                view,
                ActionType.START,
                vm.key,
                reason="ShallRun",
                message=f"{vm.key} shall run and does not: starting it on {node}",
                incident=incident_id("start", vm.name, vm.namespace, vm.last_node),
                destination=node,
            )
            return


def stop_what_shall_not_run(view: PairView, now: float) -> Iterator[Intent | LookAgain]:
    """`running: false` shuts the guest down."""
    for vm in view.vms:
        if not vm.should_run and vm.instance is not None and not vm.instance.phase.final:
            yield intent(
                view,
                ActionType.STOP,
                vm.key,
                reason="ShallNotRun",
                message=f"the spec of {vm.key} says running: false",
                incident=incident_id("stop", vm.name, vm.namespace, vm.instance.uid),
                instance_uid=vm.instance.uid,
            )


def _last_failed(view: PairView, vm: VmView) -> float:
    starts = view.actions_on(vm.key, ActionType.START)
    return max((start.finished_at or 0.0 for start in starts if start.phase is ActionPhase.FAILED), default=0.0)
