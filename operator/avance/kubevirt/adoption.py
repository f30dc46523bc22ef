"""Adopting a VirtualMachine that somebody else made, and letting it go as it was.

The VirtualMachine stays its owner's: no owner reference, no server-side apply of the whole. Only the fields that
protection rests on are changed, and what each of them was before is written into an annotation of the same object by
the same request. So the record is there exactly when the change is, whoever dies in between, and it travels with the
object through backups.

A field that its owner has changed since is the owner's: letting go leaves it alone.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from avance.kubevirt.affinity import pair_affinity, pair_tolerations, without_pair
from avance.kubevirt.virtual_machine import PAIR_LABEL, PREFERS_ANNOTATION

Object = dict[str, Any]
Path = tuple[str, ...]

RECORD_ANNOTATION = "avance.dev/adopted"

_RUN_STRATEGY: Path = ("spec", "runStrategy")
_RUNNING: Path = ("spec", "running")
_TEMPLATE: Path = ("spec", "template", "spec")
_EVICTION: Path = (*_TEMPLATE, "evictionStrategy")
_AFFINITY: Path = (*_TEMPLATE, "affinity")
_TOLERATIONS: Path = (*_TEMPLATE, "tolerations")
_LABEL: Path = ("metadata", "labels", PAIR_LABEL)
_TEMPLATE_LABEL: Path = ("spec", "template", "metadata", "labels", PAIR_LABEL)
_PREFERS: Path = ("metadata", "annotations", PREFERS_ANNOTATION)
_RECORD: Path = ("metadata", "annotations", RECORD_ANNOTATION)
_POWER = (_RUNNING, _RUN_STRATEGY)
"""Two spellings of one thing: KubeVirt refuses both at once."""

TAKEN_BACK_SECONDS = 3600.0
"""How long it is remembered that avance has put its fields back."""


@dataclass(frozen=True, slots=True)
class Change:
    """One field as it was and as avance has set it last; None: absent."""

    path: Path
    before: Any
    after: Any
    made: int = 0
    """How many of the maps around it had to be made, the innermost first."""


@dataclass(frozen=True, slots=True)
class Record:
    """What adoption has changed."""

    changes: tuple[Change, ...]
    taken_back: tuple[float, ...] = ()
    """When avance put its fields back after somebody else had changed them; seconds since the epoch."""
    by: str = ""
    """Who that was last, by the name that the API server keeps of who writes."""

    def of(self, path: Path) -> Change | None:
        """What was done to one field."""
        return next((change for change in self.changes if change.path == path), None)


def record_of(machine: Object | None) -> Record | None:
    """The record of an adopted VirtualMachine; None if it is not adopted, or if nobody can read the annotation."""
    text = _get(machine or {}, _RECORD)
    if not text:
        return None
    try:
        noted = json.loads(text)
        changes = tuple(
            Change(tuple(each["path"]), each["before"], each["after"], each["made"]) for each in noted["changes"]
        )
        return Record(changes, tuple(float(at) for at in noted["takenBack"]), str(noted["by"]))
    except (ValueError, TypeError, KeyError):
        return None


def in_order(machine: Object, pair: str, hostnames: Mapping[str, str], prefer: str) -> bool:
    """Whether an adopted VirtualMachine is as protection wants it."""
    wanted = _wanted(machine, record_of(machine), pair, hostnames, prefer)
    return all(_get(machine, path) == value for path, value in wanted.items())


def adopted(machine: Object, pair: str, hostnames: Mapping[str, str], prefer: str, now: float) -> Object:
    """The same VirtualMachine under protection, preferring the node of this name; the record is begun or kept.

    `hostnames`: of the pair's nodes, by name. `now`: seconds since the epoch, for the record.
    """
    new, record = copy.deepcopy(machine), record_of(machine)
    wanted = _wanted(machine, record, pair, hostnames, prefer)
    changes = []
    for path, value in wanted.items():
        known = record.of(path) if record else None
        before = _before(machine, record, path)
        made = known.made if known else _missing(new, path)
        _set(new, path, value)
        changes.append(Change(path, before, value, made))
    taken_back = [at for at in (record.taken_back if record else ()) if now - at < TAKEN_BACK_SECONDS]
    contested = _contested(machine, pair, hostnames, prefer)
    if contested is not None:
        taken_back.append(now)
    by = _manager(machine, contested.path) if contested else record.by if record else ""
    noted = [{"path": each.path, "before": each.before, "after": each.after, "made": each.made} for each in changes]
    _set(new, _RECORD, json.dumps({"changes": noted, "takenBack": taken_back, "by": by}, sort_keys=True))
    return new


def released(machine: Object, runs: bool | None) -> Object:
    """The same VirtualMachine as it was before.

    `runs`: whether it runs, None if that is not as its ProtectedVM wants it. Letting go never starts or stops a VM: one
    that was switched on or off meanwhile stays so.
    """
    new, record = copy.deepcopy(machine), record_of(machine)
    for change in _changes(record):
        _set(new, change.path, _before(machine, record, change.path))
        _unmake(new, change)
    if _power_is_ours(machine, record):
        _keep_power(new["spec"], runs)
    _set(new, _RECORD, None)
    return new


def starts_by_itself(machine: Object) -> bool:
    """Whether KubeVirt would start the VirtualMachine by itself once it is let go."""
    return _switched_on(released(machine, None)["spec"])


def why_contested(machine: Object, pair: str, hostnames: Mapping[str, str], prefer: str) -> str:
    """Who has changed which field that protection rests on, in words; empty if nobody has."""
    change, record = _contested(machine, pair, hostnames, prefer), record_of(machine)
    if change is None or record is None:
        return ""
    by = _manager(machine, change.path) or record.by or "somebody"
    return f"{by} has set {'.'.join(change.path)} to {json.dumps(_get(machine, change.path))[:200]}"


def _contested(machine: Object, pair: str, hostnames: Mapping[str, str], prefer: str) -> Change | None:
    """The first field that is neither as avance has set it nor as it would set it now."""
    record = record_of(machine)
    wanted = _wanted(machine, record, pair, hostnames, prefer)
    found = (each for each in _changes(record) if _get(machine, each.path) not in (each.after, wanted.get(each.path)))
    return next(found, None)


def _wanted(
    machine: Object, record: Record | None, pair: str, hostnames: Mapping[str, str], prefer: str
) -> dict[Path, Any]:
    return {
        _RUNNING: None,
        _RUN_STRATEGY: "Manual",
        _EVICTION: "External",
        _AFFINITY: pair_affinity(
            _before(machine, record, _AFFINITY), hostnames.values(), hostnames.get(prefer, prefer)
        ),
        _TOLERATIONS: pair_tolerations(_before(machine, record, _TOLERATIONS)),
        _LABEL: pair,
        _TEMPLATE_LABEL: pair,
        _PREFERS: prefer,
    }


def _before(machine: Object, record: Record | None, path: Path) -> Any:
    """What the owner wants of a field: what it was before avance changed it, or what its owner has made of it since."""
    known, live = record.of(path) if record else None, _get(machine, path)
    if known is None:
        return live
    if _power_is_ours(machine, record) if path in _POWER else live == known.after:
        return known.before
    if path == _AFFINITY:
        return without_pair(live, known.after)
    if path == _TOLERATIONS and live:
        ours = [each for each in pair_tolerations() if each not in (known.before or ())]
        return [each for each in live if each not in ours] or None
    return live


def _power_is_ours(machine: Object, record: Record | None) -> bool:
    return all(_get(machine, each.path) == each.after for each in _changes(record) if each.path in _POWER)


def _changes(record: Record | None) -> tuple[Change, ...]:
    return record.changes if record else ()


def _keep_power(spec: Object, runs: bool | None) -> None:
    """A VM that is on stays on, and one that is off stays off, in the spelling of its owner."""
    if runs is None or runs == _switched_on(spec) or spec.get("runStrategy") == "Manual":
        return
    if spec.get("running") is not None:
        spec["running"] = runs
    else:
        spec["runStrategy"] = "Always" if runs else "Halted"


def _switched_on(spec: Object) -> bool:
    return bool(spec.get("running")) or spec.get("runStrategy") in ("Always", "RerunOnFailure", "Once")


def _manager(machine: Object, path: Path) -> str:
    """Who wrote a field last, by the name that the API server keeps of it; empty if it is not known here."""
    holders: list[Object] = [
        entry for entry in machine["metadata"].get("managedFields") or () if _holds_field(entry.get("fieldsV1"), path)
    ]
    newest: Object = max(holders, key=lambda entry: str(entry.get("time", "")), default={})
    return str(newest.get("manager") or "")


def _holds_field(fields: Any, path: Path) -> bool:
    for part in path:
        fields = fields.get(f"f:{part}") if isinstance(fields, dict) else None
    return fields is not None


def _get(obj: Object, path: Path) -> Any:
    found: Any = obj
    for part in path:
        found = found.get(part) if isinstance(found, dict) else None
    return found


def _set(obj: Object, path: Path, value: Any) -> None:
    """Set a field, and make the maps around it; None removes it."""
    around = obj
    for part in path[:-1]:
        if value is None and not isinstance(around.get(part), dict):
            return
        if not isinstance(around.get(part), dict):
            around[part] = {}
        around = around[part]
    if value is None:
        around.pop(path[-1], None)
    else:
        around[path[-1]] = value


def _missing(obj: Object, path: Path) -> int:
    """How many of the maps around a field there are not yet."""
    return sum(not isinstance(_get(obj, path[:length]), dict) for length in range(1, len(path)))


def _unmake(obj: Object, change: Change) -> None:
    """Take away the maps that were made for a field, where nobody has put anything else into them."""
    for depth in range(1, change.made + 1):
        if _get(obj, change.path[:-depth]) == {}:
            _set(obj, change.path[:-depth], None)
