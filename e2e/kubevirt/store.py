"""Watch-fed caches of API objects, and a client that writes through them.

Every write's answer goes into the cache at once, ordered by resourceVersion, so that a controller never decides on
a state older than its own last write.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from e2e.controlplane.client import MERGE, Api, ApiError
from e2e.kubevirt.api import Key, Object, Resource, key_of, uid_of

log = logging.getLogger(__name__)

Listener = Callable[[Object, bool], None]
"""Called with an object and whether it is gone."""

_RETRY_S = 0.3
_TOMBSTONES = 4096


class Store:
    """The objects of one resource, as far as known."""

    def __init__(self, resource: Resource) -> None:
        self.resource = resource
        self.synced = asyncio.Event()
        self._objects: dict[Key, Object] = {}
        self._gone: dict[str, int] = {}
        self._listeners: list[Listener] = []

    def subscribe(self, listener: Listener) -> None:
        """Calls `listener` for every later change."""
        self._listeners.append(listener)

    def get(self, key: Key) -> Object | None:
        """The object, to be copied before it is changed."""
        return self._objects.get(key)

    def __iter__(self) -> Iterator[Object]:
        return iter(list(self._objects.values()))

    def put(self, obj: Object) -> None:
        """Takes a newer version; ignores an older one and one of an object known to be gone."""
        known = self._objects.get(key_of(obj))
        if uid_of(obj) in self._gone or (known is not None and _version(obj) <= _version(known)):
            return
        if known is not None and uid_of(known) != uid_of(obj):
            self._bury(known)
        self._objects[key_of(obj)] = obj
        self._notify(obj, gone=False)

    def remove(self, obj: Object) -> None:
        """The object was seen to be gone."""
        known = self._objects.get(key_of(obj))
        if known is not None and uid_of(known) == uid_of(obj):
            self._bury(obj)
            if self._objects.get(key_of(obj)) is known:
                del self._objects[key_of(obj)]

    def replace(self, objects: list[Object]) -> None:
        """Takes a full list; what is not in it is gone."""
        listed = {uid_of(obj) for obj in objects}
        for obj in self:
            if uid_of(obj) not in listed:
                self.remove(obj)
        for obj in objects:
            self.put(obj)
        self.synced.set()

    def _bury(self, obj: Object) -> None:
        self._gone[uid_of(obj)] = _version(obj)
        if len(self._gone) > _TOMBSTONES:
            del self._gone[next(iter(self._gone))]
        self._objects.pop(key_of(obj), None)
        self._notify(obj, gone=True)

    def _notify(self, obj: Object, gone: bool) -> None:
        for listener in self._listeners:
            listener(obj, gone)


def _version(obj: Object) -> int:
    return int(obj["metadata"]["resourceVersion"])


class Informer:
    """Keeps one store equal to the API server's collection until cancelled."""

    def __init__(self, api: Api, store: Store) -> None:
        self._api = api
        self._store = store

    async def run(self) -> None:
        """Lists and watches for ever; every error leads to a new list after a short pause."""
        while True:
            try:
                await self._watch(await self._list())
            except (ApiError, OSError, TimeoutError, ValueError) as error:
                log.debug("watching %s: %s", self._store.resource.plural, error)
                await asyncio.sleep(_RETRY_S)

    async def _list(self) -> str:
        answer = await self._api.get(self._store.resource.path())
        resource = self._store.resource
        for item in answer["items"]:  # lists leave these out of their items
            item.setdefault("apiVersion", resource.api_version)
            item.setdefault("kind", resource.kind)
        self._store.replace(answer["items"])
        version: str = answer["metadata"]["resourceVersion"]
        return version

    async def _watch(self, version: str) -> None:
        while True:
            async for event in self._api.watch(self._store.resource.path(), resourceVersion=version):
                obj = event["object"]
                if event["type"] == "ERROR":
                    raise ApiError(obj.get("code", 0), obj.get("reason", ""), obj.get("message", ""))
                version = obj["metadata"]["resourceVersion"]
                if event["type"] == "DELETED":
                    self._store.remove(obj)
                elif event["type"] != "BOOKMARK":
                    self._store.put(obj)


class Stores:
    """One store for each resource that the stand-in watches."""

    def __init__(self, resources: tuple[Resource, ...]) -> None:
        self._stores = {resource: Store(resource) for resource in resources}

    def __getitem__(self, resource: Resource) -> Store:
        return self._stores[resource]

    def __iter__(self) -> Iterator[Store]:
        return iter(self._stores.values())

    def note(self, resource: Resource, obj: Object) -> None:
        """Takes the answer of a write, if that resource is watched."""
        if resource in self._stores:
            self._stores[resource].put(obj)


class Client:
    """Writes as one identity, through the shared stores. Every method raises ApiError, TimeoutError, OSError."""

    def __init__(self, api: Api, stores: Stores) -> None:
        self.api = api
        self._stores = stores

    async def create(self, resource: Resource, obj: Object) -> Object:
        """Creates; fills in apiVersion and kind."""
        body = {"apiVersion": resource.api_version, "kind": resource.kind, **obj}
        answer: Object = await self.api.post(resource.path(obj["metadata"].get("namespace", "")), body)
        self._stores.note(resource, answer)
        return answer

    async def update(self, resource: Resource, obj: Object, subresource: str = "") -> Object:
        """Replaces; the resourceVersion in `obj` must be the current one (409 otherwise)."""
        body = {"apiVersion": resource.api_version, "kind": resource.kind, **obj}
        answer: Object = await self.api.put(resource.path(*key_of(obj), subresource), body)
        self._stores.note(resource, answer)
        return answer

    async def patch(
        self, resource: Resource, key: Key, body: Any, subresource: str = "", content_type: str = MERGE
    ) -> Object:
        """Patches, as a merge patch by default."""
        answer: Object = await self.api.patch(resource.path(*key, subresource), body, content_type)
        self._stores.note(resource, answer)
        return answer

    async def delete(self, resource: Resource, obj: Object, grace_period: int | None = None) -> None:
        """Deletes exactly this object (UID precondition); that it is gone already is fine."""
        options: Object = {"preconditions": {"uid": uid_of(obj)}, "propagationPolicy": "Background"}
        if grace_period is not None:
            options["gracePeriodSeconds"] = grace_period
        with suppress_gone():
            answer = await self.api.delete(resource.path(*key_of(obj)), options)
            # What goes at once answers with the object too; only a finalizer or a grace period keeps it.
            metadata = answer.get("metadata", {}) if answer.get("kind") == resource.kind else {}
            if metadata.get("finalizers") or metadata.get("deletionGracePeriodSeconds"):
                self._stores.note(resource, answer)


class suppress_gone(suppress):
    """Ignores that an object is gone (404), or replaced by another of the same name (409 on its UID)."""

    def __init__(self) -> None:
        super().__init__(ApiError)

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> bool:
        if not isinstance(error, ApiError):
            return False
        return error.status == 404 or (error.status == 409 and "Precondition failed" in error.message)
