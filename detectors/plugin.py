"""The plug-in of node-problem-detector: one condition, one look, one line, and an exit code of the protocol."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from detectors.finding import Finding, Verdict, conclude
from detectors.host import Host
from detectors.kinds import SENSES
from detectors.settings import SettingsError, load

SETTINGS = "/etc/avance-detectors/settings.json"
BUDGET = 20.0
"""Seconds for one look, unless a second argument says otherwise: less than NPD's own timeout, which says less."""


def look(condition: str, host: Host) -> Finding:
    """The verdict on one condition. Raises ValueError for one that no plug-in senses."""
    for kind, sense in SENSES.items():
        if kind.condition == condition:
            return conclude(partial(sense, host), kind.healthy_message)
    raise ValueError(f"no plug-in senses {condition!r}: use one of {', '.join(kind.condition for kind in SENSES)}")


def main(arguments: Sequence[str]) -> int:
    """`detect <condition> [seconds]`. Prints the line; returns the exit code."""
    try:
        condition, *rest = arguments or ("",)
        seconds = float(rest[0]) if rest else BUDGET
        settings = load(Path(os.environ.get("AVANCE_DETECTORS_SETTINGS", SETTINGS)), os.environ.get("NODE_NAME", ""))
        memory = Path(os.environ.get("AVANCE_DETECTORS_MEMORY", "/run/avance-detectors"))
        finding = look(condition, Host(settings, memory=memory, deadline=time.monotonic() + seconds))
    except (SettingsError, ValueError) as error:
        finding = Finding(Verdict.UNKNOWN, str(error))
    print(finding.message)  # noqa: T201 -- the protocol
    return finding.verdict
