"""virt-controller's part for VirtualMachines: run strategies, the one VMI of a VM, live updates, status."""

import copy
from typing import Any

from e2e.controlplane.client import ApiError
from e2e.kubevirt.api import (
    REVISION,
    VM,
    VM_FINALIZER,
    VMI,
    Key,
    Object,
    controller_uid,
    is_deleting,
    is_final,
    key_of,
    owner_reference,
    phase_of,
    uid_of,
)
from e2e.kubevirt.conditions import remove_condition, set_condition
from e2e.kubevirt.configuration import Configuration, Timings
from e2e.kubevirt.data_volumes import DataVolumes
from e2e.kubevirt.instance_types import Missing, apply_to, lookup, revision_of
from e2e.kubevirt.launcher_pod import guest_memory
from e2e.kubevirt.quantity import parse_bytes
from e2e.kubevirt.run_strategy import START, Step, next_step, pending_requests, requests_of, strategy_of
from e2e.kubevirt.store import Client, Stores
from e2e.kubevirt.vm_status import backoff_left, update_status
from e2e.kubevirt.workqueue import WorkQueue

Failure = tuple[str, str]
"""Reason and message."""

_LIVE_FIELDS = ("affinity", "nodeSelector", "tolerations")


class VMController:
    """`sync` brings one VM a step further."""

    def __init__(self, client: Client, stores: Stores, configuration: Configuration, timings: Timings) -> None:
        self._client = client
        self._vms, self._vmis, self._stores = stores[VM], stores[VMI], stores
        self._configuration, self._timings = configuration, timings
        self._data_volumes = DataVolumes(client, stores)
        self._started_from: dict[str, dict[str, Any]] = {}
        """Template spec from which a VMI (by UID) was started; the ControllerRevision is the lasting copy."""
        self.queue: WorkQueue[Key] = WorkQueue("vm", self.sync)

    async def sync(self, key: Key) -> None:
        """Looks at the VM and its VMI and does what is due. Raises ApiError."""
        vm, vmi = self._vms.get(key), self._vmis.get(key)
        if vmi is not None and is_deleting(vmi) and is_final(vmi):
            vmi = await self._release_vmi(vmi)
        if vm is None or (vmi is not None and controller_uid(vmi) != uid_of(vm)):
            return
        if is_deleting(vm):
            vm = await self._delete(vm, vmi)
            if vm is None:
                return
        elif VM_FINALIZER not in (vm["metadata"].get("finalizers") or []):
            finalizers = [*(vm["metadata"].get("finalizers") or []), VM_FINALIZER]
            version = vm["metadata"]["resourceVersion"]
            vm = await self._client.patch(VM, key, {"metadata": {"finalizers": finalizers, "resourceVersion": version}})
        new = copy.deepcopy(vm)
        new.setdefault("status", {})
        new["status"]["stateChangeRequests"] = pending_requests(vm, vmi)
        failure = await self._run(new, vmi) if not is_deleting(vm) else None
        await self._finish(vm, new, failure)

    async def _finish(self, vm: Object, new: Object, failure: Failure | None) -> None:
        vmi = self._vmis.get(key_of(vm))
        if vmi is not None and not is_deleting(vmi) and not is_final(vmi):
            await self._live_update(new, vmi)
        if vmi is None:
            remove_condition(new, "RestartRequired")
        update_status(new, vmi, self._timings, self._data_volumes.word(new))
        if failure:
            set_condition(new, "Failure", True, *failure)
        else:
            remove_condition(new, "Failure")
        if not new["status"]["stateChangeRequests"]:
            del new["status"]["stateChangeRequests"]
        if new["status"] != (vm.get("status") or {}):
            await self._client.update(VM, new, "status")
        if requests_of(new) and pending_requests(new, vmi) != requests_of(new):
            self.queue.add(key_of(vm), 0.01)

    async def _delete(self, vm: Object, vmi: Object | None) -> Object | None:
        """The VM goes after its VMI; None once it may go."""
        if vmi is not None:
            if not is_deleting(vmi):
                await self._client.delete(VMI, vmi)
            return vm
        finalizers = [name for name in vm["metadata"].get("finalizers") or [] if name != VM_FINALIZER]
        version = vm["metadata"]["resourceVersion"]
        await self._client.patch(VM, key_of(vm), {"metadata": {"finalizers": finalizers, "resourceVersion": version}})
        return None

    async def _release_vmi(self, vmi: Object) -> Object | None:
        finalizers = vmi["metadata"].get("finalizers") or []
        if VM_FINALIZER not in finalizers:
            return vmi
        new = copy.deepcopy(vmi)
        new["metadata"]["finalizers"] = [name for name in finalizers if name != VM_FINALIZER]
        await self._client.update(VMI, new)
        return self._vmis.get(key_of(vmi))

    async def _run(self, vm: Object, vmi: Object | None) -> Failure | None:
        """Does what the run strategy asks for; why a DataVolume or VMI could not be made."""
        ready, trouble = await self._data_volumes.ready(vm)
        if trouble:
            self.queue.add(key_of(vm), 1)
        if not ready and strategy_of(vm) != "Halted":
            return ("FailedCreate", trouble) if trouble else None
        step = next_step(vm, vmi)
        if vmi is not None and step is not Step.NONE:
            if phase_of(vmi) == "Failed":
                update_status(vm, vmi, self._timings)  # counts a failed start before its VMI goes
            await self._client.delete(VMI, vmi)
            if step is Step.STOP_THEN_START:
                vm["status"]["stateChangeRequests"].append(dict(START))
        elif step is Step.START:
            wait = backoff_left(vm)
            if wait > 0:
                self.queue.add(key_of(vm), wait)
                return None
            return await self._start(vm)
        return None

    async def _start(self, vm: Object) -> Failure | None:
        try:
            found = {what: lookup(vm, what, self._stores) for what in ("instancetype", "preference")}
        except Missing as missing:
            self.queue.add(key_of(vm), 1)
            return missing.reason, str(missing)
        vm["status"]["runStrategy"] = strategy_of(vm)
        try:
            await self._record_revision(vm)
            for what, one in found.items():
                if one is not None:
                    await self._keep_copy(vm, what, one)
            vmi = _vmi(vm)
            apply_to(vmi["spec"], *((one or {}).get("spec") for one in found.values()))
            created = await self._client.create(VMI, vmi)
        except ApiError as error:
            if error.status >= 500 or error.status == 409:
                raise
            self.queue.add(key_of(vm), 5)
            return "FailedCreate", f"Failure while starting VMI: {error.message}"
        self._started_from[uid_of(created)] = copy.deepcopy(vm["spec"]["template"]["spec"])
        vm["status"]["observedGeneration"] = vm["metadata"]["generation"]
        return None

    async def _keep_copy(self, vm: Object, what: str, found: Object) -> None:
        revision = revision_of(vm, found)
        revision["metadata"]["ownerReferences"] = [owner_reference(vm, VM)]
        try:
            await self._client.create(REVISION, revision)
        except ApiError as error:
            if error.status != 409:
                raise
        kept = {"name": found["metadata"]["name"], "kind": found.get("kind", "")}
        vm["status"][f"{what}Ref"] = kept | {"controllerRevisionRef": {"name": revision["metadata"]["name"]}}

    async def _record_revision(self, vm: Object) -> None:
        namespace, _ = key_of(vm)
        metadata = {
            "name": f"revision-start-vm-{uid_of(vm)}-{vm['metadata']['generation']}",
            "namespace": namespace,
            "ownerReferences": [owner_reference(vm, VM)],
        }
        try:
            await self._client.create(REVISION, {"metadata": metadata, "revision": 1, "data": {"spec": vm["spec"]}})
        except ApiError as error:
            if error.status != 409:
                raise

    async def _live_update(self, vm: Object, vmi: Object) -> None:
        """Copies what may change in a running VMI; everything else asks for a restart."""
        started = self._started_from.setdefault(uid_of(vmi), copy.deepcopy(vm["spec"]["template"]["spec"]))
        template = vm["spec"]["template"]["spec"]
        live = self._configuration.live_update()
        if live and not _migrating(vmi):
            await self._copy_live_fields(template, vmi)
        if _frozen_part(template, live) == _frozen_part(started, live):
            remove_condition(vm, "RestartRequired")
            vm["status"]["observedGeneration"] = vm["metadata"]["generation"]
        else:
            message = "a non-live-updatable field was changed in the template spec"
            set_condition(vm, "RestartRequired", True, "RestartRequired", message)
        if live and _migrating(vmi):
            self.queue.add(key_of(vm), 1)

    async def _copy_live_fields(self, template: dict[str, Any], vmi: Object) -> None:
        new = copy.deepcopy(vmi)
        for field in _LIVE_FIELDS:
            if template.get(field):
                new["spec"][field] = copy.deepcopy(template[field])
            else:
                new["spec"].pop(field, None)
        wanted = _guest(template)
        limit = (new["spec"].get("domain") or {}).get("memory", {}).get("maxGuest")
        if wanted and limit and guest_memory(vmi) < parse_bytes(wanted) <= parse_bytes(limit):
            new["spec"]["domain"]["memory"]["guest"] = wanted
            set_condition(new, "HotMemoryChange", True)
        if new != vmi:
            await self._client.update(VMI, new)


def _guest(template: dict[str, Any]) -> str:
    return str(((template.get("domain") or {}).get("memory") or {}).get("guest") or "")


def _frozen_part(template: dict[str, Any], live: bool) -> dict[str, Any]:
    frozen = copy.deepcopy(template)
    if live:
        for field in _LIVE_FIELDS:
            frozen.pop(field, None)
        ((frozen.get("domain") or {}).get("memory") or {}).pop("guest", None)
    return frozen


def _migrating(vmi: Object) -> bool:
    state = (vmi.get("status") or {}).get("migrationState") or {}
    return bool(state.get("startTimestamp")) and not state.get("endTimestamp")


def _vmi(vm: Object) -> Object:
    """The VMI of a VM, as virt-controller creates it; the webhook adds the defaults."""
    template = vm["spec"]["template"]
    metadata = template.get("metadata") or {}
    namespace, name = key_of(vm)
    return {
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": dict(metadata.get("labels") or {}),
            "annotations": {
                **(metadata.get("annotations") or {}),
                "kubevirt.io/vm-generation": str(vm["metadata"]["generation"]),
            },
            "finalizers": [VM_FINALIZER],
            "ownerReferences": [owner_reference(vm, VM)],
        },
        "spec": copy.deepcopy(template["spec"]),
    }
