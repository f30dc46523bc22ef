"""ColdRestart: after its server is proven off, a VM boots on the survivor, highest tier first.

Without standing evidence nothing here starts anything. A tier waits for the one before it to be ready, but only so
long: one VM that cannot boot must not keep the others down.
"""

from __future__ import annotations

from avance.core.effects import DeletePod
from avance.core.kubevirt_health import why_kubevirt_starts_nothing
from avance.core.liveness import standing_evidence
from avance.core.model import ActionType, ActionView, FenceEvidence, PairView, VmView
from avance.core.progress import Progress, act, cancel, fail, wait
from avance.core.workflows.bring_up import bring_up
from avance.core.workflows.turn import wait_turn


def advance(action: ActionView, view: PairView, now: float) -> Progress:
    vm = view.vm(action.target)
    if vm is None or not vm.should_run:
        return cancel("Release", f"{action.target} shall not run any more")
    evidence = _licence(action, view)
    if evidence is None:
        return wait("Release", f"{vm.key} is not restarted: no fence evidence for the server that it ran on")
    if _contradicted(evidence, view):
        return fail(
            "Release", f"{evidence.node} gave a sign of life after it was held to be off: {vm.key} stays as it is"
        )
    if vm.instance and vm.instance.uid != action.instance_uid:
        return bring_up(action, view, vm, now)
    return _release(view, vm, evidence) or wait_turn(action, view, vm, now) or bring_up(action, view, vm, now)


def _licence(action: ActionView, view: PairView) -> FenceEvidence | None:
    """The evidence of the fence of the same incident."""
    fences = (other for other in view.actions if other.type is ActionType.FENCE and other.incident == action.incident)
    return next((fence.evidence for fence in fences if fence.evidence is not None), None)


def _contradicted(evidence: FenceEvidence, view: PairView) -> bool:
    """A later sign of life in the same life of the node. A new boot is none: it has ended what ran before."""
    node = view.node(evidence.node)
    return node is not None and node.boot_id == evidence.boot_id and standing_evidence(view, evidence.node) is None


def _release(view: PairView, vm: VmView, evidence: FenceEvidence) -> Progress | None:
    held = [pod for pod in view.pods_of(vm.key) if pod.node == evidence.node]
    if held and standing_evidence(view, evidence.node):
        orders = (DeletePod(pod.namespace, pod.name, pod.uid, evidence.node) for pod in held)
        return act("Release", f"giving up the lost instance of {vm.key} on {evidence.node}", *orders)
    if vm.instance and not vm.instance.phase.final:
        down = why_kubevirt_starts_nothing(view.surroundings.kubevirt)
        return wait("Release", f"waiting for KubeVirt to end the lost instance of {vm.key}{down and f': {down}'}")
    return None
