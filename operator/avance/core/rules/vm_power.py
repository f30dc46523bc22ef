"""A VM runs if its spec says so, on the node that the placement policy chooses, and is shut down if not."""

from __future__ import annotations

from collections.abc import Iterator

from avance.core.intents import Intent, LookAgain, incident_id, intent, last_failure
from avance.core.licence import why_not_start
from avance.core.model import ActionType, PairView
from avance.core.placement import choose_node

RETRY_SECONDS = 30.0
"""Between tries of a start that failed."""


def start_what_shall_run(view: PairView, now: float) -> Iterator[Intent | LookAgain]:
    """A VM without an instance is started where it fits, unless something may still run it.

    One a pass, highest tier first: the next pass counts it when it looks for room for the next one.
    """
    for vm in sorted(view.vms, key=lambda vm: vm.priority):
        if not vm.should_run or vm.instance is not None or not vm.exists or view.open_action(vm.key):
            continue
        due = last_failure(view, vm.key, ActionType.START) + RETRY_SECONDS
        if now < due:
            yield LookAgain(due)
            continue
        if why_not_start(view, vm, now):
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
