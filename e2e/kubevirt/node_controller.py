"""virt-controller's watch over nodes: those without a virt-handler heartbeat stop being schedulable and lose their
dead VMIs.
"""

import copy

from e2e.kubevirt.api import (
    EVENT,
    HEARTBEAT_ANNOTATION,
    NODE,
    POD,
    SCHEDULABLE_LABEL,
    VMI,
    Object,
    annotations_of,
    is_final,
    key_of,
    labels_of,
    phase_of,
    seconds_since,
    timestamp,
)
from e2e.kubevirt.configuration import Timings
from e2e.kubevirt.store import Client, Stores
from e2e.kubevirt.vmi_controller import current_pod, pods_of, set_phase


class NodeController:
    """`check` is called once a minute, for all nodes."""

    def __init__(self, client: Client, stores: Stores, timings: Timings) -> None:
        self._client = client
        self._nodes, self._vmis, self._pods = stores[NODE], stores[VMI], stores[POD]
        self._timings = timings

    async def check(self) -> None:
        """Marks what is unresponsive. Raises ApiError."""
        for node in self._nodes:
            if self._is_unresponsive(node) and labels_of(node).get(SCHEDULABLE_LABEL) != "false":
                await self._client.patch(NODE, key_of(node), {"metadata": {"labels": {SCHEDULABLE_LABEL: "false"}}})
                await self._report(node)
        for vmi in self._vmis:
            await self._fail_if_lost(vmi)

    def _is_unresponsive(self, node: Object) -> bool:
        heartbeat = annotations_of(node).get(HEARTBEAT_ANNOTATION)
        return heartbeat is not None and seconds_since(heartbeat) > self._timings.node_timeout

    async def _fail_if_lost(self, vmi: Object) -> None:
        """A VMI fails only when its node is silent or gone and its pod is gone or has ended, too."""
        name = (vmi.get("status") or {}).get("nodeName")
        if not name or phase_of(vmi) not in ("Scheduled", "Running"):
            return
        node = self._nodes.get(("", name))
        pod = current_pod(vmi, pods_of(vmi, self._pods))
        if (node is None or self._is_unresponsive(node)) and (pod is None or is_final(pod)):
            new = copy.deepcopy(vmi)
            set_phase(new, "Failed")
            new["status"]["reason"] = "NodeUnresponsive"
            await self._client.update(VMI, new)

    async def _report(self, node: Object) -> None:
        name = node["metadata"]["name"]
        event = {
            "metadata": {"generateName": f"{name}.", "namespace": "default"},
            "involvedObject": {"kind": "Node", "apiVersion": "v1", "name": name, "uid": node["metadata"]["uid"]},
            "reason": "NodeUnresponsive",
            "message": "virt-handler is not responsive, marking node as unresponsive",
            "type": "Warning",
            "source": {"component": "node-controller"},
            "firstTimestamp": timestamp(),
            "lastTimestamp": timestamp(),
            "count": 1,
        }
        await self._client.create(EVENT, event)
