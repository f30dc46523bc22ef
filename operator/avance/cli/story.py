"""An AvanceAction as a line for people."""

from __future__ import annotations

from typing import Any

from avance.cli.terminal import length
from avance.core.moments import day_and_clock
from avance.operator.clock import from_api


def entry_line(entry: dict[str, Any]) -> str:
    """`2026-05-01 09:14:07 UTC  Migrate till to node-b, Succeeded in 4.2 s: why (BackupHealthier, by ann)`."""
    at = day_and_clock(from_api(entry["at"]))
    what = f"{entry['type']} {entry['target']}" + (f" to {entry['destination']}" if entry["destination"] else "")
    ended = f" in {length(entry['seconds'])}" if entry["seconds"] is not None else ""
    return f"{at}  {what}, {entry['phase']}{ended}: {entry['message']} ({entry['reason']}, {by(entry['requestedBy'])})"


def by(user: str) -> str:
    """Who asked, short: the operator's service account is the operator."""
    return "by the operator" if is_operator(user) else f"by {user}" if user else "by nobody named"


def is_operator(user: str) -> bool:
    """Whether this is how the API server calls an operator that the chart has installed."""
    return user.startswith("system:serviceaccount:") and user.rpartition(":")[2].startswith("avance")
