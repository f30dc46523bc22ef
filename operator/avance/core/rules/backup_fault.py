"""Serious fault on a backup (public network, disk, crash): reboot it, it may be transient; then declare it down."""

from __future__ import annotations

from collections.abc import Iterator

from avance.core.attempts import declare_down, reboot_or_declare_down
from avance.core.components import ComponentKind
from avance.core.faults import Fault
from avance.core.intents import Intent, LookAgain
from avance.core.liveness import standing_evidence
from avance.core.model import NodeView, PairView
from avance.core.mtbf import forgiven_at
from avance.core.placement import pair_primary
from avance.core.sparing import guests_on, why_not_hand_over, why_not_spare


def declare_down_below_the_threshold(view: PairView, now: float) -> Iterator[Intent | LookAgain]:
    """MTBF below threshold: the server is declared down; benign faults make it useless to nobody.

    A server that was fenced for its crash stays off then. The only server that is fit is never declared down.
    """
    for node in view.nodes:
        if node.history.declared_down is not None:
            yield from _look_when_forgiven(view, node)
            continue
        fault = _declared_failed(node)
        if fault is None or view.open_action(node.name) or why_not_spare(view, node, now):
            continue
        useless = not node.cordoned and _is_backup(view, node) and not why_not_hand_over(view, node, now)
        if useless or standing_evidence(view, node.name):
            yield declare_down(view, node, fault)


def reboot_the_backup(view: PairView, now: float) -> Iterator[Intent | LookAgain]:
    """Serious fault on the backup: it is rebooted, again while attempts remain, and then declared down.

    One that is the primary of some VMs hands them over first; where it cannot, nothing is rebooted.
    """
    for node in view.nodes:
        fault = _serious(node)
        if fault is None or not _is_backup(view, node) or why_not_hand_over(view, node, now):
            continue
        yield from reboot_or_declare_down(view, node, fault, now)


def _serious(node: NodeView) -> Fault | None:
    """The gravest that a detector reports now; no reboot mends what it does not report."""
    faults = (fault for fault in node.faults if fault.serious and not fault.held)
    return next((fault for fault in faults if fault.kind is not ComponentKind.PRIVATE_LINK), None)


def _declared_failed(node: NodeView) -> Fault | None:
    """A serious fault of a component that is declared failed, whether a detector reports it at the moment or not.

    The private link's is recorded by both ends: which of them is the backup, split brain says.
    """
    faults = (fault for fault in node.faults if fault.serious and fault.kind is not ComponentKind.PRIVATE_LINK)
    return next((each for each in faults if node.history.of(each.kind, each.component).failed_since is not None), None)


def _is_backup(view: PairView, node: NodeView) -> bool:
    """It holds no VM, or fewer of them than the other one."""
    return not guests_on(view, node.name) or pair_primary(view) != node.name


def _look_when_forgiven(view: PairView, node: NodeView) -> Iterator[LookAgain]:
    for each in node.history.components:
        at = forgiven_at(each, view.policy.mtbf.of(each.kind))
        if at is not None:
            yield LookAgain(at)
