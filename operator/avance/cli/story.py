"""An AvanceAction as a line for people, and as JSON for programs."""

from __future__ import annotations

from typing import Any

from avance.cli.terminal import length
from avance.core.model import ActionView, StepView
from avance.core.moments import day_and_clock
from avance.operator.clock import from_api, to_api


def entry_json(action: ActionView) -> dict[str, Any]:
    """Everything on record of one action; times as the API writes them, durations in seconds."""
    evidence = action.evidence
    return {
        "name": action.name,
        "at": to_api(action.created_at),
        "type": str(action.type),
        "target": action.target,
        "destination": action.destination,
        "reason": action.reason,
        "message": action.message,
        "requestedBy": action.requested_by,
        "incident": action.incident,
        "phase": str(action.phase),
        "steps": [_step(step) for step in action.steps],
        "evidence": evidence
        and {
            "node": evidence.node,
            "source": evidence.source,
            "kind": evidence.kind,
            "observedAt": to_api(evidence.observed_at),
            "message": evidence.message,
        },
        "finishedAt": to_api(action.finished_at) if action.finished_at else None,
        "seconds": round(action.finished_at - action.created_at, 3) if action.finished_at else None,
        "result": action.result,
    }


def _step(step: StepView) -> dict[str, Any]:
    return {
        "name": step.name,
        "at": to_api(step.started_at),
        "failedTries": step.attempts,
        "message": step.message,
    }


def entry_line(entry: dict[str, Any]) -> str:
    """`2026-05-01 09:14:07 UTC  Migrate till to node-b, Succeeded in 4.2 s: why (BackupHealthier, by ann)`."""
    at = day_and_clock(from_api(entry["at"]))
    what = f"{entry['type']} {entry['target']}" + (f" to {entry['destination']}" if entry["destination"] else "")
    ended = f" in {length(entry['seconds'])}" if entry["seconds"] is not None else ""
    return f"{at}  {what}, {entry['phase']}{ended}: {entry['message']} ({entry['reason']}, {by(entry['requestedBy'])})"


def by(user: str) -> str:
    """Who asked, short: the operator's service account is the operator."""
    is_operator = user.startswith("system:serviceaccount:") and user.rpartition(":")[2].startswith("avance")
    return "by the operator" if is_operator else f"by {user}" if user else "by nobody named"
