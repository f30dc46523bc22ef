"""The status of a VirtualMachine, derived from it and its VMI."""

import datetime
import random
from typing import Any

from e2e.kubevirt.api import Object, is_deleting, is_final, phase_of, seconds_since, timestamp, uid_of
from e2e.kubevirt.conditions import condition, is_true, put_condition, remove_condition, set_condition
from e2e.kubevirt.configuration import Timings
from e2e.kubevirt.run_strategy import requests_of, strategy_of
from e2e.kubevirt.vmi_controller import was_running

_OWN_CONDITIONS = frozenset({"Ready", "RestartRequired", "Failure", "Initialized"})


def printable_status(vm: Object, vmi: Object | None, of_disks: str = "") -> str:
    """The one word that kubectl shows; the first that applies, in KubeVirt's order.

    `of_disks`: DataVolumeError or Provisioning, if its DataVolumes are so.
    """
    if is_deleting(vm):
        return "Terminating"
    if vmi is not None and not is_final(vmi):
        word = _of_live(vmi)
        later = {"DataVolumeError": ("ErrorUnschedulable", "Starting"), "Provisioning": ("Starting",)}
        if word and word not in later.get(of_disks, ()):
            return word
    if of_disks:
        return of_disks
    startable = strategy_of(vm) != "Halted" and (vmi is None or is_final(vmi))
    if startable and backoff_left(vm) > 0:
        return "CrashLoopBackOff"
    starting = vmi is None and any(request["action"] == "Start" for request in requests_of(vm))
    return "Starting" if starting else "Stopped"


def _of_live(vmi: Object) -> str:
    state = (vmi.get("status") or {}).get("migrationState") or {}
    synchronized = condition(vmi, "Synchronized") or {}
    scheduled = condition(vmi, "PodScheduled") or {}
    phase = phase_of(vmi)
    words = [
        ("Stopping", is_deleting(vmi)),
        ("Migrating", bool(state.get("startTimestamp")) and not state.get("endTimestamp")),
        ("Paused", is_true(vmi, "Paused")),
        ("Running", phase == "Running"),
        ("ErrorPvcNotFound", synchronized.get("reason") == "FailedPvcNotFound"),
        ("ErrorUnschedulable", scheduled.get("status") == "False" and scheduled.get("reason") == "Unschedulable"),
        ("Starting", phase in ("", "Pending", "Scheduling", "Scheduled")),
    ]
    return next((word for word, applies in words if applies), "")


def backoff_left(vm: Object) -> float:
    """Seconds until a VM that failed to start may be started again; 0 or less means now."""
    failure = (vm.get("status") or {}).get("startFailure") or {}
    retry = failure.get("retryAfterTimestamp")
    return -seconds_since(retry) if retry else 0.0


def update_status(vm: Object, vmi: Object | None, timings: Timings, of_disks: str = "") -> None:
    """Brings vm["status"] up to date, but for requests, runStrategy and RestartRequired."""
    status = vm.setdefault("status", {})
    _update_start_failure(status, vmi, timings)
    _flag(status, "created", vmi is not None)
    _flag(status, "ready", vmi is not None and is_true(vmi, "Ready"))
    _copy_conditions(vm, vmi)
    status["printableStatus"] = printable_status(vm, vmi, of_disks)
    status["desiredGeneration"] = vm["metadata"]["generation"]


def _flag(status: dict[str, Any], name: str, value: bool) -> None:
    if value:
        status[name] = True
    else:
        status.pop(name, None)


def _update_start_failure(status: dict[str, Any], vmi: Object | None, timings: Timings) -> None:
    if vmi is None:
        return
    if was_running(vmi):
        status.pop("startFailure", None)
    elif is_final(vmi) and not is_deleting(vmi):
        known = status.get("startFailure") or {}
        if known.get("lastFailedVMIUID") == uid_of(vmi):
            return
        count = int(known.get("consecutiveFailCount") or 0) + 1
        delay = timings.start_backoff * count**2 * random.uniform(1, 1.5)
        retry = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=min(delay, timings.start_backoff_cap))
        status["startFailure"] = {
            "lastFailedVMIUID": uid_of(vmi),
            "consecutiveFailCount": count,
            "retryAfterTimestamp": timestamp(retry + datetime.timedelta(seconds=1)),  # whole seconds: never early
        }


def _copy_conditions(vm: Object, vmi: Object | None) -> None:
    if vmi is None:
        set_condition(vm, "Ready", False, "VMINotExists", "VMI does not exist")
    copied = {found["type"]: found for found in ((vmi or {}).get("status") or {}).get("conditions") or []}
    for known in list(vm["status"].get("conditions") or []):
        if known["type"] not in copied and known["type"] not in _OWN_CONDITIONS:
            remove_condition(vm, known["type"])
    for found in copied.values():
        put_condition(
            vm, {field: value for field, value in found.items() if field not in ("lastTransitionTime", "lastProbeTime")}
        )
