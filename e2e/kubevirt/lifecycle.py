"""The verbs of the subresource API on VirtualMachines: start, stop, restart, migrate."""

from typing import Any

from e2e.controlplane.client import JSON_PATCH, ApiError
from e2e.kubevirt.api import POD, VM, VMI, VMIM, Key, Object, is_deleting, is_final, key_of, phase_of
from e2e.kubevirt.run_strategy import START, requests_of, stop_request, strategy_of
from e2e.kubevirt.store import Client, Stores
from e2e.kubevirt.vmi_controller import current_pod, pods_of

_KEEPING_STRATEGY = ("RerunOnFailure", "Manual")


class SubresourceError(Exception):
    """The request is answered with this HTTP status, reason and message."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code, self.reason, self.message = code, reason, message


def conflict(message: str) -> SubresourceError:
    """409."""
    return SubresourceError(409, "Conflict", message)


class Lifecycle:
    """Each verb takes the key of a VM and the decoded body; raises SubresourceError, ApiError."""

    def __init__(self, client: Client, stores: Stores) -> None:
        self._client = client
        self._vms, self._vmis, self._pods = stores[VM], stores[VMI], stores[POD]

    async def start(self, key: Key, body: dict[str, Any]) -> None:
        """Always and Once start by themselves; Halted becomes Always; the others get a Start request."""
        vm, vmi = self._vm(key), self._vmis.get(key)
        strategy = strategy_of(vm)
        if vmi is not None and not is_final(vmi) and phase_of(vmi) != "":
            raise conflict("VM is already running")
        if strategy in ("Always", "Once"):
            raise conflict(f"{strategy} does not support manual start requests")
        if _is_dry_run(body):
            return
        if strategy == "Halted":
            await self._set_strategy(vm, "Always")
        else:
            restart = [stop_request(vmi)] if vmi is not None else []
            await self._request(vm, [*restart, dict(START)])

    async def stop(self, key: Key, body: dict[str, Any]) -> None:
        """Always and Once become Halted; the others get a Stop request. `gracePeriod` overrides the VMI's own."""
        vm, vmi = self._vm(key), self._vmis.get(key)
        strategy = strategy_of(vm)
        running = vmi is not None and not is_final(vmi)
        if strategy in (*_KEEPING_STRATEGY, "Halted") and not running:
            raise conflict("VM is not running")
        if _is_dry_run(body):
            return
        grace = body.get("gracePeriod")
        if grace is not None and vmi is not None:
            patch = [{"op": "add", "path": "/spec/terminationGracePeriodSeconds", "value": int(grace)}]
            await self._client.patch(VMI, key, patch, content_type=JSON_PATCH)
        if strategy in _KEEPING_STRATEGY:
            assert vmi is not None
            await self._request(vm, [stop_request(vmi)])
        elif strategy != "Halted":
            await self._set_strategy(vm, "Halted")

    async def restart(self, key: Key, body: dict[str, Any]) -> None:
        """A Stop and a Start request; with gracePeriodSeconds 0 the launcher pod is removed by force, too."""
        vm, vmi = self._vm(key), self._vmis.get(key)
        strategy, grace = strategy_of(vm), body.get("gracePeriodSeconds")
        if grace not in (None, 0):
            raise SubresourceError(400, "BadRequest", "For force restart, only gracePeriod=0 is supported for now")
        if strategy in ("Halted", "Once"):
            raise conflict(f"{strategy} does not support manual restart requests")
        if vmi is None:
            raise conflict("VM is not running: Halted")
        if _is_dry_run(body):
            return
        await self._request(vm, [stop_request(vmi), dict(START)])
        pod = current_pod(vmi, pods_of(vmi, self._pods))
        if grace == 0 and pod is not None:
            await self._client.delete(POD, pod, grace_period=0)

    async def migrate(self, key: Key, body: dict[str, Any]) -> None:
        """Creates a migration; whatever refuses it comes back as an internal error."""
        self._vm(key)
        vmi = self._vmis.get(key)
        if vmi is None or phase_of(vmi) != "Running":
            raise conflict("VM is not running")
        added = body.get("addedNodeSelector")
        migration = {
            "metadata": {"generateName": "kubevirt-migrate-vm-", "namespace": key[0]},
            "spec": {"vmiName": key[1], **({"addedNodeSelector": added} if added else {})},
        }
        query = {"dryRun": "All"} if _is_dry_run(body) else {}
        document = {"apiVersion": VMIM.api_version, "kind": VMIM.kind, **migration}
        try:
            await self._client.api.post(VMIM.path(key[0]), document, **query)
        except ApiError as error:
            raise SubresourceError(500, "InternalError", f"Internal error occurred: {error.message}") from error

    def _vm(self, key: Key) -> Object:
        vm = self._vms.get(key)
        if vm is None:
            raise SubresourceError(404, "NotFound", f'virtualmachine.kubevirt.io "{key[1]}" not found')
        if is_deleting(vm):
            raise conflict("VM is marked for deletion")
        return vm

    async def _set_strategy(self, vm: Object, strategy: str) -> None:
        spec = {"runStrategy": strategy} if "runStrategy" in vm["spec"] else {"running": strategy == "Always"}
        await self._client.patch(VM, key_of(vm), {"spec": spec})
        if (vm.get("status") or {}).get("startFailure"):
            await self._client.patch(VM, key_of(vm), {"status": {"startFailure": None}}, "status")

    async def _request(self, vm: Object, requests: list[dict[str, Any]]) -> None:
        if requests_of(vm):
            message = "Internal error occurred: unable to complete request: stop/start already underway"
            raise SubresourceError(500, "InternalError", message)
        status: dict[str, Any] = {"stateChangeRequests": requests}
        if (vm.get("status") or {}).get("startFailure"):
            status["startFailure"] = None
        await self._client.patch(VM, key_of(vm), {"status": status}, subresource="status")


def _is_dry_run(body: dict[str, Any]) -> bool:
    """Only the body counts; the query parameter does nothing, as with the real virt-api."""
    return "All" in (body.get("dryRun") or [])
