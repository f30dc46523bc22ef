"""What the API server shows of the story's objects, kept up to date by watches, and when each thing was first seen."""

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import aiohttp

from e2e.controlplane import Api, ApiError

Object = dict[str, Any]
Listener = Callable[[str, Object, Object], None]
"""Called with a kind, the object before (empty: new) and the object now (empty: gone)."""

KINDS = {
    "Node": "/api/v1/nodes",
    "Lease": "/apis/coordination.k8s.io/v1/namespaces/avance-system/leases",
    "AvancePair": "/apis/avance.dev/v1alpha1/avancepairs",
    "ProtectedVM": "/apis/avance.dev/v1alpha1/protectedvms",
    "AvanceAction": "/apis/avance.dev/v1alpha1/avanceactions",
    "VirtualMachineInstance": "/apis/kubevirt.io/v1/virtualmachineinstances",
    "VirtualMachineInstanceMigration": "/apis/kubevirt.io/v1/virtualmachineinstancemigrations",
}
_RETRY_S = 0.5


class World:
    """The objects by kind and name (the story has one namespace). Listeners hear every change, one at a time."""

    def __init__(self) -> None:
        self.listeners: list[Listener] = []
        self.deeds: dict[str, float] = {}
        """When each verb of the lab was last done, seconds since the epoch."""
        self.first_seen: dict[tuple[str, str], float] = {}
        """When an instance (by UID) was first seen in a phase."""
        self._objects: dict[str, dict[str, Object]] = {kind: {} for kind in KINDS}
        self.instances_before: dict[str, str] = {}
        """UIDs of the VMs' instances at the last deed."""
        self._before: frozenset[str] = frozenset()

    def all(self, kind: str) -> list[Object]:
        """Every object of a kind, by name."""
        return [obj for _, obj in sorted(self._objects[kind].items())]

    def get(self, kind: str, name: str) -> Object:
        """One object; empty when there is none."""
        return self._objects[kind].get(name, {})

    def mark(self, deed: str) -> None:
        """Something is done now: actions and migrations that exist already are none of its consequences."""
        self.deeds[deed] = time.time()
        self._before = frozenset(map(_uid, self._consequences()))
        self.instances_before = self.instances()

    def instances(self) -> dict[str, str]:
        """UID of the present instance of each VM that has one."""
        return {obj["metadata"]["name"]: _uid(obj) for obj in self.all("VirtualMachineInstance")}

    def new(self, kind: str, type_: str = "") -> list[Object]:
        """Actions (of one type) or migrations since the last deed, by name."""
        recent = (obj for obj in self.all(kind) if _uid(obj) not in self._before)
        return [obj for obj in recent if not type_ or obj["spec"]["type"] == type_]

    def put(self, kind: str, obj: Object) -> None:
        """Takes over what a watch says of an object."""
        name = obj["metadata"]["name"]
        before, self._objects[kind][name] = self.get(kind, name), obj
        if kind == "VirtualMachineInstance":
            self.first_seen.setdefault((_uid(obj), obj.get("status", {}).get("phase", "")), time.time())
        self._tell(kind, before, obj)

    def drop(self, kind: str, name: str) -> None:
        """The object is gone."""
        before = self._objects[kind].pop(name, {})
        if before:
            self._tell(kind, before, {})

    async def follow(self, api: Api, kind: str) -> None:
        """Keeps the objects of a kind true until cancelled; begins anew when the API server ends the watch."""
        path = KINDS[kind]
        while True:
            try:
                listed = await api.get(path)
                present = {obj["metadata"]["name"] for obj in listed["items"]}
                for name in set(self._objects[kind]) - present:
                    self.drop(kind, name)
                for obj in listed["items"]:
                    self.put(kind, obj)
                async for event in api.watch(path, resourceVersion=listed["metadata"]["resourceVersion"]):
                    if not self._take(kind, event):
                        break
            except (ApiError, aiohttp.ClientError, OSError, TimeoutError):
                await asyncio.sleep(_RETRY_S)

    def _take(self, kind: str, event: dict[str, Any]) -> bool:
        """Whether the watch can go on."""
        if event["type"] == "DELETED":
            self.drop(kind, event["object"]["metadata"]["name"])
        elif event["type"] in ("ADDED", "MODIFIED"):
            self.put(kind, event["object"])
        return bool(event["type"] != "ERROR")

    def _consequences(self) -> Iterator[Object]:
        yield from self.all("AvanceAction")
        yield from self.all("VirtualMachineInstanceMigration")

    def _tell(self, kind: str, before: Object, now: Object) -> None:
        for listener in tuple(self.listeners):
            listener(kind, before, now)


def status(obj: Object) -> Object:
    """The status of an object; empty when it has none yet."""
    found: Object = obj.get("status") or {}
    return found


def condition(obj: Object, type_: str) -> Object:
    """One condition of an object's status; empty when it is not there."""
    return next((each for each in status(obj).get("conditions") or () if each["type"] == type_), {})


def node_of(pair: Object, name: str) -> Object:
    """What a pair's status says of a node."""
    return next((each for each in status(pair).get("nodes") or () if each["name"] == name), {})


def _uid(obj: Object) -> str:
    uid: str = obj["metadata"]["uid"]
    return uid
