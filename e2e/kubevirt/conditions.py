"""Conditions in the status of an object."""

from typing import Any

from e2e.kubevirt.api import Object, timestamp

Condition = dict[str, Any]


def condition(obj: Object, kind: str) -> Condition | None:
    """The condition of that type, or None."""
    for found in (obj.get("status") or {}).get("conditions") or []:
        if found["type"] == kind:
            return dict(found)
    return None


def is_true(obj: Object, kind: str) -> bool:
    """Whether the condition is there and True."""
    found = condition(obj, kind)
    return found is not None and found["status"] == "True"


def set_condition(obj: Object, kind: str, status: bool, reason: str = "", message: str = "") -> None:
    """Sets it; lastTransitionTime moves only when the status does."""
    wanted: Condition = {"type": kind, "status": str(status)}
    if reason:
        wanted["reason"] = reason
    if message:
        wanted["message"] = message
    put_condition(obj, wanted)


def put_condition(obj: Object, wanted: Condition) -> None:
    """Like set_condition, with the condition as it shall be."""
    conditions = obj.setdefault("status", {}).setdefault("conditions", [])
    stamps = {"lastProbeTime": None, "lastTransitionTime": timestamp()}
    for index, known in enumerate(conditions):
        if known["type"] == wanted["type"]:
            if known["status"] == wanted["status"]:
                stamps = {stamp: known.get(stamp) for stamp in stamps}
            conditions[index] = {**stamps, **wanted}
            return
    conditions.append({**stamps, **wanted})


def remove_condition(obj: Object, kind: str) -> None:
    """Takes it away."""
    status = obj.get("status") or {}
    if status.get("conditions"):
        status["conditions"] = [known for known in status["conditions"] if known["type"] != kind]
