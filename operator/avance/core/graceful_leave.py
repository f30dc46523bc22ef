"""GracefulLeaveRecorded: a server that shut down in order has itself reported, last of all, that it runs nothing.

Counts only where its BMC gives no answer, and only if all of this is on record:

* its kubelet's last word on `Ready` is that the node is shutting down;
* every launcher pod that was bound to it has ended, by its own kubelet's report on every container;
* every VM that was there last is known to have ended there: none vanished without a report;
* it has been silent since, and the survivor reports that it hears nothing of it on any path.

Kubernetes overwrites the first of these some 50 s after the server has gone. So it has to be seen in time: what nobody
saw proves nothing.
"""

from __future__ import annotations

from avance.core.liveness import heard_by_nobody, silent
from avance.core.model import FenceEvidence, NodeView, PairView, VmView


def graceful_leave(view: PairView, node: NodeView, now: float) -> FenceEvidence | None:
    """The evidence, if every record of it is there."""
    pods = [pod for pod in view.pods if pod.node == node.name]
    if not node.shutting_down or not silent(view, node, now) or not heard_by_nobody(view, node, now):
        return None
    if not all(pod.ended_by_kubelet for pod in pods):
        return None
    if not all(_known_to_have_ended(view, vm, node.name) for vm in view.vms if node.name in (vm.node, vm.last_node)):
        return None
    return FenceEvidence(
        node=node.name,
        source=f"kubelet of {node.name}",
        system_uuid=node.system_uuid,
        boot_id=node.boot_id,
        heartbeat=node.heartbeat,
        observed_at=now,
        message=f"{node.name} shut down in order: its kubelet reported so, and the end of {len(pods)} launcher pods",
        kind="GracefulLeaveRecorded",
    )


def _known_to_have_ended(view: PairView, vm: VmView, node_name: str) -> bool:
    """Its kubelet has reported the end of the instance that was there, or the VM lives on elsewhere in order."""
    instance = vm.instance
    if instance is None:
        return vm.vanished_at == 0
    if instance.node != node_name and instance.node:
        return not any(not migration.final for migration in vm.migrations)
    return any(
        pod.ended_by_kubelet and pod.node == node_name and pod.instance_uid == instance.uid
        for pod in view.pods_of(vm.key)
    )
