"""The kubelet of one server: a kwok process of its own and a Lease, both under the node's own identity.

Registers the Node object with the server's UUID and boot id, renews the Lease every 10 s as a kubelet does (kwok could,
but a restarted one may need another 10 s to take it over) and has kwok run all pods but launcher pods. Killing it is
what the API server sees of a node that died or lost its network.
"""

import asyncio
import contextlib
import datetime
from pathlib import Path
from typing import Any

from e2e.controlplane import Api, ApiError, ControlPlane, ServerProcess, wait_until
from e2e.controlplane.client import MERGE, STRATEGIC
from e2e.hardware.servers import CONTROL_PLANE_NODE, Server

LEASE_DURATION_S = 40
LEASE_RENEWAL_S = 10.0
_LEASE_RETRY_S = 1.0
_RESTARTS = 3
"""Of a kwok that ends by itself, as systemd restarts a kubelet: its release 0.8.0 has a data race at its start."""
_STAGES = Path(__file__).with_name("kubelet-stages.yaml")
_LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"


async def allow_kubelets(control_plane: ControlPlane) -> None:
    """What kwok reads beyond a kubelet's own rights: it lists all nodes at its start."""
    base = "/apis/rbac.authorization.k8s.io/v1"
    names = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "lab-kubelets"}}
    rules = [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["list"]}]
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "lab-kubelets"}
    group = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "system:nodes"}
    await control_plane.api.post(f"{base}/clusterroles", {**names, "kind": "ClusterRole", "rules": rules})
    binding = {**names, "kind": "ClusterRoleBinding", "roleRef": role, "subjects": [group]}
    await control_plane.api.post(f"{base}/clusterrolebindings", binding)


class Kubelet:
    """Started when its server has booted and reaches the API server, killed otherwise."""

    def __init__(self, control_plane: ControlPlane, server: Server) -> None:
        self._control_plane = control_plane
        self._server = server
        self._process: ServerProcess | None = None
        self._running: asyncio.Task[None] | None = None
        self._renewal: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Registers the node (or reports its new boot id) and runs."""
        await self._register()
        user, groups = f"system:node:{self._server.name}", ("system:nodes",)
        kubeconfig = self._control_plane.kubeconfig_for(user, groups)
        self._process = await self._start_kwok(kubeconfig)
        self._running = asyncio.create_task(self._keep_running(kubeconfig), name=f"kwok {self._server.name}")
        self._renewal = asyncio.create_task(self._renew_lease(kubeconfig), name=f"lease {self._server.name}")

    async def kill(self) -> None:
        """Ends at once, without a word to anybody. No-op if it does not run."""
        if self._renewal is not None:
            self._renewal.cancel()
            self._renewal = None
        if self._running is not None:
            self._running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._running
            self._running = None
        if self._process is not None:
            await self._process.kill()
            self._process = None

    async def wait_ready(self, timeout: float = 60) -> None:
        """Awaits the Node's Ready condition. Raises TimeoutError, ServerCrashed."""

        async def ready() -> bool:
            if self._process is not None and self._running is not None and self._running.done():
                self._process.require_running()
            node = await self._control_plane.api.get(f"/api/v1/nodes/{self._server.name}")
            conditions = node["status"].get("conditions", [])
            return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)

        await wait_until(ready, timeout, f"node {self._server.name} Ready")

    async def _start_kwok(self, kubeconfig: Path) -> ServerProcess:
        return await self._control_plane.processes.start(
            f"kwok-{self._server.name}", self._control_plane.binaries.kwok,
            "--config", _STAGES, "--kubeconfig", kubeconfig, "--manage-single-node", self._server.name,
            "--node-ip", self._server.address, "--cidr", f"10.244.{self._server.address.rpartition('.')[2]}.0/24",
        )  # fmt: skip

    async def _keep_running(self, kubeconfig: Path) -> None:
        for _ in range(_RESTARTS):
            if self._process is not None:
                await self._process.wait()
            self._process = await self._start_kwok(kubeconfig)

    async def _register(self) -> None:
        api, path = self._control_plane.api, f"/api/v1/nodes/{self._server.name}"
        try:
            await api.post("/api/v1/nodes", _node(self._server))
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise
        await api.patch(f"{path}/status", {"status": _status(self._server)}, STRATEGIC)

    async def _renew_lease(self, kubeconfig: Path) -> None:
        """Every 10 s until cancelled; an API server that is away is asked again soon."""
        async with await Api.from_kubeconfig(kubeconfig) as api:
            while True:
                try:
                    await self._renew_lease_once(api)
                    await asyncio.sleep(LEASE_RENEWAL_S)
                except (ApiError, OSError, TimeoutError):
                    await asyncio.sleep(_LEASE_RETRY_S)

    async def _renew_lease_once(self, api: Api) -> None:
        spec = {
            "holderIdentity": self._server.name,
            "leaseDurationSeconds": LEASE_DURATION_S,
            "renewTime": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        }
        try:
            await api.patch(f"{_LEASES}/{self._server.name}", {"spec": spec}, MERGE)
        except ApiError as error:
            if error.status != 404:
                raise
            node = await api.get(f"/api/v1/nodes/{self._server.name}")
            owner = {"apiVersion": "v1", "kind": "Node", "name": self._server.name, "uid": node["metadata"]["uid"]}
            await api.post(_LEASES, {"metadata": {"name": self._server.name, "ownerReferences": [owner]}, "spec": spec})


def _node(server: Server) -> dict[str, Any]:
    labels = {"kubernetes.io/hostname": server.name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
    spec: dict[str, Any] = {}
    if server.name == CONTROL_PLANE_NODE:
        labels["node-role.kubernetes.io/control-plane"] = ""
        spec["taints"] = [{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}]
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": server.name, "labels": labels}, "spec": spec}


def _status(server: Server) -> dict[str, Any]:
    capacity = {
        "cpu": str(server.cpus),
        "memory": f"{server.memory_gib}Gi",
        "pods": "110",
        "ephemeral-storage": "400Gi",
    }
    # What a kubelet keeps for itself and the system: half a CPU, and memory for the host's own programs.
    allocatable = capacity | {"cpu": f"{server.cpus * 1000 - 500}m", "memory": f"{server.memory_gib - 1}Gi"}
    return {
        "capacity": capacity,
        "allocatable": allocatable,
        "addresses": [
            {"type": "InternalIP", "address": server.address},
            {"type": "Hostname", "address": server.name},
        ],
        "nodeInfo": {
            "systemUUID": server.uuid,
            "machineID": server.uuid.replace("-", ""),
            "bootID": server.boot_id,
            "kernelVersion": "6.1.0-lab",
            "osImage": "Lab Linux 12",
            "containerRuntimeVersion": "kwok://0.8.0",
            "kubeletVersion": server.kubelet_version,
            "kubeProxyVersion": "",
            "operatingSystem": "linux",
            "architecture": "amd64",
        },
    }
