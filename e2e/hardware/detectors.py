"""Stand-in for node-problem-detector on a pair node: tells, as Node conditions, what is physically wrong.

Like the real one it runs only while its node does, writes changes within a fraction of a second and heartbeats every 5
minutes. It writes a condition only when the physical fact behind it changes, so one that a person patched stays.
"""

import asyncio
import contextlib
import datetime
from dataclasses import dataclass
from typing import Any, Protocol

from e2e.controlplane import Api, ApiError, ControlPlane
from e2e.controlplane.client import STRATEGIC
from e2e.hardware.components import KINDS, ComponentKind, Fault
from e2e.hardware.servers import Server

HEARTBEAT_S = 300.0
PROBE_S = 0.1
RETRY_S = 1.0
USER = "node-problem-detector"


class Surroundings(Protocol):
    """What a detector can see beyond its own server."""

    def private_link_carries(self, node: str) -> bool:
        """Whether the private link has a live peer at its other end."""

    def hears_peer(self, node: str) -> bool:
        """Whether the peer answers over the private link or the public network."""

    def peer(self, node: str) -> str:
        """The other node of the pair."""


@dataclass(frozen=True)
class Finding:
    """What one condition should say."""

    status: str
    reason: str
    message: str


async def allow_detectors(control_plane: ControlPlane) -> None:
    """What node-problem-detector is granted: reading Nodes and patching their status."""
    rbac = "/apis/rbac.authorization.k8s.io/v1"
    names = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": USER}}
    rules = [
        {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["nodes/status"], "verbs": ["patch"]},
    ]
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": USER}
    user = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": USER}
    await control_plane.api.post(f"{rbac}/clusterroles", {**names, "kind": "ClusterRole", "rules": rules})
    binding = {**names, "kind": "ClusterRoleBinding", "roleRef": role, "subjects": [user]}
    await control_plane.api.post(f"{rbac}/clusterrolebindings", binding)


class ProblemDetector:
    """Run `run()` as a task; `wake()` when anything physical may have changed."""

    def __init__(self, api: Api, server: Server, surroundings: Surroundings) -> None:
        self._api = api
        self._server = server
        self._surroundings = surroundings
        self._changed = asyncio.Event()
        self._boot_id = ""
        self._reported: dict[str, Finding] = {}

    def wake(self) -> None:
        """Looks again soon."""
        self._changed.set()

    async def run(self) -> None:
        """Watches and reports until cancelled; survives an API server that refuses or is away."""
        while True:
            try:
                await self._look()
                pause = HEARTBEAT_S
            except (ApiError, OSError, TimeoutError):
                pause = RETRY_S
            heartbeat_due = True
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), pause)
                heartbeat_due = False
            self._changed.clear()
            if heartbeat_due and pause == HEARTBEAT_S:
                with contextlib.suppress(ApiError, OSError, TimeoutError):
                    await self._heartbeat()
            await asyncio.sleep(PROBE_S)

    async def _look(self) -> None:
        if not self._server.api_reachable:
            return
        if self._boot_id != self._server.boot_id:
            self._boot_id, self._reported = self._server.boot_id, {}
        findings = {condition: self._finding(kind) for condition, kind in KINDS.items()}
        changed = {condition: found for condition, found in findings.items() if self._reported.get(condition) != found}
        if changed:
            await self._report(changed)
            self._reported |= changed

    def _finding(self, kind: ComponentKind) -> Finding:
        faults = self._server.faults(kind.condition) + self._derived(kind.condition)
        if not faults:
            return Finding("False", kind.healthy_reason, kind.healthy_message)
        return Finding("True", kind.problem_reason, "; ".join(map(str, faults)))

    def _derived(self, condition: str) -> list[Fault]:
        """The two conditions that come from probing the peer."""
        node, peer = self._server.name, self._surroundings.peer(self._server.name)
        if condition == "PeerUnreachable" and not self._surroundings.hears_peer(node):
            detail = "no answer over the private link nor the public network"
            return [Fault(peer, "unreachable", "-", "-", detail)]
        if condition == "PrivateLinkProblem" and not self._surroundings.private_link_carries(node):
            return [Fault("private-link", "down", "-", "-", f"no carrier towards {peer}")]
        return []

    async def _report(self, findings: dict[str, Finding]) -> None:
        """One patch. The transition time changes only where the status does."""
        current = {each["type"]: each["status"] for each in await self._conditions()}
        now = _now()
        conditions = []
        for condition, found in findings.items():
            entry = {
                "type": condition,
                "status": found.status,
                "reason": found.reason,
                "message": found.message,
                "lastHeartbeatTime": now,
            }
            if current.get(condition) != found.status:
                entry["lastTransitionTime"] = now
            conditions.append(entry)
        await self._patch(conditions)

    async def _heartbeat(self) -> None:
        if self._server.api_reachable:
            await self._patch([{"type": condition, "lastHeartbeatTime": _now()} for condition in self._reported])

    async def _conditions(self) -> list[dict[str, str]]:
        node = await self._api.get(f"/api/v1/nodes/{self._server.name}")
        conditions: list[dict[str, str]] = node["status"].get("conditions", [])
        return conditions

    async def _patch(self, conditions: list[dict[str, Any]]) -> None:
        path = f"/api/v1/nodes/{self._server.name}/status"
        await self._api.patch(path, {"status": {"conditions": conditions}}, STRATEGIC)


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
