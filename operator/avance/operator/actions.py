"""AvanceActions as the rules see them, and the objects that record intents and progress.

The order of writing is the promise: an intent is created before anything is done for it, a step is written before its
effects, evidence before anything relies on it. Each write names the version it was decided on, so an operator that was
replaced meanwhile gets a conflict instead of a second try at the same thing.
"""

from __future__ import annotations

import re
from typing import Any

from avance.api.action import NODE_ACTIONS, UPGRADE_ACTIONS, AvanceAction
from avance.api.meta import Evidence
from avance.api.upgrade import Upgrade
from avance.core.intents import Intent
from avance.core.model import ActionPhase, ActionType, ActionView, FenceEvidence, StepView
from avance.core.progress import Progress
from avance.core.upgrade_request import VERSIONS, UpgradeWord
from avance.kube.resources import AVANCE_ACTIONS
from avance.operator.clock import from_api, to_api
from avance.operator.messages import message_of, notification_of
from avance.operator.parsing import Parsed
from avance.operator.store import Store

Object = dict[str, Any]

NODE_TARGETS = frozenset(map(ActionType, NODE_ACTIONS))
PAIR_TARGETS = frozenset(map(ActionType, UPGRADE_ACTIONS))
MESSAGE_LIMIT = 1024
USER_LIMIT = 256


class ActionLog:
    """The recorded actions of each pair, oldest first."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._parsed = Parsed(AvanceAction, store)

    def of_pair(self, pair: str) -> tuple[ActionView, ...]:
        """Every AvanceAction about a pair, whoever asked for it."""
        views = (self._view(obj) for obj in self._store.members(AVANCE_ACTIONS, pair))
        return tuple(sorted(views, key=lambda action: (action.created_at, action.name)))

    def _view(self, obj: Object) -> ActionView:
        return view_of(self._parsed.of(obj), obj)


def view_of(action: AvanceAction, obj: Object) -> ActionView:
    """An AvanceAction as the rules see it; `obj` is what it was parsed from."""
    spec, status = action.spec, action.status
    target = spec.target
    return ActionView(
        name=obj["metadata"]["name"],
        type=ActionType(spec.type),
        target=f"{target.namespace}/{target.name}" if target.namespace else target.name,
        # A person's request that belongs to no incident is one of its own.
        incident=spec.incident or obj["metadata"]["name"],
        reason=spec.reason,
        message=spec.message,
        created_at=from_api(obj["metadata"]["creationTimestamp"]),
        phase=ActionPhase(status.phase or "Pending"),
        destination=status.destination or spec.destination or "",
        instance_uid=status.instance_uid or spec.instance_uid or "",
        current=status.step or "",
        steps=tuple(
            StepView(step.name, step.started_at.timestamp(), step.attempts, step.message) for step in status.steps
        ),
        evidence=_evidence_of(status.evidence),
        started_at=status.started_at.timestamp() if status.started_at else None,
        finished_at=status.finished_at.timestamp() if status.finished_at else None,
        result=status.result,
        report=tuple(status.report.items()),
        requested_by=spec.requested_by or "",
        notification=notification_of(spec.notification),
        upgrade=upgrade_word(spec.upgrade),
        notes=tuple(sorted(status.notes.items())),
    )


def _evidence_of(evidence: Evidence | None) -> FenceEvidence | None:
    if evidence is None:
        return None
    return FenceEvidence(
        node=evidence.node,
        source=evidence.source,
        system_uuid=evidence.system_uuid or "",
        boot_id=evidence.boot_id or "",
        heartbeat=evidence.heartbeat or "",
        observed_at=evidence.observed_at.timestamp(),
        message=evidence.message,
        kind=evidence.kind,
    )


def _target(target: str, type_: ActionType) -> Object:
    namespace, _, name = target.rpartition("/")
    if namespace:
        return {"kind": "ProtectedVM", "name": name, "namespace": namespace}
    return {"kind": "Node" if type_ in NODE_TARGETS else "AvancePair", "name": name}


def upgrade_word(upgrade: Upgrade | None) -> UpgradeWord | None:
    """What a rolling upgrade waits for."""
    if upgrade is None:
        return None
    wanted = upgrade.versions.model_dump(by_alias=True, exclude_none=True)
    return UpgradeWord(tuple((field, wanted[field]) for field in VERSIONS if field in wanted))


def intent_object(pair: str, pair_uid: str, intent: Intent, requested_by: str) -> Object:
    """The AvanceAction that records an intent; it goes when its pair goes."""
    told = message_of(intent.notification) if intent.notification else None
    optional = {
        "requestedBy": requested_by if intent.done_by is None else intent.done_by[:USER_LIMIT],
        "destination": intent.destination,
        "instanceUID": intent.instance_uid,
        "notification": told,
        "upgrade": {"versions": dict(intent.upgrade.versions)} if intent.upgrade else None,
    }
    return {
        "apiVersion": AVANCE_ACTIONS.api_version,
        "kind": AVANCE_ACTIONS.kind,
        "metadata": {
            "name": intent.name,
            "labels": {"avance.dev/pair": pair, "avance.dev/incident": _label_value(intent.incident)},
            "ownerReferences": [
                {"apiVersion": "avance.dev/v1alpha1", "kind": "AvancePair", "name": pair, "uid": pair_uid}
            ],
        },
        "spec": {
            "pairRef": {"name": pair},
            "type": str(intent.type),
            "target": _target(intent.target, intent.type),
            "reason": intent.reason,
            "message": intent.message[:MESSAGE_LIMIT],
            "incident": intent.incident,
            **{field: value for field, value in optional.items() if value},
        },
    }


def _label_value(incident: str) -> str:
    """What the API takes as the value of a label: a person's Fence may have given its incident any name."""
    return re.sub("[^A-Za-z0-9._-]", "_", incident)[:63].strip("-._")


def status_after(action: Object, view: ActionView, progress: Progress, now: float) -> Object:
    """The status of an action once `progress` is recorded; equal to the present one when it says nothing new."""
    status = dict(action.get("status") or {})
    moment = to_api(now)
    status.setdefault("startedAt", moment)
    status["phase"] = str(progress.outcome or ActionPhase.RUNNING)
    for field, value in (("destination", view.destination), ("instanceUID", view.instance_uid)):
        if value:
            status[field] = value
    status["steps"] = _steps_after(status, progress, moment)
    status["step"] = progress.step
    if progress.evidence:
        status["evidence"] = evidence_object(progress.evidence)
    if progress.notes:
        status["notes"] = dict(progress.notes)
    if progress.report:
        status["report"] = {name: value[:MESSAGE_LIMIT] for name, value in progress.report}
    if progress.outcome:
        status |= {"finishedAt": moment, "result": progress.message[:MESSAGE_LIMIT]}
    return status


def evidence_object(evidence: FenceEvidence) -> Object:
    """Fence evidence in the API's spelling."""
    return {
        "kind": evidence.kind,
        "node": evidence.node,
        "source": evidence.source,
        "systemUUID": evidence.system_uuid,
        "bootID": evidence.boot_id,
        "heartbeat": evidence.heartbeat,
        "observedAt": to_api(evidence.observed_at),
        "message": evidence.message,
    }


def _steps_after(status: Object, progress: Progress, moment: str) -> list[Object]:
    """The steps with the present one entered, its message updated, and the one before it ended."""
    steps = [dict(step) for step in status.get("steps") or ()]
    current = status.get("step")
    entry = next((step for step in steps if step["name"] == progress.step), None)
    if progress.step != current:
        for step in steps:
            if step["name"] == current:
                step["finishedAt"] = moment
        if entry is not None:
            steps.remove(entry)
        entry = {"name": progress.step, "startedAt": moment}
        steps.append(entry)
    if entry is not None:
        entry["message"] = progress.message[:MESSAGE_LIMIT]
        if progress.outcome:
            entry["finishedAt"] = moment
    return steps
