"""Kubernetes without KubeVirt: Leases, Node conditions, the node lifecycle controller, the scheduler, the detectors."""

from __future__ import annotations

from dataclasses import replace

from avance.core.components import PEER_UNREACHABLE
from avance.core.resources import Resources
from avance.simulator.objects import Api, Condition, NodeObject, Pod
from avance.simulator.world import Server, World

RENEW_SECONDS = 10.0
GRACE_SECONDS = 50.0
"""Kubernetes calls a node Unknown when its Lease is this old."""
EVICTION_SECONDS = 300.0
"""After this time on an unreachable node a pod is marked for deletion."""
POD_GC_SECONDS = 20.0
DETECTOR_START_SECONDS = 2.0
NO_NODE_SECONDS = 60.0
"""After this time the pods of a Node that was deleted are deleted too."""
LABEL_SECONDS = 60.0
"""virt-handler's heartbeat writes its label this often."""


class Cluster:
    def __init__(self, api: Api, world: World) -> None:
        self.api = api
        self.world = world
        self._labelled_at: dict[str, float] = {}
        self._connected: dict[str, bool] = {}
        self._reported: dict[str, dict[str, str]] = {}
        self._detect_from: dict[str, float] = {}

    def tick(self, now: float) -> None:
        for server in self.world.servers.values():
            self._kubelet(server, now)
            self._virt_handler_label(server, now)
            if server.reports and now >= self._detect_from.get(server.name, 0.0):
                self._detectors(server, now)
        for node in list(self.api.nodes.values()):
            self._node_lifecycle(node, now)
            self._collect_garbage(node, now)
        self._schedule(now)

    def restart_detectors(self, node: str) -> None:
        """They begin with the report that all is well, and look for themselves a moment later."""
        conditions = self.api.nodes[node].conditions
        well = {
            type_: replace(condition, status="False") if type_ == PEER_UNREACHABLE else condition
            for type_, condition in conditions.items()
        }
        self.api.change(self.api.nodes, node, conditions=well)
        self._reported.pop(node, None)
        self._detect_from[node] = self.world.now + DETECTOR_START_SECONDS

    def _kubelet(self, server: Server, now: float) -> None:
        was = self._connected.get(server.name, True)
        self._connected[server.name] = server.connected
        if not server.connected:
            return
        node = self.api.nodes[server.name]
        if not was:
            server.reachable_since = now
        if not was or now - node.renewed_at >= RENEW_SECONDS:
            self.api.change(self.api.nodes, server.name, renewed_at=now, ready="True", unready_since=None,
                            shutting_down=False, boot_id=server.boot_id, system_uuid=server.system_uuid,
                            heartbeat=now + server.clock_ahead)  # fmt: skip

    def _virt_handler_label(self, server: Server, now: float) -> None:
        """At its start and every minute it says that the node takes VMs, whoever has said otherwise."""
        node = self.api.nodes[server.name]
        if not (server.connected and server.virt_handler) or node.out_of_service:
            self._labelled_at.pop(server.name, None)
            return
        since = self._labelled_at.setdefault(server.name, now + 1.25 - LABEL_SECONDS)
        if now - since >= LABEL_SECONDS:
            self._labelled_at[server.name] = now
            self.api.change(self.api.nodes, server.name, vms_label=True)

    def _detectors(self, server: Server, now: float) -> None:
        problems = self._problems(server)
        if self._reported.get(server.name) == problems:
            return
        self._reported[server.name] = problems
        known = self.api.nodes[server.name].conditions
        conditions = dict(known)
        for type_ in {*problems, *known}:
            status, message = ("True", problems[type_]) if type_ in problems else ("False", "")
            before = known.get(type_)
            since = before.since if before is not None and before.status == status else now + server.clock_ahead
            conditions[type_] = Condition(status, since, message)
        self.api.change(self.api.nodes, server.name, conditions=conditions)

    def _problems(self, server: Server) -> dict[str, str]:
        """What is wrong as the detectors of a server see it: condition to message."""
        messages: dict[str, list[str]] = {}
        for (condition, _), message in server.broken.items():
            messages.setdefault(condition, []).append(message)
        if not server.public_link:
            messages["PublicNetworkProblem"] = ["component=bond0 state=down detail=no carrier"]
        if not self.world.carrier(server.name):
            messages["PrivateLinkProblem"] = ["component=private-link state=down detail=no carrier"]
        if not self.world.hears(server.name):
            messages[PEER_UNREACHABLE] = ["the other server answers on no path"]
        return {condition: "; ".join(parts) for condition, parts in messages.items()}

    def _node_lifecycle(self, node: NodeObject, now: float) -> None:
        if node.ready != "Unknown" and now - node.renewed_at > GRACE_SECONDS:
            since = node.unready_since or now
            node = self.api.change(self.api.nodes, node.name, ready="Unknown", unready_since=since, shutting_down=False)
        evicted = node.unready_since is not None and now - node.unready_since > EVICTION_SECONDS
        for pod in list(self.api.pods.values()):
            if pod.node != node.name:
                continue
            if pod.deleted_at is None and (evicted or node.out_of_service):
                self.api.change(self.api.pods, pod.uid, deleted_at=now)
            elif node.out_of_service and node.ready != "True" and now - (pod.deleted_at or now) > POD_GC_SECONDS:
                self.delete_pod(pod)

    def _collect_garbage(self, node: NodeObject, now: float) -> None:
        """Pods of a node that is not in the API go after a while; its kubelet then ends what they ran."""
        if node.deleted_at is not None and now - node.deleted_at > NO_NODE_SECONDS:
            for pod in [pod for pod in self.api.pods.values() if pod.node == node.name]:
                self.delete_pod(pod)

    def delete_pod(self, pod: Pod) -> None:
        """Remove the object, at once and whatever may still run behind it."""
        self.api.remove(self.api.pods, pod.uid)

    def _schedule(self, now: float) -> None:
        for pod in [pod for pod in self.api.pods.values() if not pod.node and not pod.final]:
            fit = [node for node in self.api.nodes.values() if self._fits(pod, node)]
            if not fit:
                self.api.change(self.api.pods, pod.uid, unschedulable="0/2 nodes are available")
                continue
            prefers = self.api.vms[pod.vm].prefers if pod.vm in self.api.vms else ""
            node = max(fit, key=lambda node: (node.name == prefers, self._free(node).memory_bytes))
            self.api.change(self.api.pods, pod.uid, node=node.name, boot_id=self.world.servers[node.name].boot_id,
                            unschedulable="", entered_at=now)  # fmt: skip

    def _fits(self, pod: Pod, node: NodeObject) -> bool:
        taken = {other.node for other in self.api.pods_of(pod.vm) if other.uid != pod.uid and not other.final}
        return (
            node.ready == "True"
            and node.deleted_at is None
            and node.vms_label
            and not (node.cordoned or node.closed or node.out_of_service)
            and (not pod.only_node or (pod.only_node == node.name and node.name not in taken))
            and pod.needs.fits_in(self._free(node))
        )

    def _free(self, node: NodeObject) -> Resources:
        bound = [pod.needs for pod in self.api.pods.values() if pod.node == node.name and not pod.final]
        return node.allocatable - sum(bound, Resources())
