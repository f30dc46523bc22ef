"""Writes the status of a pair and of its VMs when it changed, and tells when a condition turned."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from avance.core.model import PairView
from avance.core.plan import Plan
from avance.core.policy import Mode
from avance.core.report import Condition, PairReport, VmReport
from avance.kube.client import Kube
from avance.kube.errors import NotFound
from avance.kube.resources import AVANCE_PAIRS, PROTECTED_VMS, Resource
from avance.operator.events import EventPoster
from avance.operator.status import pair_status, vm_status
from avance.operator.store import Store

Object = dict[str, Any]


class StatusWriter:
    """Compares with what is on record, so that a quiet pair costs no request."""

    def __init__(self, kube: Kube, store: Store, events: EventPoster) -> None:
        self._kube = kube
        self._store = store
        self._events = events

    async def write(self, pair: Object, view: PairView, told: PairReport, decided: Plan, now: float) -> None:
        """Bring every status up to date; raises ApiError when one cannot be written."""
        await asyncio.gather(*(self._write_vm(vm, now) for vm in told.vms))
        known, generation = pair.get("status") or {}, pair["metadata"]["generation"]
        if view.policy.mode is Mode.OBSERVE:
            told = _observing(told, decided)
        await self._write(AVANCE_PAIRS, pair, pair_status(known, generation, view, told, now))

    async def _write_vm(self, vm: VmReport, now: float) -> None:
        namespace, name = vm.key.split("/")
        obj = self._store.get(PROTECTED_VMS, name, namespace)
        if obj is not None:
            status = vm_status(obj.get("status") or {}, obj["metadata"]["generation"], vm, now)
            await self._write(PROTECTED_VMS, obj, status)

    async def _write(self, resource: Resource, obj: Object, status: Object) -> None:
        known = obj.get("status") or {}
        if known == status:
            return
        gone = dict.fromkeys(known.keys() - status.keys())
        metadata = obj["metadata"]
        patch = {"status": {**status, **gone}}
        try:
            written = await self._kube.patch_merge(
                resource, metadata["name"], patch, metadata.get("namespace", ""), subresource="status"
            )
        except NotFound:
            self._store.drop(resource, obj)
            return
        self._store.put(resource, written)
        self._tell_turns(resource, obj, known, status)

    def _tell_turns(self, resource: Resource, obj: Object, known: Object, status: Object) -> None:
        before = {condition["type"]: condition["status"] for condition in known.get("conditions") or ()}
        for condition in status["conditions"]:
            turned = before.get(condition["type"]) not in (None, condition["status"])
            if turned and condition["status"] != "Unknown":
                bad = condition["status"] == "False"
                word = f"Not{condition['type']}" if bad else condition["type"]
                self._events.tell(resource, obj, word, condition["message"], warning=bad)


def _observing(told: PairReport, decided: Plan) -> PairReport:
    """In mode Observe the pair says what would be done."""
    would = "; ".join(f"{intent.type} {intent.target}: {intent.message}" for intent in decided.intents)
    message = f"mode is Observe, nothing is done; now it would: {would or 'do nothing'}"
    return replace(told, conditions=(*told.conditions, Condition("Observing", True, "ModeObserve", message)))
