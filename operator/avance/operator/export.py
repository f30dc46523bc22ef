"""The log of actions for programs: each action as one object of JSON, the same from `avance log` and from the operator.

docs/action-log.md is its schema. Fields are added in later releases; none is removed or changes its meaning.
"""

from __future__ import annotations

import logging
from typing import Any

from avance.api.action import AvanceAction
from avance.core.channels import Notification
from avance.core.model import ActionView, FenceEvidence
from avance.operator.actions import view_of
from avance.operator.clock import to_api

Object = dict[str, Any]

LOGGER = "avance.actions"
"""Writes a line to standard output for each action that has ended, and again before its record is removed."""

_log = logging.getLogger(LOGGER)


def entry(action: ActionView, pair: str) -> Object:
    """Everything on record of one action; times as the API writes them, durations in seconds."""
    return {
        "name": action.name,
        "pair": pair,
        "at": to_api(action.created_at),
        "type": str(action.type),
        "target": action.target,
        "destination": action.destination,
        "reason": action.reason,
        "message": action.message,
        "requestedBy": action.requested_by,
        "incident": action.incident,
        "phase": str(action.phase),
        "steps": _steps(action),
        "evidence": _evidence(action.evidence),
        "notification": _notification(action.notification),
        "report": dict(action.report),
        "startedAt": _time(action.started_at),
        "finishedAt": _time(action.finished_at),
        "seconds": round(action.finished_at - action.created_at, 3) if action.finished_at else None,
        "result": action.result,
    }


def tell(obj: Object, news: str) -> None:
    """One line for a log collector. `news`: what has become of the action, as one word."""
    action = AvanceAction.parse(obj)
    told = entry(view_of(action, obj), action.spec.pair_ref.name)
    _log.info("%s %s: %s", told["type"], told["target"], news, extra={"action": told})


def _steps(action: ActionView) -> list[Object]:
    """A step lasts until the next one is entered."""
    ends = [*(step.started_at for step in action.steps[1:]), action.finished_at]
    return [
        {
            "name": step.name,
            "at": to_api(step.started_at),
            "until": _time(end),
            "failedTries": step.attempts,
            "message": step.message,
        }
        for step, end in zip(action.steps, ends, strict=False)
    ]


def _evidence(evidence: FenceEvidence | None) -> Object | None:
    if evidence is None:
        return None
    return {
        "node": evidence.node,
        "source": evidence.source,
        "kind": evidence.kind,
        "observedAt": to_api(evidence.observed_at),
        "message": evidence.message,
    }


def _notification(told: Notification | None) -> Object | None:
    if told is None:
        return None
    return {
        "channel": told.channel,
        "kind": str(told.kind or "Test"),
        "severity": told.severity.word,
        "subject": told.subject,
    }


def _time(moment: float | None) -> str | None:
    return None if moment is None else to_api(moment)
