"""Changes of the specs of a pair and its VMs that the action log does not have yet, and the records of those it has."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class EditKind(StrEnum):
    """What was done to an object; the reason of the action that records it."""

    CREATED = "Created"
    CHANGED = "Changed"
    DELETED = "Deleted"


@dataclass(frozen=True, slots=True)
class SpecRecord:
    """A spec as it was when the action log last told of it; kept in the pair's status."""

    target: str
    """The pair's name, or `namespace/name` of a VM."""
    uid: str
    generation: int
    fields: str
    """What differs from the defaults, as the API keeps it; secret values as a digest."""


@dataclass(frozen=True, slots=True)
class Edit:
    """What has become of an object since its record, in one piece however often it was changed."""

    kind: EditKind
    record: SpecRecord
    """The spec as it is now; of a deleted object the one that it had last, as far as that is known."""
    since: int = 0
    """The generation on record before; 0 if there was none."""
    changes: tuple[str, ...] = ()
    """`cores from 2 to 4`; empty if what was changed was changed back, or cannot be told."""
    editor: str = ""
    """The user who did it last; empty where the API server has not noted that."""
    earlier: tuple[str, ...] = ()
    """Other users who did some of it before, each once."""
    along: tuple[SpecRecord, ...] = ()
    """Of a new pair: the VMs that were there already, which are told with it; `changes` names them and their users."""
    hint: str = ""
    """Where the last one is not known: what the API server tells about who wrote last."""


def names(users: Iterable[str]) -> str:
    """`ann, bob and eve`."""
    *others, last = users
    return f"{', '.join(others)} and {last}" if others else last
