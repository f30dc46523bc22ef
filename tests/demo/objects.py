"""Objects as the API server and the lab tell of them, cut down to what the story looks at."""

from typing import Any

Object = dict[str, Any]


def action(type_: str, target: str, *steps: tuple[str, str, str], **more: Any) -> Object:
    """An AvanceAction that took the given steps (name, start, end as seconds of one minute) and succeeded."""
    kind = "Node" if target.startswith("node-") else "ProtectedVM"
    told = [{"name": name, "startedAt": at(start), "finishedAt": at(end)} for name, start, end in steps]
    status = {"phase": "Succeeded", "startedAt": at(steps[0][1]), "finishedAt": at(steps[-1][2]), "steps": told}
    return {
        "metadata": {"name": f"{type_.lower()}-{target}", "uid": f"{type_}-{target}"},
        "spec": {
            "type": type_,
            "target": {"kind": kind, "name": target},
            "reason": "ServerCrash",
            "message": f"{target} is held to be dead",
            "requestedBy": "system:serviceaccount:avance-system:avance",
        },
        "status": status | more,
    }


def instance(vm: str, uid: str, phase: str, node: str) -> Object:
    """A VirtualMachineInstance."""
    return {"metadata": {"name": vm, "uid": uid}, "status": {"phase": phase, "nodeName": node}}


def run(vm: str, node: str, started: str, started_by: str, ended: str = "", ended_by: str = "") -> Object:
    """One line of the ledger."""
    times = {"started": at(started), "ended": at(ended) if ended else ""}
    return {"name": vm, "node": node, "started_by": started_by, "ended_by": ended_by} | times


def ledger(*runs: Object, violations: tuple[Object, ...] = ()) -> Object:
    """The ledger with these runs."""
    return {"history": runs, "running": [each for each in runs if not each["ended"]], "violations": violations}


def pair(score: int, explanation: str, state: str = "InService", redundant: str = "True") -> Object:
    """An AvancePair whose status tells of node-a."""
    condition = {"type": "Redundant", "status": redundant, "message": "either server can be lost"}
    node = {"name": "node-a", "state": state, "score": score, "explanation": explanation}
    return {
        "metadata": {"name": "demo", "uid": "pair", "generation": 1},
        "status": {"nodes": [node], "conditions": [condition], "primary": "node-a"},
    }


def at(seconds: str) -> str:
    """A time of the API: so many seconds of one minute."""
    return f"2026-01-01T00:00:{seconds}Z"
