"""The report that asks for a spare part: which part, where it is, and how often it has failed."""

from __future__ import annotations

import re

from avance.core.channels import SparePart
from avance.core.faults import Fault
from avance.core.history import ComponentHistory, Occurrence
from avance.core.intents import fault_incident, occurrence_incident
from avance.core.model import ActionType, ActionView, PairView
from avance.core.moments import day_and_clock
from avance.core.mtbf import mean_seconds, quiet_at

FAULTS_LISTED = 5
_REQUEST = re.compile(
    r"; please send (?:the part|part (?P<part>\S+?))(?:, serial (?P<serial>\S+))?\. Detector: (?P<detail>.*)$",
    re.DOTALL,
)


def request(fault: Fault) -> str:
    """What a CallHome says. Once the fault is gone it is all that is known of part and serial number."""
    part = f" part {fault.part}" if fault.part else " the part"
    serial = f", serial {fault.serial}" if fault.serial else ""
    return f"{names(fault)} please send{part}{serial}. Detector: {fault.message or 'no detail'}"


def names(fault: Fault) -> str:
    """With what the request for a part of this component begins."""
    return f"{fault.sentence};"


def spare_part(view: PairView, node: str, incident: str) -> SparePart | None:
    """What is known of the part whose fault this incident is; None where neither detector nor record know of it."""
    fault, found = _fault(view, node, incident), _occurrence(view, node, incident)
    if fault is None and found is None:
        return None
    history = found[0] if found else None
    part, serial, detail = (fault.part, fault.serial, fault.message) if fault else _requested(view, node, incident)
    kind = fault.kind if fault else history.kind if history else ""
    component = fault.component if fault else history.component if history else ""
    faults = history.faults if history else ()
    return SparePart(
        node=node,
        name=fault.name if fault else f"{kind} {component}".strip(),
        component=component,
        kind=str(kind),
        incident=incident,
        part=part,
        serial=serial,
        severity=str(fault.severity) if fault else "",
        condition=fault.condition if fault else found[1].condition if found else "",
        detail=detail,
        faults=tuple((each.at, each.until) for each in faults[-FAULTS_LISTED:]),
        fault_count=len(faults),
        mtbf_seconds=mean_seconds(history, view.policy.mtbf.of(history.kind)) if history else None,
    )


def call_home_lines(action: ActionView, part: SparePart | None) -> tuple[str, ...]:
    """What whoever brings the part has to know, a line each."""
    lines = [f"Node: {action.target}"]
    if part is not None:
        lines += [f"Part: {part.part or 'not known'}", f"Serial number: {part.serial or 'not known'}"]
        lines += [f"Component: {part.name}" + (f", severity {part.severity}" if part.severity else "")]
        lines += [f"Detector: {part.condition}: {part.detail or 'no detail'}"]
    else:
        lines += [action.message]
    if part is not None and part.fault_count:
        lines += _history_lines(part)
    lines += ["What avance does: it keeps the part in service as far as it can, and moves VMs to the healthier server."]
    return (*lines, "What you do: replace the part. avance notices by itself.")


def mended_at(view: PairView, action: ActionView, now: float) -> float | None:
    """When the fault that was called home for was seen gone, or of a part that comes and goes, when it will have been
    quiet for long enough; None while it is there or not on record.
    """
    found = _occurrence(view, action.target, action.incident)
    if found is None or found[1].until is None:
        return None
    return max(found[1].until, quiet_at(found[0], view.policy.health, now) or 0.0)


def _history_lines(part: SparePart) -> list[str]:
    often = f", on average every {part.mtbf_seconds / 3600:.1f} h" if part.mtbf_seconds is not None else ""
    lines = [f"Fault history: {part.fault_count} on record{often}"]
    for at, until in part.faults:
        lines.append(f"  {day_and_clock(at)}{f' until {day_and_clock(until)}' if until else ', still there'}")
    return lines


def _requested(view: PairView, node: str, incident: str) -> tuple[str, str, str]:
    """Part, serial number and the detector's words as the CallHome on record has them; empty where it has none."""
    calls = (call for call in view.actions_on(node, ActionType.CALL_HOME) if call.incident == incident)
    asked = next((found for call in calls if (found := _REQUEST.search(call.message))), None)
    return (asked["part"] or "", asked["serial"] or "", asked["detail"]) if asked else ("", "", "")


def _fault(view: PairView, node: str, incident: str) -> Fault | None:
    seen = view.node(node)
    return next((fault for fault in seen.faults if fault_incident(fault) == incident), None) if seen else None


def _occurrence(view: PairView, node: str, incident: str) -> tuple[ComponentHistory, Occurrence] | None:
    seen = view.node(node)
    for component in seen.history.components if seen else ():
        for fault in component.faults:
            if occurrence_incident(node, component.kind, component.component, fault) == incident:
                return component, fault
    return None
