"""Which specs are not as the log of actions has them, and who the API server says has changed them.

The API server itself notes the users (the chart's MutatingAdmissionPolicy, in CEL: no webhook, and nothing that
depends on an operator that runs): in the annotation EDITS, a line `generation user` for each of the latest edits. What
the log has told last is in the pair's status, so edits are found whenever an operator looks again.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from avance.api.pair import AvancePair, PairSpec
from avance.api.protected_vm import ProtectedVMSpec
from avance.api.retention import RecordedSpec
from avance.core.edits import Edit, EditKind, SpecRecord
from avance.core.model import PairView
from avance.core.rules.edit import is_recorded
from avance.kube.resources import PROTECTED_VMS
from avance.operator.spec_fields import Fields, changes, defaults_of, fields_of
from avance.operator.store import Store, key_of

Object = dict[str, Any]

EDITS = "avance.dev/edits"
"""Annotation of pairs and ProtectedVMs."""
FIELDS_LIMIT = 8192
RECORDS_KEPT = 256

log = logging.getLogger(__name__)


class EditWatch:
    """Compares; it keeps nothing. `stamped`: the API server's notes of users can be believed."""

    def __init__(self, store: Store, *, stamped: bool) -> None:
        self._store = store
        self._stamped = stamped
        self._defaults = {False: defaults_of(PairSpec), True: defaults_of(ProtectedVMSpec)}

    def around(self, obj: Object, pair: AvancePair, view: PairView) -> PairView:
        """The view with every edit of the pair and its VMs that its status does not have on record."""
        if pair.status.recorded is None and pair.status.observed_generation is not None:
            return view  # a pair from before the log told of edits: see `recorded`
        return replace(view, edits=tuple(self._edits(obj, pair)))

    def recorded(self, obj: Object, pair: AvancePair, view: PairView) -> list[Object]:
        """The status' records once the edits that the log has by now are part of them."""
        if pair.status.recorded is None and pair.status.observed_generation is not None:
            records = {each["metadata"]["uid"]: _record(each) for each in self._objects(obj)}
        else:
            records = {each.uid: _as_record(each) for each in pair.status.recorded or ()}
        for edit in view.edits:
            if not is_recorded(view, edit):
                continue
            if edit.kind is EditKind.DELETED:
                records.pop(edit.record.uid, None)
            else:
                records |= {record.uid: record for record in (edit.record, *edit.along)}
        return [_to_api(record) for record in list(records.values())[:RECORDS_KEPT]]

    def _objects(self, pair: Object) -> list[Object]:
        return [pair, *self._store.members(PROTECTED_VMS, pair["metadata"]["name"])]

    def _edits(self, obj: Object, pair: AvancePair) -> Iterator[Edit]:
        known = {each.uid: _as_record(each) for each in pair.status.recorded or ()}
        if obj["metadata"]["uid"] not in known:
            yield self._new_pair(obj)
            return
        for each in self._objects(obj):
            before = known.pop(each["metadata"]["uid"], None)
            if each["metadata"].get("deletionTimestamp"):
                continue  # that counts as a generation of its own; it is told once the object is gone
            if before is None or before.generation != each["metadata"]["generation"]:
                yield self._edit(before, each)
        for gone in known.values():
            yield Edit(EditKind.DELETED, gone, since=gone.generation)

    def _new_pair(self, obj: Object) -> Edit:
        """One record for all that is there: whoever begins with avance need not read one for each VM."""
        _, *vms = (self._edit(None, each) for each in self._objects(obj))
        by = (f"{vm.record.target} by {vm.editor or 'nobody noted'}" for vm in vms)
        along = tuple(vm.record for vm in vms)
        return replace(self._edit(None, obj), changes=tuple(by), along=along)

    def _edit(self, before: SpecRecord | None, obj: Object) -> Edit:
        record = _record(obj)
        since = before.generation if before else 0
        noted = _noted(obj, since) if self._stamped else {}
        editor = noted.pop(record.generation, "")
        kind = EditKind.CHANGED if before else EditKind.CREATED
        return Edit(
            kind,
            record,
            since=since,
            changes=self._changes(before, record) if before else (),
            editor=editor,
            earlier=tuple(dict.fromkeys(user for user in noted.values() if user != editor)),
            hint="" if editor else _hint(obj),
        )

    def _changes(self, before: SpecRecord, after: SpecRecord) -> tuple[str, ...]:
        if not (before.fields and after.fields):
            return ("its spec was changed, in too many fields to name",)
        return changes(_fields(before), _fields(after), self._defaults["/" in after.target])


def _noted(obj: Object, since: int) -> dict[int, str]:
    """Users by the generation that they have made, of those after `since`; the API server keeps the latest few."""
    lines = str((obj["metadata"].get("annotations") or {}).get(EDITS, "")).splitlines()
    parts = (line.partition(" ") for line in lines)
    noted = {int(generation): user for generation, _, user in parts if generation.isdecimal() and user}
    return {generation: noted[generation] for generation in sorted(noted) if generation > since}


def _hint(obj: Object) -> str:
    """The field manager that wrote last: the name of a program, which is no proof of a user."""
    wrote = [each for each in obj["metadata"].get("managedFields") or () if not each.get("subresource")]
    last = max(wrote, key=lambda each: str(each.get("time", "")), default=None)
    if last is None:
        return "nobody knows by whom"
    return f"by whom is not noted; the program {last.get('manager', '')} wrote last, at {last.get('time', '')}"


def _record(obj: Object) -> SpecRecord:
    namespace, name = key_of(obj)
    spec = (ProtectedVMSpec if namespace else PairSpec).parse(obj["spec"])
    text = json.dumps(dict(fields_of(spec)), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    metadata = obj["metadata"]
    target = f"{namespace}/{name}" if namespace else name
    return SpecRecord(target, metadata["uid"], metadata["generation"], text if len(text) <= FIELDS_LIMIT else "")


def _as_record(known: RecordedSpec) -> SpecRecord:
    target = f"{known.namespace}/{known.name}" if known.namespace else known.name
    return SpecRecord(target, known.uid, known.generation, known.fields)


def _to_api(record: SpecRecord) -> Object:
    namespace, _, name = record.target.rpartition("/")
    where = {"namespace": namespace} if namespace else {}
    return {"uid": record.uid, **where, "name": name, "generation": record.generation, "fields": record.fields}


def _fields(record: SpecRecord) -> Fields:
    found: Fields = json.loads(record.fields)
    return found
