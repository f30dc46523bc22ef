"""What a request of an operator is, in the words of the product: an effect on the world, or a line in the log of it."""

import json
from collections.abc import Mapping
from typing import Any

from avance.operator.marks import CLOSED, OUT_OF_SERVICE_TAINT
from e2e.lab.wire import Write

_TALK = ("/leases/", "/events", "/selfsubjectreviews", "/avancepairs/", "/protectedvms/")
"""Renewals of the leader's Lease, Events and statuses: nothing is decided by them."""
_PLURALS = {
    ("PATCH", "virtualmachines"): "ApplyVm",
    ("POST", "virtualmachineinstancemigrations"): "CreateMigration",
    ("DELETE", "virtualmachineinstancemigrations"): "DeleteMigration",
    ("DELETE", "pods"): "DeletePod",
}
_VERBS = {"start": "StartVm", "restart": "StartVm", "stop": "StopVm"}


def deed_of(write: Write) -> str:
    """The effect's name, or the action's type with what is recorded of it; empty for mere talk.

    A write that is not known here is a deed of its own, named by method and path.
    """
    if any(each in write.path for each in _TALK):
        return ""
    content = json.loads(write.body) if write.body.startswith(b"{") else {}
    parts = write.path.strip("/").split("/")
    if write.path.endswith("/Actions/ComputerSystem.Reset"):
        return "PowerOff" if "Off" in content["ResetType"] else "PowerOn"
    if "avanceactions" in parts:
        return _record(write.method, parts[parts.index("avanceactions") + 1 :], content)
    if "nodes" in parts and write.method == "PATCH":
        return _mark(content)
    if parts[-1] in _VERBS and "subresources.kubevirt.io" in parts:
        return _VERBS[parts[-1]]
    named = (_PLURALS.get((write.method, part)) for part in parts)
    return next((name for name in named if name), f"{write.method} {write.path}")


def is_record(deed: str) -> bool:
    """A line in the log: an action's intent, step, evidence or end."""
    return deed.startswith("record ")


def _record(method: str, where: list[str], content: Mapping[str, Any]) -> str:
    """Which line it is, whatever it is about: an action's name begins with its type."""
    if method == "POST":
        return f"record {content['spec']['type']}"
    if method == "DELETE":
        return "record pruned"
    status = content["status"]
    proof = " with evidence" if "evidence" in status else ""
    return f"record {where[0].partition('-')[0]}: {status['step']} {status['phase']}{proof}"


def _mark(content: Mapping[str, Any]) -> str:
    annotations = content["metadata"].get("annotations") or {}
    if CLOSED in annotations:
        return "CloseNode" if annotations[CLOSED] else "OpenNode"
    taints = {taint["key"] for taint in content.get("spec", {}).get("taints") or ()}
    return "MarkOutOfService" if OUT_OF_SERVICE_TAINT in taints else "ClearOutOfService"
