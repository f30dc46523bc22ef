"""A cluster with the KubeVirt stand-in and nothing of the product, for the tests that hold it against the real
KubeVirt's behaviour.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from e2e.controlplane import Api, ApiError
from e2e.hardware import PAIR_NODES
from e2e.lab import Lab

Object = dict[str, Any]

NAMESPACE = "default"
_BASE = f"/apis/kubevirt.io/v1/namespaces/{NAMESPACE}"
VMS, VMIS = f"{_BASE}/virtualmachines", f"{_BASE}/virtualmachineinstances"
MIGRATIONS = f"{_BASE}/virtualmachineinstancemigrations"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
NODES = "/api/v1/nodes"
KUBEVIRT = "/apis/kubevirt.io/v1/namespaces/kubevirt/kubevirts/kubevirt"
SUBRESOURCES = f"/apis/subresources.kubevirt.io/v1/namespaces/{NAMESPACE}"
OUT_OF_SERVICE = {"key": "node.kubernetes.io/out-of-service", "value": "nodeshutdown", "effect": "NoExecute"}
POLL_S = 0.05


class Cluster:
    """The cluster, and what the tests ask of it again and again."""

    def __init__(self, lab: Lab) -> None:
        assert lab.kubevirt is not None
        self.control_plane, self.hardware, self.kubevirt = lab.control_plane, lab.hardware, lab.kubevirt
        self.expected_violations = 0

    @property
    def api(self) -> Api:
        return self.control_plane.api

    async def create_vm(self, name: str, strategy: str = "Always", memory: str = "1Gi", **template: Any) -> None:
        await self.api.post(VMS, vm(name, strategy, memory, **template))

    async def running_vm(self, name: str, strategy: str = "Always", memory: str = "1Gi", **template: Any) -> str:
        """A new VM whose guest agent answers; the node it runs on."""
        await self.create_vm(name, strategy, memory, **template)
        if strategy in ("Manual", "Halted"):
            await self.until(lambda: self.vm_word(name), "Stopped")
            assert await self.subresource(name, "start") == 202
        await self.until(lambda: self.vm_word(name), "Running")
        await self.until(lambda: self.condition(name, "AgentConnected"), "True")
        return str((await self.vmi(name))["status"]["nodeName"])

    async def vm(self, name: str) -> Object:
        found: Object = await self.api.get(f"{VMS}/{name}")
        return found

    async def vmi(self, name: str) -> Object:
        """The VMI, or an empty object."""
        found: Object = await self.get_or_none(f"{VMIS}/{name}") or {}
        return found

    async def get_or_none(self, path: str) -> Any:
        try:
            return await self.api.get(path)
        except ApiError as error:
            if error.status != 404:
                raise
            return None

    async def vm_word(self, name: str) -> str:
        return str(((await self.vm(name)).get("status") or {}).get("printableStatus"))

    async def phase(self, name: str) -> str:
        return str(((await self.vmi(name)).get("status") or {}).get("phase", ""))

    async def uid(self, name: str) -> str:
        return str(((await self.vmi(name)).get("metadata") or {}).get("uid", ""))

    async def condition(self, name: str, kind: str) -> str:
        """Status of a condition of the VMI, empty when there is none."""
        for found in ((await self.vmi(name)).get("status") or {}).get("conditions") or []:
            if found["type"] == kind:
                return str(found["status"])
        return ""

    async def pods(self, name: str) -> list[Object]:
        """The launcher pods of a VM."""
        answer = await self.api.get(PODS, labelSelector=f"vm.kubevirt.io/name={name}")
        return list(answer["items"])

    async def force_delete(self, pod: Object) -> None:
        """A pod that went with its VMI meanwhile is fine."""
        try:
            await self.api.delete(f"{PODS}/{pod['metadata']['name']}", {"gracePeriodSeconds": 0})
        except ApiError as error:
            if error.status != 404:
                raise

    async def force_delete_pods_on(self, node: str) -> None:
        for pod in (await self.api.get(PODS))["items"]:
            if pod["spec"].get("nodeName") == node:
                await self.force_delete(pod)

    async def migrate(self, vm_name: str, migration: str, **body: Any) -> None:
        spec = {"vmiName": vm_name, **body.pop("spec", {})}
        await self.api.post(MIGRATIONS, {**_KIND, "metadata": {"name": migration, **body}, "spec": spec})

    async def migration_phase(self, migration: str) -> str:
        found = await self.get_or_none(f"{MIGRATIONS}/{migration}")
        return "gone" if found is None else str((found.get("status") or {}).get("phase", ""))

    async def subresource(self, name: str, verb: str, body: Any = None, kind: str = "virtualmachines") -> int:
        """The HTTP status of a PUT."""
        return (await self.put(name, verb, body, kind))[0]

    async def put(self, name: str, verb: str, body: Any = None, kind: str = "virtualmachines") -> tuple[int, str]:
        """HTTP status and message of a PUT to a subresource, with `Accept: */*`."""
        return await self.call("PUT", f"{SUBRESOURCES}/{kind}/{name}/{verb}", body)

    async def call(
        self, method: str, path: str, body: Any = None, accept: str = "*/*", api: Api | None = None
    ) -> tuple[int, str]:
        """HTTP status and body of any request."""
        headers = {"Accept": accept, "Content-Type": "application/json"}
        client = (api or self.api)._client
        response: Any = await client.call_api(method, client.configuration.host + path, headers, body=body or {})
        return response.status, (await response.read()).decode()

    async def close(self, node: str) -> None:
        """Cordon and out-of-service taint."""
        await self.api.patch(f"{NODES}/{node}", {"spec": {"unschedulable": True}})
        taints = (await self.api.get(f"{NODES}/{node}"))["spec"].get("taints") or []
        await self.api.patch(f"{NODES}/{node}", {"spec": {"taints": [*taints, OUT_OF_SERVICE]}})

    async def until(self, look: Callable[[], Awaitable[Any]], wanted: Any, timeout: float = 20) -> float:
        """Seconds until `look` returns `wanted`. Fails with what it returned last."""
        loop = asyncio.get_running_loop()
        begin = loop.time()
        while (seen := await look()) != wanted:
            assert loop.time() - begin < timeout, f"{seen!r} instead of {wanted!r} after {timeout} s"
            await asyncio.sleep(POLL_S)
        return loop.time() - begin

    async def holds(self, look: Callable[[], Awaitable[Any]], wanted: Any, seconds: float) -> None:
        """Fails when `look` returns anything but `wanted` within that time."""
        loop = asyncio.get_running_loop()
        begin = loop.time()
        while loop.time() - begin < seconds:
            assert await look() == wanted
            await asyncio.sleep(POLL_S)

    async def reset(self) -> None:
        """A whole cluster without VMs again."""
        faults = self.kubevirt.faults
        faults.webhooks_down(False)
        faults.controller_down(False)
        faults.set_migrations("normal")
        for node in PAIR_NODES:
            faults.set_boot("normal", node=node)
            faults.handler_down(node, False)
            if self.hardware.servers[node].partitioned:
                await self.hardware.heal(node)
            if not self.hardware.alive(node):
                await self.hardware.power_on(node)
            await self.until(lambda node=node: self._alive(node), True)  # type: ignore[misc]
            taints = (await self.api.get(f"{NODES}/{node}"))["spec"].get("taints") or []
            kept = [taint for taint in taints if taint["key"] not in (OUT_OF_SERVICE["key"], "kubevirt.io/drain")]
            await self.api.patch(f"{NODES}/{node}", {"spec": {"unschedulable": None, "taints": kept}})
        for one in (await self.api.get(VMS))["items"]:
            await self.api.delete(f"{VMS}/{one['metadata']['name']}")
        for run in self.kubevirt.ledger.running():  # nobody waits for a hung guest's grace
            faults.crash_guest(run["namespace"], run["name"])
        await self.until(self._empty, True, 30)
        await self.api.patch(KUBEVIRT, {"spec": {"configuration": None}})
        for node in PAIR_NODES:
            await self.until(lambda node=node: self._usable(node), True, 60)  # type: ignore[misc]

    async def _alive(self, node: str) -> bool:
        return self.hardware.alive(node)

    async def _usable(self, node: str) -> bool:
        found = await self.api.get(f"{NODES}/{node}")
        ready = any(one["type"] == "Ready" and one["status"] == "True" for one in found["status"]["conditions"])
        open_to_vms = found["metadata"]["labels"].get("kubevirt.io/schedulable") == "true"
        whole = ready and open_to_vms and not found["spec"].get("taints")
        return whole and self.kubevirt.reachable(node)

    async def _empty(self) -> bool:
        return not any([(await self.api.get(path))["items"] for path in (VMS, VMIS, PODS)])


_KIND = {"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachineInstanceMigration"}


def vm(name: str, strategy: str = "Always", memory: str = "1Gi", **template: Any) -> Object:
    """A migratable VirtualMachine; keyword arguments are merged into the template's spec."""
    devices = {"interfaces": [{"name": "default", "masquerade": {}}], **template.pop("devices", {})}
    spec = {
        "domain": {"memory": {"guest": memory}, "devices": devices},
        "networks": [{"name": "default", "pod": {}}],
        **template,
    }
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachine",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"runStrategy": strategy, "template": {"metadata": {"labels": {"app": name}}, "spec": spec}},
    }
