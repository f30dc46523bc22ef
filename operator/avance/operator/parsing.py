"""Parse each version of an object once."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from avance.api.base import Resource
from avance.operator.store import Store

Kind = TypeVar("Kind", bound=Resource)


class Parsed(Generic[Kind]):
    """Models of the newest version of each object of the store that was asked for; gone when the object is."""

    def __init__(self, kind: type[Kind], store: Store) -> None:
        self._kind = kind
        self._known: dict[str, tuple[str, Kind]] = {}
        store.when_dropped(self._forget)

    def of(self, obj: dict[str, Any]) -> Kind:
        """The model of an object; raises pydantic.ValidationError if it does not fit."""
        uid, version = obj["metadata"]["uid"], obj["metadata"]["resourceVersion"]
        known = self._known.get(uid)
        if known is None or known[0] != version:
            known = self._known[uid] = (version, self._kind.parse(obj))
        return known[1]

    def _forget(self, obj: dict[str, Any]) -> None:
        self._known.pop(obj["metadata"]["uid"], None)
