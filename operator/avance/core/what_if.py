"""What would keep the crash of a server from being survived, in words, first reason first.

It is asked at every look at a pair, so it reads the view only. `avance what-if` plays the same rules forward in a
simulator for the order and the times; where nothing is told here, every VM has to run again there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from avance.core.capacity import why_not_hold_all
from avance.core.control_plane import why_api_would_be_lost
from avance.core.fencing_report import fence_path
from avance.core.fitness import why_not_serve
from avance.core.kubevirt_health import kubevirt_troubles
from avance.core.maintenance import MAINTENANCE, known_empty, planned
from avance.core.model import NodeView, PairView, VmView
from avance.core.provisioning import why_disks_keep_it
from avance.core.replication import why_not_synced
from avance.core.standstill import standstill


@dataclass(frozen=True, slots=True)
class Blocker:
    """One thing that stands in the way."""

    reason: str
    """One word, in CamelCase."""
    message: str
    vm: str = ""
    """The only VM that it concerns; empty if it concerns all of the server."""
    certain: bool = True
    """False when it only cannot be told yet."""


def blockers(view: PairView, node: NodeView, now: float) -> Iterator[Blocker]:
    """What would keep a crash of this node from being survived without a person: proof, takeover, VM by VM.

    Nothing of one that holds no VM because a person works on it.
    """
    if known_empty(node):
        return
    path = fence_path(node)
    if path.holds is False:
        yield Blocker("FencePathFailed", path.message)
    # Before what follows from it: without virt-handler no server takes VMs either.
    yield from _of_kubevirt(view)
    yield from _takeover(view, node, now)
    for vm in view.vms:
        if vm.should_run and vm.node == node.name:
            yield from _of_a_vm(view, vm, now)
    if path.holds is None:
        # After an operator's start nothing is known of a BMC for a moment: no bad news, but no good news either.
        yield Blocker(path.reason, path.message, certain=False)


def _takeover(view: PairView, node: NodeView, now: float) -> Iterator[Blocker]:
    """Whether somebody notices, may act, and can take everything over."""
    survivor = view.peer(node.name)
    if survivor is None:
        yield Blocker("NoBackup", f"{node.name} has no other server beside it")
        return
    unfit = why_not_serve(view, survivor, now)
    if unfit:
        yield Blocker(MAINTENANCE if planned(view, survivor) else "NoBackup", unfit)
    elif survivor.hears_peer is None:
        yield Blocker(
            "NoDetector",
            f"no detector on {survivor.name} says whether it hears {node.name}: a crash that leaves the power on would "
            "not be acted on",
        )
    full = why_not_hold_all(view, survivor)
    if full:
        yield Blocker("NoRoom", full)
    lost = why_api_would_be_lost(view, node.name)
    if lost:
        yield Blocker("ControlPlaneLost", lost)


def _of_kubevirt(view: PairView) -> Iterator[Blocker]:
    health = view.surroundings.kubevirt
    if health is None:
        yield Blocker("KubeVirtNotAsked", "KubeVirt has not been asked yet how it is", certain=False)
        return
    yield from (Blocker(reason, message) for reason, message in kubevirt_troubles(health))
    if health.not_told:
        yield Blocker("KubeVirtNotKnown", f"KubeVirt does not tell how it is: {health.not_told}", certain=False)


def _of_a_vm(view: PairView, vm: VmView, now: float) -> Iterator[Blocker]:
    """Whether anybody forbids its start, its disks, and whether KubeVirt could start it at all."""
    still = standstill(view, vm.key, now)
    if still is not None:
        yield Blocker(still.reason, f"{vm.key} would not be restarted: {still.because}", vm.key)
    reason, message = why_not_synced(view, vm)
    if message:
        yield Blocker(reason, message, vm.key)
    missing = why_disks_keep_it(vm.provisioning)
    if missing:
        yield Blocker("NotProvisioned", f"{vm.key} could not be started: {missing}", vm.key)
    if vm.start_blocked:
        yield Blocker("StartBlocked", f"{vm.key} could not be started: {vm.start_blocked}", vm.key)
