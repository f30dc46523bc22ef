"""Taking a VirtualMachine on that somebody else made, and letting it go again; neither ever starts or stops it.

One is taken on at a time, so that the next look counts it before it asks whether there is room for another. One is let
go when nothing is under way with it; and if KubeVirt would start it by itself then, only once its last instance is
known to have ended: from there on nobody asks any more.
"""

from __future__ import annotations

from collections.abc import Iterator

from avance.core.capacity import why_not_take_on
from avance.core.effects import ApplyVm, ReleaseVm
from avance.core.licence import why_not_ended
from avance.core.model import PairView, VmView
from avance.core.pairing import why_no_pair
from avance.core.placement import choose_node
from avance.core.standstill import standstill

PUT_BACK_LIMIT = 3
"""How often within an hour a change by somebody else is answered by putting avance's own back. Two programs that each
insist would go on for ever: it is told instead, and the VM is not called protected."""


def why_not_taken_on(view: PairView, vm: VmView, now: float) -> tuple[str, str]:
    """Why a candidate is left as it is, as a word and a sentence; both empty if it is to be taken on now."""
    if vm.custody.leaving:
        return "LettingGo", "its ProtectedVM is being deleted"
    if any(vm.custody.refusal):
        return vm.custody.refusal
    if any(why_no_pair(view)):
        return why_no_pair(view)
    still = standstill(view, vm.key, now)
    if still is not None:
        return still.reason, f"it is not adopted while nothing is begun: {still.because}"
    lives = vm.instance is not None and not vm.instance.phase.final
    if lives and not vm.should_run:
        return (
            "Running",
            "its spec says running: false, and adopting a VM never stops it: remove that, or shut the VM down first",
        )
    full = why_not_take_on(view, vm) if lives or vm.should_run else ""
    return ("NotAdmitted", full) if full else ("", "")


def adoptions(view: PairView, now: float) -> Iterator[ApplyVm]:
    """The next VM to take on."""
    for vm in sorted(view.candidates, key=lambda vm: (vm.priority, vm.key)):
        if any(why_not_taken_on(view, vm, now)):
            continue
        yield ApplyVm(vm.key, vm.node or choose_node(view, vm, now) or view.nodes[0].name)
        return


def why_not_let_go(view: PairView, vm: VmView, now: float) -> str:
    """What has to end before a VM is let go, in words; empty if nothing has to."""
    action = view.open_action(vm.key)
    if action is not None:
        return f"{action.type} is under way"
    if any(not migration.final for migration in vm.migrations):
        return "it is moving"
    lives = vm.instance is not None and not vm.instance.phase.final
    if lives or not vm.should_run or not vm.custody.starts_itself:
        return ""
    doubt = why_not_ended(view, vm, now)
    return f"KubeVirt would start it at once, and {doubt}" if doubt else ""


def releases(view: PairView, now: float) -> Iterator[ReleaseVm]:
    """The VMs to let go now, in whatever state the pair is."""
    for vm in view.vms:
        if vm.custody.leaving and not why_not_let_go(view, vm, now):
            lives = vm.instance is not None and not vm.instance.phase.final
            yield ReleaseVm(vm.key, vm.instance.uid if vm.instance is not None and lives else "")
    yield from (ReleaseVm(vm.key, None) for vm in view.candidates if vm.custody.leaving)


def why_not_put_back(vm: VmView) -> str:
    """Why a change by somebody else is left as it is, in words; empty if there is none, or if it is put back."""
    custody = vm.custody
    if not custody.contested or len(custody.taken_back) < PUT_BACK_LIMIT:
        return ""
    return (
        f"{custody.contested}, again and again: have it leave that field to avance, or delete the ProtectedVM; "
        "it is put back at most three times an hour"
    )
