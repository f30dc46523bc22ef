"""What tests ask the API server about nodes and pods, and how they wait for it."""

from typing import Any

from e2e.controlplane import Api, wait_until


async def condition(api: Api, node: str, kind: str) -> dict[str, str]:
    """A Node's condition, or nothing."""
    conditions = (await api.get(f"/api/v1/nodes/{node}"))["status"].get("conditions", [])
    return next((each for each in conditions if each["type"] == kind), {})


async def until_condition(api: Api, node: str, kind: str, status: str, timeout: float = 2) -> dict[str, str]:
    """Awaits a status of a Node's condition and returns the condition."""

    async def reached() -> bool:
        return (await condition(api, node, kind)).get("status") == status

    await wait_until(reached, timeout, f"{kind}={status} on {node}")
    return await condition(api, node, kind)


async def patch_condition(api: Api, node: str, kind: str, status: str, message: str = "somebody says so") -> None:
    """What a person does with `kubectl patch node … --subresource=status`."""
    entry = {"type": kind, "status": status, "reason": "Manual", "message": message}
    content_type = "application/strategic-merge-patch+json"
    await api.patch(f"/api/v1/nodes/{node}/status", {"status": {"conditions": [entry]}}, content_type)


async def create_pod(api: Api, name: str, node: str, labels: dict[str, str] | None = None) -> None:
    """A pod that is bound to a node already."""
    spec: dict[str, Any] = {"nodeName": node, "containers": [{"name": "main", "image": "registry.invalid/main:1"}]}
    metadata = {"name": name, "labels": labels or {}}
    await api.post("/api/v1/namespaces/default/pods", {"metadata": metadata, "spec": spec})


async def delete_pod(api: Api, name: str) -> None:
    """At once, whatever the state of its node."""
    await api.delete(f"/api/v1/namespaces/default/pods/{name}", {"gracePeriodSeconds": 0})


async def pod_phase(api: Api, name: str) -> str:
    """`Pending`, `Running`, …"""
    pod = await api.get(f"/api/v1/namespaces/default/pods/{name}")
    return str(pod["status"]["phase"])


async def until_running(api: Api, name: str, timeout: float = 20) -> None:
    """Awaits a pod's phase Running."""

    async def running() -> bool:
        return await pod_phase(api, name) == "Running"

    await wait_until(running, timeout, f"pod {name} Running")
