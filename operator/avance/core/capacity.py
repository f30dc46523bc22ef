"""N+1: a pair takes on only what either of its servers can hold alone.

A VM that does not fit is not started at all: one that runs without room on the other server would look protected until
the day on which it is needed. What was admitted stays so, whatever shrinks later: then the pair is not redundant, and
says by how much. Admission ends when a VM's spec says that it shall not run.
"""

from __future__ import annotations

from collections.abc import Iterable

from avance.core.model import ActionType, NodeView, PairView, VmView
from avance.core.resources import Resources

_STARTS = (ActionType.START, ActionType.RESTART, ActionType.COLD_RESTART)


def room_for_vms(view: PairView, node: NodeView) -> Resources:
    """What a server has for VMs: allocatable, less the reserve."""
    limits = view.policy.limits
    return node.allocatable - Resources(limits.reserved_cpu_milli, limits.reserved_memory_bytes)


def total(needs: Iterable[Resources]) -> Resources:
    return sum(needs, Resources())


def admitted(view: PairView) -> tuple[VmView, ...]:
    """The VMs that the pair has taken on: those of old, then the new ones that fit beside them, highest tier first."""
    taken = [vm for vm in view.vms if vm.should_run and _of_old(view, vm)]
    coming = [vm for vm in view.vms if vm.should_run and not _of_old(view, vm)]
    for vm in sorted(coming, key=lambda vm: (vm.priority, vm.key)):
        if not _why_not_beside(view, taken, vm):
            taken.append(vm)
    return tuple(taken)


def why_not_admitted(view: PairView, vm: VmView) -> str:
    """Why the pair does not take a VM on, with the arithmetic and what to do; empty if it does."""
    if _recorded(vm):
        return ""
    taken = [other for other in admitted(view) if other.key != vm.key]
    return _why_not_beside(view, taken, vm)


def why_not_take_on(view: PairView, vm: VmView) -> str:
    """Why the pair does not take on a VM that runs without it, with the arithmetic and what to do; empty if it does."""
    return _why_not_beside(view, list(admitted(view)), vm)


def why_not_hold_all(view: PairView, node: NodeView) -> str:
    """Why one server alone cannot hold every VM that was admitted, with the arithmetic; empty if it can."""
    taken = admitted(view)
    if len(taken) > view.policy.limits.max_vms:
        return f"{len(taken)} VMs are more than limits.maxVMs, which is {view.policy.limits.max_vms}"
    needs, room = total(vm.needs for vm in taken), room_for_vms(view, node)
    if needs.fits_in(room):
        return ""
    return (
        f"{node.name} alone cannot hold all VMs: they need {_amount(needs)}, it has {_amount(room)} after the reserve, "
        f"{_amount(needs.beyond(room))} too little"
    )


def _recorded(vm: VmView) -> bool:
    return vm.admitted or vm.instance is not None


def _of_old(view: PairView, vm: VmView) -> bool:
    """Admitted before, or on its way: what is being started counts already, or two would take the same room."""
    action = view.open_action(vm.key)
    return _recorded(vm) or (action is not None and action.type in _STARTS)


def _why_not_beside(view: PairView, taken: list[VmView], vm: VmView) -> str:
    limit = view.policy.limits.max_vms
    if vm.custody.unsized:
        return f"how large it is cannot be told: {vm.custody.unsized}"
    if len(taken) >= limit:
        return (
            f"{len(taken)} VMs are admitted and limits.maxVMs is {limit}: "
            "raise it, or set running: false on another VM of the pair"
        )
    held = total(other.needs for other in taken)
    for node in view.nodes:
        room = room_for_vms(view, node)
        if not (held + vm.needs).fits_in(room):
            return (
                f"either server must be able to hold every VM alone, and {node.name} cannot: it has {_amount(room)} "
                f"after the reserve, {_amount(held)} are taken, {vm.key} needs {_amount(vm.needs)}, which is "
                f"{_amount((held + vm.needs).beyond(room))} too much; make it or another VM smaller, set running: "
                f"false on one, or enlarge {node.name}"
            )
    return ""


def _amount(resources: Resources) -> str:
    return f"{resources.memory_bytes / 1024**3:.1f} GiB and {resources.cpu_milli}m CPU"
