"""The report that asks for a spare part: which part, where it is, and how often it has failed."""

from __future__ import annotations

from avance.core.faults import Fault
from avance.core.history import ComponentHistory, Occurrence
from avance.core.intents import fault_incident, occurrence_incident
from avance.core.model import ActionView, PairView
from avance.core.moments import day_and_clock
from avance.core.mtbf import mean_seconds

FAULTS_LISTED = 5


def call_home_lines(view: PairView, action: ActionView) -> tuple[str, ...]:
    """What whoever brings the part has to know, a line each."""
    fault, history = _fault(view, action), _history(view, action)
    lines = [f"Node: {action.target}"]
    if fault is not None:
        lines += [f"Part: {fault.part or 'not known'}", f"Serial number: {fault.serial or 'not known'}"]
        lines += [f"Component: {fault.name}, severity {fault.severity}"]
        lines += [f"Detector: {fault.condition}: {fault.message or 'no detail'}"]
    else:
        lines += [action.message]
    if history is not None:
        lines += _history_lines(view, history)
    lines += ["What avance does: it keeps the part in service as far as it can, and moves VMs to the healthier server."]
    return (*lines, "What you do: replace the part. avance notices by itself.")


def mended_at(view: PairView, action: ActionView) -> float | None:
    """When the fault that was called home for was seen gone; None while it is there or not on record."""
    fault = _occurrence(view, action)
    return fault[1].until if fault else None


def _history_lines(view: PairView, history: ComponentHistory) -> list[str]:
    faults = history.faults
    mean = mean_seconds(history, view.policy.mtbf.of(history.kind))
    often = f", on average every {mean / 3600:.1f} h" if mean is not None else ""
    lines = [f"Fault history: {len(faults)} on record{often}"]
    for fault in faults[-FAULTS_LISTED:]:
        end = f" until {day_and_clock(fault.until)}" if fault.until is not None else ", still there"
        lines.append(f"  {day_and_clock(fault.at)}{end}")
    return lines


def _fault(view: PairView, action: ActionView) -> Fault | None:
    node = view.node(action.target)
    return next((fault for fault in node.faults if fault_incident(fault) == action.incident), None) if node else None


def _history(view: PairView, action: ActionView) -> ComponentHistory | None:
    found = _occurrence(view, action)
    return found[0] if found else None


def _occurrence(view: PairView, action: ActionView) -> tuple[ComponentHistory, Occurrence] | None:
    node = view.node(action.target)
    for component in node.history.components if node else ():
        for fault in component.faults:
            if occurrence_incident(action.target, component.kind, component.component, fault) == action.incident:
                return component, fault
    return None
