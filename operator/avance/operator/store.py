"""What the watches have seen: plain objects, found by pair, node and VM, and when each sign was first seen.

Limits: it is a cache. It may lag behind the API server by the time of a watch event, and an object whose deletion
fell into a gap of the watch stays until `drop_ghosts` finds it. What must not rest on old news is read live where it
is done.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Set
from typing import Any

from avance.core.components import PEER_UNREACHABLE
from avance.core.liveness import CONTACT_SECONDS
from avance.kube.resources import (
    AVANCE_ACTIONS,
    AVANCE_PAIRS,
    DATA_VOLUMES,
    LEASES,
    MIGRATIONS,
    NODES,
    PODS,
    PROTECTED_VMS,
    VIRTUAL_MACHINES,
    VMIS,
    Resource,
)
from avance.operator.clock import Clock
from avance.operator.compact import compact
from avance.operator.guests import signs_of

Object = dict[str, Any]
Key = tuple[str, str]
"""Namespace (empty for cluster-scoped kinds) and name."""

WATCHED: tuple[Resource, ...] = (
    AVANCE_PAIRS,
    PROTECTED_VMS,
    AVANCE_ACTIONS,
    NODES,
    LEASES,
    VIRTUAL_MACHINES,
    VMIS,
    MIGRATIONS,
    PODS,
    DATA_VOLUMES,
)

EDITED = (AVANCE_PAIRS, PROTECTED_VMS)
"""Kinds that people edit: who has is part of what is told."""

NODE_LEASES = "kube-node-lease"
"""Namespace of the Leases that kubelets renew."""

REPORTED = "reported"
"""Sign of a Node: the newest of the times that its kubelet, its detectors and its virt-handler have written into it."""
VIRT_HANDLER_HEARTBEAT = "kubevirt.io/heartbeat"

PEER_HEARTBEAT = "peer heartbeat"
"""Sign of a Node: when the detector that watches its peer wrote last, in that one's words."""

REMEMBERED_DELETIONS = 10_000

_SIGNS_OF_LIFE = frozenset({"renewTime", "bootID", REPORTED})

LAUNCHER_VM_LABELS = ("vm.kubevirt.io/name", "kubevirt.io/domain")
"""Labels of a launcher pod that name its VM; the second is what older KubeVirts set."""


def key_of(obj: Object) -> Key:
    """Namespace and name of an object."""
    metadata = obj["metadata"]
    return metadata.get("namespace") or "", metadata["name"]


class Store:
    """Objects by kind and key, with the indices that make the view of one pair cost no more than the pair's size."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._objects: dict[Resource, dict[Key, Object]] = {resource: {} for resource in WATCHED}
        self._members: dict[tuple[Resource, str], set[Key]] = defaultdict(set)
        self._dropped: dict[tuple[Resource, Key], int] = {}
        self._first_seen: dict[tuple[Resource, Key], dict[str, tuple[str, float]]] = {}
        self._contact_since: dict[str, float] = {}
        self._reported_end: dict[str, str] = {}
        self._vanished_at: dict[str, float] = {}
        self._when_dropped: list[Callable[[Object], None]] = []
        self.started_at = clock.now()

    def get(self, resource: Resource, name: str, namespace: str = "") -> Object | None:
        """One object, or None."""
        return self._objects[resource].get((namespace, name))

    def count(self, resource: Resource) -> int:
        """How many objects of a kind there are."""
        return len(self._objects[resource])

    def all(self, resource: Resource) -> Iterable[Object]:
        """Every object of a kind."""
        return self._objects[resource].values()

    def members(self, resource: Resource, group: str) -> Iterator[Object]:
        """Objects of a kind that belong to a pair (VMs, actions), a VM (pods, migrations) or a label (nodes, pairs)."""
        objects = self._objects[resource]
        return (objects[key] for key in sorted(self._members.get((resource, group), ())))

    def put(self, resource: Resource, obj: Object, *, listed: bool = False) -> bool:
        """Take in a newer version of an object; False if what is known is as new already.

        `listed`: it comes from a listing, not from a change that was watched, so it may have been so for long.
        """
        key = key_of(obj)
        known = self._objects[resource].get(key)
        # Versions of one kind only grow, through deletions and new objects of the same name too.
        if _version(obj) <= (_version(known) if known is not None else self._dropped.get((resource, key), 0)):
            return False
        if known is not None and not _same(known, obj):
            self._forget(resource, key, known)
        elif known is not None:
            self._leave_groups(resource, key, known)
        obj = self._objects[resource][key] = compact(obj, writers=resource in EDITED)
        for group in _groups(resource, obj):
            self._members[resource, group].add(key)
        self._note_first_seen(resource, key, obj, listed=listed)
        return True

    def drop(self, resource: Resource, obj: Object) -> None:
        """Forget an object that is gone, unless a later one has taken its name."""
        key = key_of(obj)
        known = self._objects[resource].get(key)
        if known is not None and _same(known, obj):
            self._forget(resource, key, known)
            self._remember_deletion(resource, key, max(_version(obj), _version(known)))

    def when_dropped(self, forget: Callable[[Object], None]) -> None:
        """Have each object that is gone told, so that what was derived from it goes too."""
        self._when_dropped.append(forget)

    def put_all(self, resource: Resource, live: Iterable[Object]) -> set[str]:
        """Take in a page of a listing; returns the UIDs that it has."""
        uids = set()
        for obj in live:
            self.put(resource, obj, listed=True)
            uids.add(obj["metadata"]["uid"])
        return uids

    def drop_ghosts(self, resource: Resource, live: Set[str], as_of: str) -> list[Object]:
        """Drop what a whole listing no longer has; returns what was dropped.

        `live`: the UIDs of the listing. `as_of`: its resourceVersion; what is newer than that is no ghost.
        """
        known = self._objects[resource].values()
        ghosts = [obj for obj in known if obj["metadata"]["uid"] not in live and _version(obj) <= int(as_of)]
        for obj in ghosts:
            self.drop(resource, obj)
        return ghosts

    def vanished_at(self, vm: str) -> float:
        """When the last instance of a VM went without its kubelet's word; the start if nobody saw, 0 if in order."""
        return self._vanished_at.get(vm, self.started_at)

    def first_seen(self, resource: Resource, obj: Object, sign: str) -> float:
        """When the present value of a sign of an object (see `_signs`) was seen first, by the operator's clock."""
        return self._first_seen.get((resource, key_of(obj)), {}).get(sign, ("", self.started_at))[1]

    def seconds_unchanged(self, resource: Resource, obj: Object, sign: str) -> float:
        """For how long a sign of an object has been seen to stand still."""
        return self._clock.now() - self.first_seen(resource, obj, sign)

    def heard_at(self, node: Object) -> float:
        """When a node last gave a sign of life: its Lease renewed, its state reported, another boot."""
        lease = self.get(LEASES, node["metadata"]["name"], NODE_LEASES)
        renewed_at = self.first_seen(LEASES, lease, "renewTime") if lease else self.started_at
        return max(renewed_at, self.first_seen(NODES, node, REPORTED), self.first_seen(NODES, node, "bootID"))

    def heartbeat(self, node: Object) -> str:
        """The name of a node's last sign of life, in the words of those who gave it; another one after the next."""
        lease = self.get(LEASES, node["metadata"]["name"], NODE_LEASES)
        return f"{lease['spec'].get('renewTime', '') if lease else ''} {_reported(node)}".strip()

    def heard_since(self, node: Object) -> float:
        """Since when a node has been in contact without a break, and in its present life."""
        began = self._contact_since.get(node["metadata"]["name"], self.started_at)
        return max(began, self.first_seen(NODES, node, "bootID"))

    def _note_ending(self, resource: Resource, key: Key, known: Object) -> None:
        """A pod that goes after it had ended is its kubelet's word for the instance; without it, one vanishes."""
        if resource is PODS and _has_ended(known):
            for vm in _groups(PODS, known):
                self._reported_end[vm] = _instance_of(known)
        elif resource is VMIS:
            vm, uid = "/".join(key), known["metadata"]["uid"]
            ended = {_instance_of(pod) for pod in self.members(PODS, vm) if _has_ended(pod)}
            in_order = uid in ended or self._reported_end.get(vm) == uid
            self._vanished_at[vm] = 0.0 if in_order else self._clock.now()

    def _forget(self, resource: Resource, key: Key, known: Object) -> None:
        self._note_ending(resource, key, known)
        self._leave_groups(resource, key, known)
        del self._objects[resource][key]
        self._first_seen.pop((resource, key), None)
        for forget in self._when_dropped:
            forget(known)

    def _note_first_seen(self, resource: Resource, key: Key, obj: Object, *, listed: bool) -> None:
        before = self._first_seen.get((resource, key), {})
        now = self._clock.now()
        signs = {}
        for sign, value in _signs(resource, obj):
            # A sign of life that was there at the first look may be old: silence counts from when somebody listened.
            began = self.started_at if sign in _SIGNS_OF_LIFE and listed and not before else now
            signs[sign] = before[sign] if sign in before and before[sign][0] == value else (value, began)
        if resource is LEASES and not before and not listed:
            self._contact_since[key[1]] = now
        elif resource is LEASES and before and signs["renewTime"] != before["renewTime"]:
            self._note_contact(key[1], before["renewTime"][1], now)
        if signs:
            self._first_seen[resource, key] = signs

    def _note_contact(self, node: str, heard_before: float, now: float) -> None:
        """A renewal after a long pause, and the first one that is heard at all, begins the contact anew. (So does a
        new Lease: somebody may have deleted the old one during a pause.)
        """
        if heard_before == self.started_at or now - heard_before >= CONTACT_SECONDS:
            self._contact_since[node] = now

    def _remember_deletion(self, resource: Resource, key: Key, version: int) -> None:
        """So that a listing, or the answer to a write, that was on its way meanwhile does not bring a ghost back."""
        self._dropped[resource, key] = version
        if len(self._dropped) > REMEMBERED_DELETIONS:
            del self._dropped[next(iter(self._dropped))]

    def _leave_groups(self, resource: Resource, key: Key, obj: Object) -> None:
        for group in _groups(resource, obj):
            members = self._members[resource, group]
            members.discard(key)
            if not members:
                del self._members[resource, group]


def _same(one: Object, other: Object) -> bool:
    """Not another one of the same name: kopf may tell of that one before it tells that the old one is gone."""
    return bool(one["metadata"]["uid"] == other["metadata"]["uid"])


def _has_ended(pod: Object) -> bool:
    return pod.get("status", {}).get("phase") in ("Succeeded", "Failed")


def ended_by_kubelet(pod: Object) -> bool:
    """It has ended, and its kubelet says so of each of its containers: the phase alone others can set as well."""
    statuses = pod.get("status", {}).get("containerStatuses") or ()
    return _has_ended(pod) and bool(statuses) and all("terminated" in each.get("state", {}) for each in statuses)


def _instance_of(pod: Object) -> str:
    return str((pod["metadata"].get("labels") or {}).get("kubevirt.io/created-by", ""))


def _version(obj: Object) -> int:
    return int(obj["metadata"]["resourceVersion"])


def _groups(resource: Resource, obj: Object) -> Iterator[str]:
    namespace, _ = key_of(obj)
    labels = obj["metadata"].get("labels") or {}
    if resource in (PROTECTED_VMS, AVANCE_ACTIONS):
        yield obj["spec"]["pairRef"]["name"]
    elif resource is NODES:
        yield from (f"{key}={value}" for key, value in labels.items())
    elif resource is PODS:
        name = next((labels[label] for label in LAUNCHER_VM_LABELS if label in labels), "")
        yield f"{namespace}/{name}"
    elif resource is MIGRATIONS:
        yield f"{namespace}/{obj['spec'].get('vmiName', '')}"
    elif resource is AVANCE_PAIRS:
        yield from (f"{key}={value}" for key, value in obj["spec"]["nodeSelector"].items())


def _signs(resource: Resource, obj: Object) -> Iterator[tuple[str, str]]:
    """The values whose age counts, measured from when the operator saw them: other machines' clocks may be wrong."""
    if resource is LEASES:
        yield "renewTime", str(obj["spec"].get("renewTime", ""))
    elif resource is NODES:
        yield "bootID", str(obj.get("status", {}).get("nodeInfo", {}).get("bootID", ""))
        yield REPORTED, _reported(obj)
        for condition in obj.get("status", {}).get("conditions") or ():
            yield condition["type"], f"{condition['status']} {condition.get('lastTransitionTime', '')}"
            if condition["type"] == PEER_UNREACHABLE:
                yield PEER_HEARTBEAT, str(condition.get("lastHeartbeatTime", ""))
    elif resource is VMIS:
        yield from signs_of(obj)
    elif resource is MIGRATIONS:
        yield "phase", str((obj.get("status") or {}).get("phase", ""))
    elif resource is PROTECTED_VMS:
        yield "uid", obj["metadata"]["uid"]
    elif resource is DATA_VOLUMES:
        yield "phase", str((obj.get("status") or {}).get("phase", ""))


def _reported(node: Object) -> str:
    """What only somebody on the node itself moves forward: the node controller keeps these times as they are."""
    conditions = node.get("status", {}).get("conditions") or ()
    status = max((str(condition.get("lastHeartbeatTime") or "") for condition in conditions), default="")
    return f"{status} {(node['metadata'].get('annotations') or {}).get(VIRT_HANDLER_HEARTBEAT, '')}".strip()
