"""From a report to the status objects of the API; only what changed is written."""

from __future__ import annotations

from typing import Any

from avance.core.condition import Condition
from avance.core.failover import Failover
from avance.core.faults import Fault
from avance.core.liveness import standing_evidence
from avance.core.model import FenceEvidence, NodeView, PairView
from avance.core.node_report import NodeReport
from avance.core.phase_times import BUDGETS
from avance.core.report import PairReport, VmReport
from avance.operator.actions import MESSAGE_LIMIT, evidence_object
from avance.operator.clock import from_api, to_api
from avance.operator.disk_status import written_object
from avance.operator.history import history_status
from avance.operator.ledger import ledger

Object = dict[str, Any]

NODES_SHOWN, VMS_SHOWN, FAULTS_SHOWN, TEXT_LIMIT, SCORES_LIMIT = 8, 128, 64, 253, 600
WOULD_SHOWN = 16
REMEMBERED = (
    "name",
    "components",
    "declaredDown",
    "mtbfLiftedAt",
    "expectedSystemUUID",
    "identifiedAt",
    "maintenance",
    "maintenanceEndedAt",
)
"""What outlives the Node object in its entry."""
"""A selector that matches fifty nodes, and a detector that talks too much, must not make the status unwritable."""

_WORD = {True: "True", False: "False", None: "Unknown"}


def pair_status(
    previous: Object, generation: int, view: PairView, report: PairReport, now: float, would: tuple[str, ...] = ()
) -> Object:
    """The status of an AvancePair; what is unchanged keeps its times. `would`: what is not done for a pause or mode."""
    status: Object = {
        "observedGeneration": generation,
        "conditions": conditions(previous, generation, report.conditions, now),
        "primary": report.primary,
        "scores": " ".join(f"{node.name}={node.score.value}" for node in report.nodes[:NODES_SHOWN])[:SCORES_LIMIT],
        "vmCount": f"{len(view.vms)}/{view.policy.limits.max_vms}",
        "nodes": _nodes(previous, view, report, now),
        "vms": [_vm_of_pair(vm) for vm in report.vms[:VMS_SHOWN]],
        "incident": _incident(report),
        "lastCrash": _last_crash(report) or previous.get("lastCrash"),
        "wouldDo": [sentence[:MESSAGE_LIMIT] for sentence in would[:WOULD_SHOWN]] or None,
        "notifications": _channels(previous, view, now) or None,
    }
    return {field: value for field, value in status.items() if value not in ("", None)}


def vm_status(
    previous: Object, generation: int, report: VmReport, now: float, disks: list[Object] | None = None
) -> Object:
    """The status of a ProtectedVM. Downtime is added up when an outage ends."""
    status: Object = {
        "observedGeneration": generation,
        "phase": report.phase,
        "conditions": conditions(previous, generation, report.conditions, now),
        "primary": report.primary,
        "backup": report.backup,
        "lastFailover": _last_failover(previous, report.last_failover),
        "lastWritten": written_object(report.written),
        "disks": disks,
        "guestAnswered": report.answered or previous.get("guestAnswered"),
        **ledger(previous, report.outage, now),
    }
    return {field: value for field, value in status.items() if value not in ("", None)}


def conditions(previous: Object, generation: int, found: tuple[Condition, ...], now: float) -> list[Object]:
    """Conditions in the API's shape; the transition time moves only when the status does."""
    known = {condition["type"]: condition for condition in previous.get("conditions") or ()}
    return [_condition(known.get(condition.type, {}), generation, condition, now) for condition in found]


def _condition(known: Object, generation: int, condition: Condition, now: float) -> Object:
    status = _WORD[condition.holds]
    unchanged = known.get("status") == status
    return {
        "type": condition.type,
        "status": status,
        "reason": condition.reason,
        "message": condition.message[:MESSAGE_LIMIT],
        "observedGeneration": generation,
        "lastTransitionTime": known["lastTransitionTime"] if unchanged else to_api(now),
    }


def _nodes(previous: Object, view: PairView, report: PairReport, now: float) -> list[Object]:
    """The nodes that there are, and what is remembered of one that is away for a while: it may come back as another."""
    shown = [_node(previous, view, node, now) for node in report.nodes[:NODES_SHOWN]]
    here = {node.name for node in report.nodes}
    away = [
        {"state": "Absent"} | {field: entry[field] for field in REMEMBERED if field in entry}
        for entry in previous.get("nodes") or ()
        if entry["name"] not in here and "expectedSystemUUID" in entry
    ]
    return shown + away[: NODES_SHOWN - len(shown)]


def _node(previous: Object, view: PairView, report: NodeReport, now: float) -> Object:
    node = view.node(report.name)
    known: Object = next((entry for entry in previous.get("nodes") or () if entry["name"] == report.name), {})
    described: Object = {
        "name": report.name,
        "state": report.state,
        "score": report.score.value,
        "explanation": report.score.explanation[:MESSAGE_LIMIT],
        "faults": [_fault(fault) for fault in node.faults[:FAULTS_SHOWN]] if node else [],
        "fence": _fence(known.get("fence") or {}, report, node, standing_evidence(view, report.name), now),
    }
    if node and node.boot_id:
        described["bootID"] = node.boot_id
    if node and node.system_uuid:
        described["systemUUID"] = node.system_uuid
    return described | (history_status(node.history, view.policy.mtbf) if node else {})


def _fence(
    known: Object, report: NodeReport, node: NodeView | None, evidence: FenceEvidence | None, now: float
) -> Object:
    state = {True: "Healthy", False: "Failed", None: "Unknown"}[report.fence_path.holds]
    path = {"state": state, "message": report.fence_path.message[:MESSAGE_LIMIT]}
    before = known.get("path") or {}
    checked_at = node.power.observed_at if node and node.power else None
    if {key: before.get(key) for key in path} == path and "checkedAt" in before and checked_at is not None:
        # A healthy path is tried all the time: its time is refreshed now and then, not with every try.
        stale = checked_at - from_api(before["checkedAt"]) > 600
        path["checkedAt"] = to_api(checked_at) if stale else before["checkedAt"]
    elif checked_at is not None:
        path["checkedAt"] = to_api(checked_at)
    if report.bmc_lied:
        path["liedAt"] = before.get("liedAt") or to_api(now)
    return {"path": path} | ({"evidence": evidence_object(evidence)} if evidence else {})


def _fault(fault: Fault) -> Object:
    described = {
        "kind": str(fault.kind),
        "component": fault.component[:TEXT_LIMIT],
        "severity": str(fault.severity),
        "condition": fault.condition,
        "since": to_api(fault.since),
        "message": fault.message[:MESSAGE_LIMIT],
        "part": fault.part[:TEXT_LIMIT],
        "serial": fault.serial[:TEXT_LIMIT],
    }
    return {field: value for field, value in described.items() if value or field == "component"}


def _vm_of_pair(report: VmReport) -> Object:
    namespace, name = report.key.split("/")
    protected = any(condition.type == "Protected" and condition.holds for condition in report.conditions)
    described = {
        "namespace": namespace,
        "name": name,
        "phase": report.phase,
        "primary": report.primary,
        "backup": report.backup,
    }
    return {field: value for field, value in described.items() if value} | {"protected": protected}


def _channels(previous: Object, view: PairView, now: float) -> list[Object]:
    """Since when each channel is there."""
    known = {entry["name"]: entry["since"] for entry in previous.get("notifications") or ()}
    names = [channel.name for channel in view.policy.notifications.channels]
    return [{"name": name, "since": known.get(name) or to_api(now)} for name in names]


def _incident(report: PairReport) -> Object | None:
    action = report.incident
    if action is None:
        return None
    return {"id": action.incident, "since": to_api(action.created_at), "message": action.message}


def _last_crash(report: PairReport) -> Object | None:
    crash = report.last_crash
    if crash is None:
        return None
    phases = [
        {"phase": str(phase), "seconds": round(seconds), "budgetSeconds": round(BUDGETS[phase])}
        for phase, seconds in crash.phases
    ]
    return {"node": crash.node, "incident": crash.incident, "time": to_api(crash.ended_at), "phases": phases}


def _last_failover(previous: Object, failover: Failover | None) -> Object | None:
    """The newer of what is on record and what the recorded actions say: those are pruned some day."""
    known: Object | None = previous.get("lastFailover")
    if failover is None or (known and from_api(known["time"]) >= failover.at):
        return known
    described = {
        "time": to_api(failover.at),
        "kind": failover.kind,
        "from": failover.origin,
        "to": failover.to,
        "seconds": round(failover.seconds),
    }
    return {field: value for field, value in described.items() if value != ""}
