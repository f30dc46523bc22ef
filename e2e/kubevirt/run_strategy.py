"""What a VM's run strategy says about starting and stopping: pure, from the VM and the VMI that exists.

State change requests (`status.stateChangeRequests`) are what the subresources leave for this controller: Stop names
the VMI that it means, Start waits until there is none.
"""

import enum
from typing import Any

from e2e.kubevirt.api import Object, is_deleting, is_final, phase_of, uid_of

START: dict[str, Any] = {"action": "Start"}


class Step(enum.Enum):
    """What to do now."""

    NONE = "none"
    START = "start"
    STOP = "stop"
    STOP_THEN_START = "stop, then start"
    """Stop, and leave a Start request so that the VM comes up again."""


def strategy_of(vm: Object) -> str:
    """The effective run strategy; `running` is its old spelling."""
    spec = vm["spec"]
    if spec.get("runStrategy"):
        return str(spec["runStrategy"])
    return "Always" if spec.get("running") else "Halted"


def requests_of(vm: Object) -> list[dict[str, Any]]:
    """The pending state change requests."""
    return list((vm.get("status") or {}).get("stateChangeRequests") or [])


def stop_request(vmi: Object) -> dict[str, Any]:
    """A request to stop exactly this VMI."""
    return {"action": "Stop", "uid": uid_of(vmi)}


def next_step(vm: Object, vmi: Object | None) -> Step:
    """What the run strategy asks for. A VMI that is being deleted is waited for."""
    strategy = strategy_of(vm)
    if vmi is not None:
        return Step.NONE if is_deleting(vmi) else _with_vmi(strategy, vm, vmi)
    wants_start = any(request["action"] == "Start" for request in requests_of(vm))
    first_time = (vm.get("status") or {}).get("runStrategy") != strategy
    starts = {
        "Always": True,
        "RerunOnFailure": wants_start or first_time,
        "Manual": wants_start,
        "Once": first_time,
    }.get(strategy, False)
    return Step.START if starts else Step.NONE


def _with_vmi(strategy: str, vm: Object, vmi: Object) -> Step:
    asked_to_stop = any(
        request["action"] == "Stop" and request.get("uid") == uid_of(vmi) for request in requests_of(vm)
    )
    if strategy == "Halted" or asked_to_stop:
        return Step.STOP
    if strategy == "Always" and is_final(vmi):
        return Step.STOP
    if strategy == "RerunOnFailure" and is_final(vmi):
        return Step.STOP_THEN_START if phase_of(vmi) == "Failed" else Step.STOP
    return Step.NONE


def pending_requests(vm: Object, vmi: Object | None) -> list[dict[str, Any]]:
    """The requests without a first one that has been fulfilled."""
    requests = requests_of(vm)
    if not requests:
        return requests
    first = requests[0]
    stopped = first["action"] == "Stop" and (vmi is None or first.get("uid") != uid_of(vmi))
    started = first["action"] == "Start" and vmi is not None and not is_deleting(vmi) and not is_final(vmi)
    return requests[1:] if stopped or started else requests
