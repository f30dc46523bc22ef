"""Writes AvanceActions: intents before anything is done, progress before its effects. The store knows what it wrote."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from avance.api.pair import AvancePair
from avance.core.intents import Intent
from avance.core.model import ActionView
from avance.core.progress import Progress
from avance.kube.client import Kube
from avance.kube.errors import AlreadyExists, Conflict, NotFound
from avance.kube.resources import AVANCE_ACTIONS
from avance.operator.actions import intent_object, status_after
from avance.operator.clock import Clock
from avance.operator.export import tell
from avance.operator.store import Store

Object = dict[str, Any]

log = logging.getLogger(__name__)


class Journal:
    """The write-ahead log of one operator process; `epoch` and `operator` name it in every record."""

    def __init__(self, kube: Kube, store: Store, clock: Clock, user: str, operator: str, epoch: int) -> None:
        self._kube = kube
        self._store = store
        self._clock = clock
        self._user = user
        self._operator = operator
        self._epoch = epoch

    async def record(self, pair: AvancePair, pair_uid: str, intent: Intent) -> bool:
        """Write the intent down; False if it is on record already. Raises ApiError when it cannot be written."""
        body = intent_object(pair.metadata.name, pair_uid, intent, self._user)
        try:
            created = await self._kube.create(AVANCE_ACTIONS, body)
        except AlreadyExists:
            self._store.put(AVANCE_ACTIONS, await self._kube.get(AVANCE_ACTIONS, intent.name))
            return False
        self._store.put(AVANCE_ACTIONS, created)
        return True

    async def advance(self, action: ActionView, progress: Progress) -> bool:
        """Write down how far an action is, if that is news. False if somebody else has written: decide again then."""
        known = self._store.get(AVANCE_ACTIONS, action.name)
        if known is None:
            return False
        status = status_after(known, action, progress, self._clock.now())
        status |= {"epoch": self._epoch, "operator": self._operator}
        if status == known.get("status"):
            return True
        written = await self._write(known, status)
        if written and progress.outcome:
            tell(written, str(progress.outcome))
        return written is not None

    async def count_failure(self, action: str) -> None:
        """Count a failed try of the step that an action is at, for whoever looks at it."""
        known = self._store.get(AVANCE_ACTIONS, action)
        if known is None:
            return
        status = dict(known.get("status") or {})
        steps = [dict(entry) for entry in status.get("steps") or ()]
        for entry in steps:
            if entry["name"] == status.get("step"):
                entry["attempts"] = entry.get("attempts", 0) + 1
        await self._write(known, status | {"steps": steps})

    async def remove(self, actions: Iterable[ActionView]) -> None:
        """Delete records of the past; what they say is written to standard output before."""
        for action in actions:
            known = self._store.get(AVANCE_ACTIONS, action.name)
            if known is not None:
                tell(known, "removed")
            await self._kube.delete(AVANCE_ACTIONS, action.name, missing_ok=True)

    async def _write(self, known: Object, status: Object) -> Object | None:
        """The object as it is then; None if somebody else has written, or it is gone."""
        patch = {"metadata": {"resourceVersion": known["metadata"]["resourceVersion"]}, "status": status}
        name = known["metadata"]["name"]
        try:
            written = await self._kube.patch_merge(AVANCE_ACTIONS, name, patch, subresource="status")
        except Conflict:
            self._store.put(AVANCE_ACTIONS, await self._kube.get(AVANCE_ACTIONS, name))
            return None
        except NotFound:
            log.warning("action %s was deleted while it was under way", name)
            self._store.drop(AVANCE_ACTIONS, known)
            return None
        self._store.put(AVANCE_ACTIONS, written)
        return written
