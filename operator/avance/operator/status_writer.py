"""Writes the status of a pair and of its VMs when it changed, and tells when a condition turned."""

from __future__ import annotations

import asyncio
from typing import Any

from avance.core.condition import BAD_WHEN_TRUE
from avance.core.evictions import EVICTION_REFUSED
from avance.core.model import PairView
from avance.core.plan import Plan
from avance.core.provisioning import NEEDS_A_PERSON
from avance.core.report import PairReport, VmReport
from avance.kube.client import Kube
from avance.kube.errors import NotFound
from avance.kube.resources import AVANCE_PAIRS, NODES, PROTECTED_VMS, Resource
from avance.operator.disk_status import disks_object
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

    async def write(
        self, pair: Object, view: PairView, told: PairReport, decided: Plan, recorded: list[Object], now: float
    ) -> None:
        """Bring every status up to date; raises ApiError when one cannot be written.

        `recorded`: the specs that the log of actions has by now.
        """
        await asyncio.gather(*(self._write_vm(vm, view, now) for vm in told.vms))
        known, generation = pair.get("status") or {}, pair["metadata"]["generation"]
        status = {**pair_status(known, generation, view, told, now, decided.would), "recorded": recorded}
        await self._write(AVANCE_PAIRS, pair, status)
        self._tell_what_it_would_do(pair, known, status)

    async def _write_vm(self, vm: VmReport, view: PairView, now: float) -> None:
        namespace, name = vm.key.split("/")
        obj = self._store.get(PROTECTED_VMS, name, namespace)
        if obj is not None:
            seen = view.vm(vm.key)
            disks = disks_object(seen.storage if seen else None, tuple(node.name for node in view.nodes))
            status = vm_status(obj.get("status") or {}, obj["metadata"]["generation"], vm, now, disks)
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

    def _tell_what_it_would_do(self, pair: Object, known: Object, status: Object) -> None:
        for sentence in status.get("wouldDo", ()):
            if sentence not in known.get("wouldDo", ()):
                self._events.tell(AVANCE_PAIRS, pair, "WouldDo", sentence)

    def _tell_turns(self, resource: Resource, obj: Object, known: Object, status: Object) -> None:
        """Also about the node, where it refuses an eviction: whoever drains a node looks there."""
        before = {condition["type"]: condition for condition in known.get("conditions") or ()}
        for condition in status["conditions"]:
            was = before.get(condition["type"], {})
            turned = was.get("status") not in (None, condition["status"])
            # A disk that is not there yet is nothing to tell; that a person has to act for it is.
            turned |= condition["reason"] in NEEDS_A_PERSON and was.get("reason") != condition["reason"]
            if turned and condition["status"] != "Unknown":
                word = condition["type"] if condition["status"] == "True" else f"Not{condition['type']}"
                bad = condition["status"] == ("True" if condition["type"] in BAD_WHEN_TRUE else "False")
                self._events.tell(resource, obj, word, condition["message"], warning=bad)
                node = self._store.get(NODES, status.get("primary", ""))
                if bad and condition["reason"] == EVICTION_REFUSED and node is not None:
                    told = f"{obj['metadata']['namespace']}/{obj['metadata']['name']}: {condition['message']}"
                    self._events.tell(NODES, node, word, told, warning=True)
