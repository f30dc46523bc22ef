"""The hands that adopt a VirtualMachine and let it go: live reads, one request for each change, safe to repeat.

First the finalizer on the ProtectedVM, then the VirtualMachine with the record of what it was; back the other way
round. So at no moment is there a VirtualMachine under protection that nobody would put back.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from avance.api.protected_vm import ProtectedVM
from avance.kube.client import Kube
from avance.kube.errors import NotFound
from avance.kube.resources import NODES, PROTECTED_VMS, VIRTUAL_MACHINES, VMIS
from avance.kubevirt.adoptable import why_not_adoptable, why_not_ours
from avance.kubevirt.adoption import adopted, record_of, released, starts_by_itself
from avance.operator.clock import Clock
from avance.operator.custody import FINALIZER, hostnames_of
from avance.operator.store import Store, key_of

Object = dict[str, Any]

FIELD_MANAGER = "avance"


class NotNow(Exception):
    """It was not done; the message says why."""


class Adopting:
    """`tell(obj, reason, message)`: an Event about a ProtectedVM."""

    def __init__(self, kube: Kube, store: Store, clock: Clock, tell: Callable[[Object, str, str], None]) -> None:
        self._kube = kube
        self._store = store
        self._clock = clock
        self._tell = tell

    async def adopt(self, pvm: ProtectedVM, obj: Object, nodes: list[Object], prefer: str) -> None:
        """Take the VirtualMachine on, or bring it in order. Raises NotNow and ApiError."""
        namespace, name = key_of(obj)
        machine = await self._machine(namespace, name)
        begun = record_of(machine) is not None
        if not begun:
            labels = {node["metadata"]["name"]: node["metadata"].get("labels") or {} for node in nodes}
            _, why = why_not_adoptable(name, machine, self._store.get(VMIS, name, namespace), labels)
            if why:
                raise NotNow(why)
        await self._promise(obj)
        if machine is None:
            raise NotNow(f"VirtualMachine {namespace}/{name} is gone")
        pair = pvm.spec.pair_ref.name
        await self._change(machine, adopted(machine, pair, hostnames_of(nodes), prefer, self._clock.now()))
        if not begun:
            self._tell(obj, "Adopted", f"VirtualMachine {name} is protected; what it was before is on record in it")

    async def refuse_what_is_not_ours(self, obj: Object) -> None:
        """Before a VirtualMachine is made: there may be one of its name that no watch has shown yet. Raises NotNow."""
        namespace, name = key_of(obj)
        if self._store.get(VIRTUAL_MACHINES, name, namespace) is None:
            _, why = why_not_ours(await self._machine(namespace, name))
            if why:
                raise NotNow(why)

    async def release(self, obj: Object, instance_uid: str | None) -> None:
        """Leave the VirtualMachine as it was, and let the ProtectedVM go. Raises NotNow and ApiError.

        `instance_uid`: of the live instance that the decision was about, empty for none, None if any will do.
        """
        namespace, name = key_of(obj)
        machine = await self._machine(namespace, name)
        if machine is not None and record_of(machine) and not machine["metadata"].get("deletionTimestamp"):
            live = await self._live_instance(namespace, name)
            if instance_uid not in (live, None):
                raise NotNow("its instance has changed meanwhile: looking again")
            runs = True if live else None if obj["spec"].get("running", True) else False
            await self._change(machine, released(machine, runs))
            self._tell(obj, "LetGo", f"VirtualMachine {name} is as it was before it was adopted, and its owner's again")
        await self._keep_promise(obj)

    async def release_without_pair(self, obj: Object) -> str:
        """As `release`, where no pair is left to judge; returns why it has to wait, in words. Raises ApiError."""
        namespace, name = key_of(obj)
        machine = await self._machine(namespace, name)
        on = self._store.get(NODES, (obj.get("status") or {}).get("primary") or "")
        if machine is not None and record_of(machine) and starts_by_itself(machine) and on is not None:
            ready = any(
                each["type"] == "Ready" and each["status"] == "True" for each in on["status"].get("conditions") or ()
            )
            if not ready and not await self._live_instance(namespace, name):
                where = on["metadata"]["name"]
                return f"KubeVirt would start it at once, and {where}, where it ran last, is silent: it may run there"
        try:
            await self.release(obj, None)
        except NotNow as not_now:
            return str(not_now)
        return ""

    async def _machine(self, namespace: str, name: str) -> Object | None:
        try:
            return await self._kube.get(VIRTUAL_MACHINES, name, namespace)
        except NotFound:
            return None

    async def _live_instance(self, namespace: str, name: str) -> str:
        try:
            vmi = await self._kube.get(VMIS, name, namespace)
        except NotFound:
            return ""
        ended = (vmi.get("status") or {}).get("phase") in ("Succeeded", "Failed")
        return "" if ended else str(vmi["metadata"]["uid"])

    async def _promise(self, obj: Object) -> None:
        held = list(obj["metadata"].get("finalizers") or ())
        if obj["metadata"].get("deletionTimestamp"):
            raise NotNow("its ProtectedVM is being deleted")
        if FINALIZER not in held:
            namespace, name = key_of(obj)
            metadata = {"finalizers": [*held, FINALIZER], "resourceVersion": obj["metadata"]["resourceVersion"]}
            changed = await self._kube.patch_merge(PROTECTED_VMS, name, {"metadata": metadata}, namespace)
            self._store.put(PROTECTED_VMS, changed)

    async def _keep_promise(self, obj: Object) -> None:
        held = list(obj["metadata"].get("finalizers") or ())
        if FINALIZER in held:
            # By its place, not by the object's version: its status may be written at the same moment.
            place = f"/metadata/finalizers/{held.index(FINALIZER)}"
            remove = [{"op": "test", "path": place, "value": FINALIZER}, {"op": "remove", "path": place}]
            namespace, name = key_of(obj)
            try:
                await self._kube.patch_json(PROTECTED_VMS, name, remove, namespace)
            except NotFound:
                return

    async def _change(self, machine: Object, new: Object) -> None:
        """One request; raises Conflict if the VirtualMachine has changed since it was read."""
        if new == machine:
            return
        namespace, name = key_of(machine)
        changed = await self._kube.patch_json(
            VIRTUAL_MACHINES, name, _operations(machine, new), namespace, field_manager=FIELD_MANAGER
        )
        self._store.put(VIRTUAL_MACHINES, changed)


def _operations(machine: Object, new: Object) -> list[Object]:
    version = machine["metadata"]["resourceVersion"]
    operations: list[Object] = [{"op": "replace", "path": "/metadata/resourceVersion", "value": version}]
    for around, field in (("metadata", "labels"), ("metadata", "annotations"), ("", "spec")):
        live, wanted = (copy.deepcopy((one[around] if around else one).get(field)) for one in (machine, new))
        path = f"/{around}/{field}" if around else f"/{field}"
        if wanted is None and live is not None:
            operations.append({"op": "remove", "path": path})
        elif wanted != live:
            operations.append({"op": "add", "path": path, "value": wanted})
    return operations
