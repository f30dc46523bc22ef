"""What a rule wants done: the AvanceAction to record before anything is done, and when to look again."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from avance.core.channels import Notification
from avance.core.components import ComponentKind
from avance.core.edits import Edit, EditKind
from avance.core.faults import Fault
from avance.core.history import Occurrence
from avance.core.model import ActionPhase, ActionType, NodeView, PairView
from avance.core.upgrade_request import UpgradeWord

NAME_LENGTH = 63
"""Of incidents and actions, so that the API takes them as values of labels too, however long a node's name is."""

REQUESTED = "Requested"
"""Reason of what a person asks for."""
BACKUP_HEALTHIER = "BackupHealthier"
"""Reason of the moves that health alone asks for: when it no longer does, those that still wait are called off."""


SERVER_CRASH = "ServerCrash"
"""Reason of what is done about a server that has died; the fences for it count as its faults."""


RESYNC = "Resync"
"""The last step of a Rejoin: the server serves again, and its disks are being brought up to date."""


@dataclass(frozen=True, slots=True)
class Intent:
    """An AvanceAction to be written. Its name follows from what it is about, so that it can be written only once."""

    name: str
    type: ActionType
    target: str
    """A node's name, `namespace/name` of a VM, or of a Notify the pair's name."""
    reason: str
    """CamelCase; the same word in conditions, Events, the log and metrics."""
    message: str
    """The reason as a sentence."""
    incident: str
    """What happened, as an id that all actions for it share."""
    destination: str = ""
    instance_uid: str = ""
    notification: Notification | None = None
    upgrade: UpgradeWord | None = None
    done_by: str | None = None
    """Of an Edit: the user who did it, empty if nobody knows; None: it is the operator that asks."""


@dataclass(frozen=True, slots=True)
class LookAgain:
    """Nothing to do yet, but time alone may change that."""

    at: float


def incident_id(what: str, where: str, *occurrence: object) -> str:
    """`crash-node-b-1f0c77aa`: the same observation always gets the same id."""
    return _named(f"{what}-{where}", where, *occurrence)


def crash_incident(node: NodeView) -> str:
    """The id of the death that a node may have died now; another one once it has given a later sign of life."""
    return incident_id("crash", node.name, node.uid, node.boot_id, node.heartbeat)


def fault_incident(fault: Fault) -> str:
    """The id of one fault of one component: another one once it was mended and has failed again."""
    return incident_id(fault.kind.lower(), fault.node, fault.condition, fault.component, fault.since)


def occurrence_incident(node: str, kind: ComponentKind, component: str, fault: Occurrence) -> str:
    """The same id, of a fault on record."""
    return incident_id(kind.lower(), node, fault.condition, component, fault.since)


def failed_reason(kind: ComponentKind) -> str:
    """Reason of declaring a node down for a component of this kind."""
    return f"{kind}Failed"


def last_failure(view: PairView, target: str, type_: ActionType) -> float:
    """When the last try of this type on a target failed or was called off; the epoch if none did."""
    failed = (ActionPhase.FAILED, ActionPhase.CANCELLED)
    ends = (a.finished_at for a in view.actions_on(target, type_) if a.phase in failed and a.finished_at)
    return max(ends, default=0.0)


def intent(
    view: PairView,
    type_: ActionType,
    target: str,
    *,
    reason: str,
    message: str,
    incident: str,
    destination: str = "",
    instance_uid: str = "",
) -> Intent:
    """An intent named after pair, type, target, incident, instance and the earlier tries that are on record.

    Not after their number: old records are pruned, and a number that comes back would name a try that is there already.
    """
    earlier = (a for a in view.actions_on(target, type_) if a.incident == incident and a.instance_uid == instance_uid)
    tries = sorted(action.name for action in earlier)
    readable = f"{type_.lower()}-{target.rpartition('/')[2]}"
    name = _named(readable, view.name, type_, target, incident, instance_uid, *tries)
    return Intent(name, type_, target, reason, message, incident, destination, instance_uid)


def notify(view: PairView, notification: Notification, *, reason: str, incident: str) -> Intent:
    """An intent to tell people, named after what it tells: each thing is told once by each channel."""
    name = _named(f"notify-{notification.channel}", view.name, notification.channel, *sorted(notification.about))
    message = notification.subject
    return Intent(name, ActionType.NOTIFY, view.name, reason, message, incident, notification=notification)


def record_of_edit(view: PairView, edit: Edit, message: str) -> Intent:
    """The record of an edit, named after the object and its generation: what was done is told once."""
    target, uid = edit.record.target, edit.record.uid
    generation = "" if edit.kind is EditKind.DELETED else edit.record.generation
    name = _named(f"edit-{target.rpartition('/')[2]}", view.name, uid, generation)
    return Intent(name, ActionType.EDIT, target, str(edit.kind), message, incident=name, done_by=edit.editor)


def _named(readable: str, *parts: object) -> str:
    """Readable as far as it fits, told apart from all others by a digest of what it is about."""
    digest = _digest(*parts)
    return f"{readable[: NAME_LENGTH - len(digest) - 1].rstrip('-.')}-{digest}"


def _digest(*parts: object) -> str:
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:8]
