"""Parse each version of an object once."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from avance.api.base import Resource

Kind = TypeVar("Kind", bound=Resource)


class Parsed(Generic[Kind]):
    """Models of the newest version of each object that was asked for."""

    def __init__(self, kind: type[Kind]) -> None:
        self._kind = kind
        self._known: dict[str, tuple[str, Kind]] = {}

    def of(self, obj: dict[str, Any]) -> Kind:
        """The model of an object; raises pydantic.ValidationError if it does not fit."""
        uid, version = obj["metadata"]["uid"], obj["metadata"]["resourceVersion"]
        known = self._known.get(uid)
        if known is None or known[0] != version:
            known = self._known[uid] = (version, self._kind.parse(obj))
        return known[1]

    def forget(self, uid: str) -> None:
        """Drop what is known of an object that is gone."""
        self._known.pop(uid, None)
