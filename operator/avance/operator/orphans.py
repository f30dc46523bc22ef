"""ProtectedVMs and actions whose pair does not exist: nobody serves them, and they are told so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from avance.core.report import Condition
from avance.kube.client import Kube
from avance.kube.resources import AVANCE_ACTIONS, AVANCE_PAIRS, PROTECTED_VMS, Resource
from avance.operator.clock import Clock, to_api
from avance.operator.status import conditions
from avance.operator.store import Store

Object = dict[str, Any]


async def tell_orphans(kube: Kube, store: Store, clock: Clock) -> None:
    """Write to each orphan's status what it lacks; nothing where it is written already. Raises ApiError."""
    for resource in (PROTECTED_VMS, AVANCE_ACTIONS):
        for obj in list(_orphans(store, resource)):
            known = obj.get("status") or {}
            status = _vm_status(obj, clock.now()) if resource is PROTECTED_VMS else _action_status(obj, clock.now())
            if status.items() <= known.items():
                continue
            metadata = obj["metadata"]
            namespace = metadata.get("namespace", "")
            patch = {"status": status}
            written = await kube.patch_merge(resource, metadata["name"], patch, namespace, subresource="status")
            store.put(resource, written)


def _orphans(store: Store, resource: Resource) -> Iterator[Object]:
    for obj in store.all(resource):
        finished = resource is AVANCE_ACTIONS and (obj.get("status") or {}).get("finishedAt")
        if not finished and store.get(AVANCE_PAIRS, obj["spec"]["pairRef"]["name"]) is None:
            yield obj


def _message(obj: Object) -> str:
    pair = obj["spec"]["pairRef"]["name"]
    return f"there is no AvancePair {pair}: create it, or delete this object and write it anew for another pair"


def _vm_status(obj: Object, now: float) -> Object:
    lacking = Condition("Ready", False, "PairNotFound", _message(obj))
    unprotected = Condition("Protected", False, "PairNotFound", _message(obj))
    generation = obj["metadata"]["generation"]
    found = conditions(obj.get("status") or {}, generation, (lacking, unprotected), now)
    return {"observedGeneration": generation, "phase": "Unknown", "conditions": found}


def _action_status(obj: Object, now: float) -> Object:
    return {"phase": "Failed", "finishedAt": to_api(now), "result": _message(obj)}
