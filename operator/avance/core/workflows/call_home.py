"""CallHome: report a failed part that somebody has to bring. The record is the report; there is no one to wait for."""

from __future__ import annotations

from dataclasses import replace

from avance.core.call_home_report import spare_part
from avance.core.model import ActionView, PairView
from avance.core.progress import Progress, succeed


def advance(action: ActionView, view: PairView, now: float) -> Progress:
    done = succeed("Report", action.message)
    part = spare_part(view, action.target, action.incident)
    if part is None:
        return done
    known = {
        "part": part.part,
        "serial": part.serial,
        "kind": part.kind,
        "component": part.component,
        "severity": part.severity,
        "condition": part.condition,
        "detail": part.detail,
        "faults": str(part.fault_count) if part.fault_count else "",
    }
    return replace(done, report=tuple((name, value) for name, value in known.items() if value))
