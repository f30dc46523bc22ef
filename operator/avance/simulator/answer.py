"""The answer to a what-if, for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from avance.core.model import PairView
from avance.core.moments import clock_time
from avance.core.phase_times import Estimate, Phase
from avance.simulator.what_if import Answer, VmOutcome

_PHASES = {
    Phase.FENCE: "proving {} off",
    Phase.POWER_OFF: "cutting the power of {}",
    Phase.RELEASE: "giving up what {} held",
    Phase.BOOT: "boot of {}",
    Phase.MIGRATION: "migration of {}",
    Phase.SERVER_BOOT: "boot of {}",
}


def as_text(view: PairView, answer: Answer, blockers: Sequence[str], seen_at: float) -> str:
    """The order of events, what becomes of each VM, what the times rest on, and what would block it."""
    seen = clock_time(seen_at)
    lines = [f"What if {answer.question.sentence} now? Pair {view.name} as seen at {seen}.", ""]
    lines += [f"  {_clock(entry.at)}  {entry.who:<9} {entry.what}" for entry in answer.timeline]
    lines += ["", *_table([("VM", "now", "then", "down", ""), *map(_vm_row, answer.vms)])]
    lines += ["", _ending(answer)]
    lines += ["", "The times rest on:", *(f"  {line}" for line in _bases(answer.estimates))] if answer.estimates else []
    lines += ["", *(f"BLOCKED  {blocker}" for blocker in blockers)]
    lines += [] if blockers else ["It would be survived." if answer.vms else "No VM would notice: none shall run."]
    return "\n".join(lines) + "\n"


def as_json(view: PairView, answer: Answer, blockers: Sequence[str], seen_at: float) -> str:
    """One JSON document; times are seconds from the moment in which it happens."""
    question = answer.question
    document = {
        "pair": view.name,
        "seenAt": datetime.fromtimestamp(seen_at, UTC).isoformat(),
        "whatIf": {
            "deed": question.deed,
            "node": question.node,
            **({"kind": question.kind, "component": question.component} if question.kind else {}),
        },
        "survived": not blockers,
        "blockers": list(blockers),
        "vms": [
            {
                "vm": vm.key,
                "now": vm.before,
                "then": vm.after,
                "runs": vm.runs,
                "downSeconds": vm.down_seconds,
                "because": vm.because,
            }
            for vm in answer.vms
        ],
        "actions": [
            {"type": one.type, "target": one.target, "phase": one.phase, "begins": one.began, "ends": one.ended}
            for one in answer.actions
        ],
        "phases": [
            {"phase": one.phase, "target": one.target, "seconds": round(one.seconds, 2), "measurements": one.samples}
            for one in answer.estimates
        ],
        "timeline": [{"at": entry.at, "who": entry.who, "what": entry.what} for entry in answer.timeline],
        "seconds": answer.seconds,
        "atRest": answer.at_rest,
    }
    return json.dumps(document, indent=2) + "\n"


def _ending(answer: Answer) -> str:
    if answer.at_rest:
        return f"Nothing is left to do after {_duration(answer.seconds)}."
    return f"After {_duration(answer.seconds)} something is still waited for."


def _bases(estimates: Iterable[Estimate]) -> list[str]:
    """One line each, the same thing once."""
    lines = (f"{_PHASES[one.phase].format(one.target)}: {one.seconds:.1f} s ({one.basis})" for one in estimates)
    return list(dict.fromkeys(lines))


def _vm_row(vm: VmOutcome) -> tuple[str, ...]:
    down = _duration(vm.down_seconds) if vm.runs else "for good"
    return vm.key, vm.before or "-", vm.after or "-", "never" if vm.runs and not vm.down_seconds else down, vm.because


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _clock(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{minutes:3.0f}:{rest:05.2f}"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"
