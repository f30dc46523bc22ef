"""May this VM be started now? The one gate that every start passes through.

Never two instances of a VM: a start needs the proof that the last instance has ended. A live kubelet that reported the
end is proof, and so is fence evidence for the node; silence is not, and neither is an API object that somebody
removed. Never from stale disks: it needs an up-to-date copy as well, by what the storage says since that end.
"""

from __future__ import annotations

from avance.core.fitness import why_replaced
from avance.core.liveness import CONTACT_SECONDS, Life, judge, standing_evidence
from avance.core.maintenance import known_empty, seen_on
from avance.core.model import ActionPhase, ActionView, NodeView, PairView, VmView
from avance.core.replication import why_ask_again, why_not_start_anywhere, why_not_start_on

ORPHAN_SECONDS = CONTACT_SECONDS
"""In contact for so long a kubelet has ended a guest whose launcher pod has vanished.

It needs a few seconds; but the first renewal of its Lease may tell of a moment's contact: the next one has to follow.
"""


def why_not_start(view: PairView, vm: VmView, now: float, on: str = "") -> str:
    """Why the VM must not be started now on this node (empty: on any), in words; empty when it may."""
    return why_not_ended(view, vm, now) or why_ask_again(vm) or why_stale(view, vm, on)


def why_stale(view: PairView, vm: VmView, on: str) -> str:
    """Why its disks on this node (empty: on any) are not those to start from; empty when they are."""
    return why_not_start_on(view, vm, on) if on else why_not_start_anywhere(view, vm)


def why_not_ended(view: PairView, vm: VmView, now: float) -> str:
    """Why its last instance may still run, in words; empty when it is known to have ended."""
    for pod in view.pods_of(vm.key):
        if not pod.final:
            return f"launcher pod {pod.name} on {pod.node or 'no node yet'} has not ended"
    if vm.instance is not None and not vm.instance.phase.final:
        return f"an instance of it is {vm.instance.phase}"
    for node_name in sorted(_last_nodes(view, vm)):
        reason = _may_still_run_on(view, vm, node_name, now)
        if reason:
            return reason
    return ""


def why_not_empty(view: PairView, node: NodeView, now: float) -> str:
    """Why a node may still run a VM of the pair, whatever the API shows, in words; empty when none can be there."""
    seen = seen_on(view, node.name)
    if seen:
        return f"{' and '.join(seen)} {'is' if len(seen) == 1 else 'are'} on {node.name}"
    if standing_evidence(view, node.name):
        return ""
    verdict = judge(view, node, now)
    if verdict.life is not Life.ALIVE:
        return verdict.because
    there = (vm for vm in view.vms if node.name in _last_nodes(view, vm))
    return next((why for vm in there if (why := _may_still_run_on(view, vm, node.name, now))), "")


def may_hold(view: PairView, node_name: str) -> bool:
    """Whether a VM is on a node, on its way there, or waits for the proof that it has ended there."""
    waiting = any(vm.should_run and not vm.running and node_name in _last_nodes(view, vm) for vm in view.vms)
    return waiting or bool(seen_on(view, node_name))


def _last_nodes(view: PairView, vm: VmView) -> set[str]:
    """Where it may have run last, by its status, by its instance and by the record of what was done to it.

    The record outlives the ProtectedVM: one that somebody deletes and writes anew while its server is cut off starts
    with an empty status, and the guest of its predecessor may still run.
    """
    if vm.instance is not None and vm.instance.node:
        return {vm.instance.node, vm.last_node} - {""}
    recorded = [action for action in view.actions if action.target == vm.key and took_it_somewhere(action)]
    settled = max((at for at, action in enumerate(recorded) if action.phase is ActionPhase.SUCCEEDED), default=0)
    return {vm.last_node, *(action.destination for action in recorded[settled:])} - {""}


def took_it_somewhere(action: ActionView) -> bool:
    """It has come as far as to have KubeVirt start or move the VM."""
    return bool(action.destination) and any(action.started(step) is not None for step in ("Start", "Copy"))


def _may_still_run_on(view: PairView, vm: VmView, node_name: str, now: float) -> str:
    node = view.node(node_name)
    if node is None:
        return f"{node_name}, where it ran last, is not in the cluster: nothing proves that it has ended there"
    if known_empty(node):
        return ""
    if node.replaced:
        return f"it may still run on the server that {node_name} was before: {why_replaced(node)}"
    if standing_evidence(view, node_name):
        return ""
    verdict = judge(view, node, now)
    if verdict.life is not Life.ALIVE:
        return f"it may still run on {node_name}: {verdict.because}"
    if not _reported_its_end(view, vm, node_name) and not _kubelet_is_up_to_date(vm, node, now):
        return f"it vanished on {node_name} without a report, and the kubelet there may not have ended it yet"
    return ""


def _reported_its_end(view: PairView, vm: VmView, node_name: str) -> bool:
    """The kubelet itself has said that the last instance's launcher pod there has ended."""
    uid = vm.instance.uid if vm.instance else ""
    return any(pod.final and pod.node == node_name and pod.instance_uid == uid for pod in view.pods_of(vm.key))


def _kubelet_is_up_to_date(vm: VmView, node: NodeView, now: float) -> bool:
    """It has been in contact long enough to end whatever somebody removed from the API behind its back.

    Only a later sign of life shows that a contact has lasted: it may have broken off again at once.
    """
    ended_at = vm.vanished_at if vm.instance is None else vm.instance.ended_at or now
    return node.heard_at >= max(ended_at, node.heard_since) + ORPHAN_SECONDS
