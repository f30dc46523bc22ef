"""The memory of a node's faults as the pair's status keeps it."""

from __future__ import annotations

from typing import Any

from avance.api.maintenance import MaintenanceStatus
from avance.api.mtbf import ComponentStatus
from avance.api.node_status import NodeStatus
from avance.core.components import ComponentKind
from avance.core.history import ComponentHistory, Declaration, Maintenance, NodeHistory, Occurrence
from avance.core.mtbf import at_risk_until, in_window, mean_seconds
from avance.core.policy import MtbfPolicy
from avance.operator.actions import MESSAGE_LIMIT
from avance.operator.clock import to_api

Object = dict[str, Any]


def history_of(status: NodeStatus) -> NodeHistory:
    """What an earlier look has left in the status."""
    down = status.declared_down
    return NodeHistory(
        components=tuple(map(_component, status.components)),
        declared_down=Declaration(down.since.timestamp(), down.message, down.kind or "", down.component)
        if down
        else None,
        lifted_at=status.mtbf_lifted_at.timestamp() if status.mtbf_lifted_at else 0.0,
        system_uuid=status.expected_system_uuid or "",
        identified_at=status.identified_at.timestamp() if status.identified_at else 0.0,
        maintenance=_maintenance(status.maintenance) if status.maintenance else None,
        maintenance_ended_at=status.maintenance_ended_at.timestamp() if status.maintenance_ended_at else 0.0,
        heard_peer_in=status.heard_peer_in or "",
        cordoned_at=status.cordoned_at.timestamp() if status.cordoned_at else 0.0,
    )


def _maintenance(status: MaintenanceStatus) -> Maintenance:
    return Maintenance(status.since.timestamp(), status.by, status.message, status.empty)


def _component(status: ComponentStatus) -> ComponentHistory:
    return ComponentHistory(
        kind=ComponentKind(status.kind),
        component=status.component,
        faults=tuple(
            Occurrence(
                fault.condition,
                fault.since.timestamp(),
                fault.at.timestamp(),
                fault.until.timestamp() if fault.until else None,
            )
            for fault in status.faults
        ),
        counted_from=status.counted_from.timestamp() if status.counted_from else 0.0,
        failed_since=status.failed_since.timestamp() if status.failed_since else None,
    )


def history_status(history: NodeHistory, policy: MtbfPolicy) -> Object:
    """The fields of a node's status that hold its memory; those that say nothing are left out."""
    down = history.declared_down
    described: Object = {
        "components": [_component_status(each, policy.of(each.kind)) for each in history.components],
        "mtbfLiftedAt": _time(history.lifted_at),
        "expectedSystemUUID": history.system_uuid,
        "identifiedAt": _time(history.identified_at),
        "maintenance": _maintenance_status(history.maintenance) if history.maintenance else None,
        "maintenanceEndedAt": _time(history.maintenance_ended_at),
        "heardPeerIn": history.heard_peer_in,
        "cordonedAt": _time(history.cordoned_at),
    }
    if down is not None:
        cause = {"kind": str(down.kind), "component": down.component} if down.kind else {}
        described["declaredDown"] = {"since": to_api(down.at), "message": down.because[:MESSAGE_LIMIT], **cause}
    return _said(described)


def _maintenance_status(maintenance: Maintenance) -> Object:
    return {
        "since": to_api(maintenance.since),
        "by": maintenance.by,
        "message": maintenance.because[:MESSAGE_LIMIT],
        "empty": maintenance.empty,
    }


def _component_status(history: ComponentHistory, policy: MtbfPolicy) -> Object:
    mean, at_risk = mean_seconds(history, policy), at_risk_until(history, policy)
    described = {
        "kind": str(history.kind),
        "component": history.component,
        "faultCount": len(in_window(history, policy)),
        "mtbfSeconds": None if mean is None else round(mean),
        "atRiskUntil": _time(at_risk),
        "failedSince": _time(history.failed_since),
        "countedFrom": _time(history.counted_from),
        "faults": [_fault(fault) for fault in history.faults],
    }
    return _said(described) | {"component": history.component, "faultCount": described["faultCount"]}


def _fault(fault: Occurrence) -> Object:
    times = {"since": to_api(fault.since), "at": to_api(fault.at), "until": _time(fault.until)}
    return _said({"condition": fault.condition, **times})


def _time(moment: float | None) -> str | None:
    return to_api(moment) if moment else None


def _said(described: Object) -> Object:
    return {field: value for field, value in described.items() if value not in (None, "", [])}
