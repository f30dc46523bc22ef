"""ProtectedVMs and actions whose pair does not exist: nobody serves them, and they are told so.

An action that failed stays failed, so the store's word is not enough: a pair that was created together with it may only
not have been seen yet.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from avance.core.condition import Condition
from avance.kube.client import Kube
from avance.kube.errors import NotFound
from avance.kube.resources import AVANCE_ACTIONS, AVANCE_PAIRS, PROTECTED_VMS, Resource
from avance.operator.adopting import Adopting
from avance.operator.clock import Clock, to_api
from avance.operator.custody import FINALIZER
from avance.operator.export import tell
from avance.operator.status import conditions
from avance.operator.store import Store

Object = dict[str, Any]


async def tell_orphans(kube: Kube, store: Store, clock: Clock, adopting: Adopting) -> None:
    """Write to each orphan's status what it lacks, nothing where it is written already; and let those go that are
    being deleted. Raises ApiError.
    """
    await _let_go(kube, store, clock, adopting)
    for resource in (PROTECTED_VMS, AVANCE_ACTIONS):
        for obj in list(_orphans(store, resource)):
            if obj["metadata"].get("deletionTimestamp"):
                continue
            status = _vm_status(obj, clock.now()) if resource is PROTECTED_VMS else _action_status(obj, clock.now())
            told = status.items() <= (obj.get("status") or {}).items()
            if not told and await _pair_is_missing(kube, obj["spec"]["pairRef"]["name"]):
                await _write(kube, store, resource, obj, status)


async def _let_go(kube: Kube, store: Store, clock: Clock, adopting: Adopting) -> None:
    for obj in list(_orphans(store, PROTECTED_VMS)):
        metadata = obj["metadata"]
        held = metadata.get("deletionTimestamp") and FINALIZER in (metadata.get("finalizers") or ())
        if held and await _pair_is_missing(kube, obj["spec"]["pairRef"]["name"]):
            waits = await adopting.release_without_pair(obj)
            if waits:
                await _write(kube, store, PROTECTED_VMS, obj, _vm_status(obj, clock.now(), waits))


async def _pair_is_missing(kube: Kube, pair: str) -> bool:
    try:
        await kube.get(AVANCE_PAIRS, pair)
    except NotFound:
        return True
    return False


async def _write(kube: Kube, store: Store, resource: Resource, obj: Object, status: Object) -> None:
    metadata, patch = obj["metadata"], {"status": status}
    namespace = metadata.get("namespace", "")
    try:
        written = await kube.patch_merge(resource, metadata["name"], patch, namespace, subresource="status")
    except NotFound:
        return
    store.put(resource, written)
    if resource is AVANCE_ACTIONS:
        tell(written, status["phase"])


def _orphans(store: Store, resource: Resource) -> Iterator[Object]:
    for obj in store.all(resource):
        finished = resource is AVANCE_ACTIONS and (obj.get("status") or {}).get("finishedAt")
        if not finished and store.get(AVANCE_PAIRS, obj["spec"]["pairRef"]["name"]) is None:
            yield obj


def _message(obj: Object) -> str:
    pair = obj["spec"]["pairRef"]["name"]
    return f"there is no AvancePair {pair}: create it, or delete this object and write it anew for another pair"


def _vm_status(obj: Object, now: float, waits: str = "") -> Object:
    lacking = Condition("Ready", False, "PairNotFound", _message(obj))
    reason = "LettingGo" if waits else "PairNotFound"
    unprotected = Condition("Protected", False, reason, waits or _message(obj))
    generation = obj["metadata"]["generation"]
    found = conditions(obj.get("status") or {}, generation, (lacking, unprotected), now)
    return {"observedGeneration": generation, "phase": "Unknown", "conditions": found}


def _action_status(obj: Object, now: float) -> Object:
    return {"phase": "Failed", "finishedAt": to_api(now), "result": _message(obj)}
