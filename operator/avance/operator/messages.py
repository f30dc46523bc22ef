"""What a Notify tells, between the API's spelling and the core's."""

from __future__ import annotations

from typing import Any

from avance.api.notifications import Message, Part
from avance.core.channels import MessageKind, MessageSeverity, Notification, SparePart
from avance.operator.clock import to_api

Object = dict[str, Any]

_LIMITS = {"name": 253, "component": 253, "part": 253, "serial": 253, "condition": 316, "detail": 1024}
"""Longest texts that the API takes: a detector that says more must not keep people from being told."""


def notification_of(message: Message | None) -> Notification | None:
    """As the rules see it."""
    if message is None:
        return None
    severity = MessageSeverity[message.severity.upper()]
    kind = MessageKind(message.kind) if message.kind else None
    parts = tuple(map(_spare_part, message.parts))
    return Notification(message.channel, kind, severity, message.subject, message.text, message.about, parts)


def message_of(told: Notification) -> Object:
    """As it is written into an AvanceAction."""
    return {
        "channel": told.channel,
        **({"kind": str(told.kind)} if told.kind else {}),
        "severity": told.severity.word,
        "subject": told.subject,
        "text": told.text,
        "about": list(told.about),
        **({"parts": list(map(part_of, told.parts))} if told.parts else {}),
    }


def part_of(part: SparePart) -> Object:
    """A part in the API's spelling; the data of a webhook has it so too."""
    texts = {field: getattr(part, field)[:limit] for field, limit in _LIMITS.items()}
    mtbf = {} if part.mtbf_seconds is None else {"mtbfSeconds": round(part.mtbf_seconds)}
    return {
        "node": part.node,
        "kind": part.kind,
        "incident": part.incident,
        "severity": part.severity,
        **texts,
        "faults": [
            {"at": to_api(at), **({} if until is None else {"until": to_api(until)})} for at, until in part.faults
        ],
        "faultCount": part.fault_count,
        **mtbf,
    }


def _spare_part(part: Part) -> SparePart:
    plain = part.model_dump(exclude={"faults", "mtbf_seconds"})
    faults = tuple((each.at.timestamp(), each.until.timestamp() if each.until else None) for each in part.faults)
    mtbf = None if part.mtbf_seconds is None else float(part.mtbf_seconds)
    return SparePart(**plain, faults=faults, mtbf_seconds=mtbf)
