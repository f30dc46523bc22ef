"""What to tell people about a pair: states, conditions and their reasons, from the same view that the rules decide on.

Every condition answers a question of its own. `Redundant`: could either server be lost? `FailoverReady`: would a crash
now be survived without a person? `Protected`: would this VM survive the loss of its server? A No says why, first reason
first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from avance.core.adoption import why_not_let_go, why_not_put_back, why_not_taken_on
from avance.core.capacity import why_not_admitted, why_not_hold_all
from avance.core.condition import Condition, answer
from avance.core.control_plane import why_api_is_at_risk
from avance.core.delivery_report import notifications_delivered
from avance.core.evictions import evacuable
from avance.core.failover import Failover, last_failover
from avance.core.failures import why_not_restarted
from avance.core.fencing_report import fencing_conditions
from avance.core.fitness import private_link_up, why_not_serve
from avance.core.kubevirt_health import kubevirt_ready
from avance.core.licence import why_not_start
from avance.core.liveness import Life, judge, silent
from avance.core.maintenance import MAINTENANCE, is_the_work, planned, why_worked_on, worked_on
from avance.core.model import ActionType, ActionView, PairView, VmPhase, VmView
from avance.core.node_report import NodeReport, report_node
from avance.core.outage import Outage, outage
from avance.core.pairing import why_no_pair
from avance.core.phase_times import CrashTimes, last_crash
from avance.core.placement import backup_of, pair_primary
from avance.core.preflight import migrations_ready
from avance.core.provisioning import provisioned, why_disks_keep_it
from avance.core.replication import why_not_all_synced, why_not_synced, written_now
from avance.core.sparing import guests_on
from avance.core.split_brain import backup_of_all, is_split
from avance.core.stability import ordered, stable, why_guest_not_well
from avance.core.standstill import Standstill, standstill
from avance.core.storage import Written
from avance.core.what_if import blockers


@dataclass(frozen=True, slots=True)
class VmReport:
    key: str
    phase: str
    primary: str
    backup: str
    conditions: tuple[Condition, ...]
    outage: Outage | None
    """That it is down though it shall run; None while it runs."""
    last_failover: Failover | None
    written: Written | None = None
    """Which copies of its disks hold what it wrote last."""
    answered: str = ""
    """The present instance, if its guest answers its health check now."""


@dataclass(frozen=True, slots=True)
class PairReport:
    conditions: tuple[Condition, ...]
    primary: str
    nodes: tuple[NodeReport, ...]
    vms: tuple[VmReport, ...]
    incident: ActionView | None
    """The action that an incident under way is at."""
    last_crash: CrashTimes | None = None
    """How long the newest crash took, phase by phase."""


def report(view: PairView, now: float) -> PairReport:
    """Everything that status, Events and metrics say about the pair."""
    return PairReport(
        conditions=tuple(_pair_conditions(view, now)),
        primary=pair_primary(view),
        nodes=tuple(report_node(view, node, now) for node in view.nodes),
        vms=(*(_vm(view, vm, now) for vm in view.vms), *(_candidate(view, vm, now) for vm in view.candidates)),
        incident=_incident(view),
        last_crash=last_crash(view.actions),
    )


# --- the pair ---------------------------------------------------------------------------------------------------------


def _pair_conditions(view: PairView, now: float) -> Iterator[Condition]:
    yield from _of_its_service(view, now)
    yield from notifications_delivered(view, now)


def _of_its_service(view: PairView, now: float) -> Iterator[Condition]:
    reason, message = why_no_pair(view)
    if reason:
        for type_ in ("Ready", "Redundant", "FailoverReady"):
            yield Condition(type_, False, reason, message)
        yield Condition("PrivateLinkHealthy", None, reason, message)
        return
    names = " and ".join(node.name for node in view.nodes)
    yield Condition("Ready", True, "Serving", f"{names} serve {len(view.vms)} VMs")
    yield answer("Redundant", *_why_not_redundant(view, now), "either server can be lost")
    yield _failover_ready(view, now)
    yield from _hands_off(view, now)
    yield _private_link(view, now)
    yield from fencing_conditions(view, now)
    yield kubevirt_ready(view.surroundings.kubevirt)
    yield migrations_ready(view)


def _why_not_redundant(view: PairView, now: float) -> tuple[str, str]:
    """Reason and sentence; the sentence is empty when it is. What a person wants so is told last."""
    for node in (each for each in view.nodes if not planned(view, each)):
        # A server that has lost a service is no full replacement for the other one; a benign fault leaves it one.
        own = (fault for fault in node.faults if not is_the_work(view, fault))
        lost = next((fault.sentence for fault in own if fault.serious), "")
        hindrance = why_not_serve(view, node, now) or lost or why_not_hold_all(view, node)
        if hindrance:
            return "NotRedundant", hindrance
    work = next((why for node in view.nodes if (why := why_worked_on(view, node))), "")
    if work:
        return MAINTENANCE, work
    under_way = _incident(view)
    if under_way is not None:
        back = under_way.type is ActionType.LEAVE_MAINTENANCE
        words = f"{under_way.type} of {under_way.target} is under way"
        return MAINTENANCE if back else "NotRedundant", words
    return why_not_all_synced(view)


def _hands_off(view: PairView, now: float) -> Iterator[Condition]:
    """Whether the operator keeps its hands off, said as loudly as a condition can."""
    still = standstill(view, "", now)
    message = f"nothing is begun and nothing is protected: {still.because}" if still else ""
    if still is not None and still.until is None:
        yield Condition("Observing", True, still.reason, message)
    elif still is not None:
        yield Condition("Paused", True, still.reason, message)
        return
    paused = [vm.key for vm in view.vms if vm.pause is not None and now < vm.pause.until]
    but = f", but of its VMs {' and '.join(paused)}" if paused else ""
    yield Condition("Paused", False, "NotPaused", f"the pair is not paused{but}")


def _failover_ready(view: PairView, now: float) -> Condition:
    would_be = _failover_possible(view, now)
    still = standstill(view, "", now)
    if still is None:
        return would_be
    message = f"{_unprotected(still)}; apart from that: {would_be.message}"
    return Condition("FailoverReady", False, still.reason, message)


def _unprotected(still: Standstill) -> str:
    return f"unprotected, because {still.because}"


def _failover_possible(view: PairView, now: float) -> Condition:
    found = [blocker for node in view.nodes for blocker in blockers(view, node, now)]
    certain = [blocker for blocker in found if blocker.certain]
    for blocker in certain or found:
        return Condition("FailoverReady", False if certain else None, blocker.reason, blocker.message)
    risk = why_api_is_at_risk(view)
    but = f"; but {risk}" if risk else ""
    return Condition("FailoverReady", True, "AsExpected", f"a crash now would be survived{but}")


def _private_link(view: PairView, now: float) -> Condition:
    """One end of it being in a person's hands, what the ends say of it tells nothing."""
    work = next((why_worked_on(view, node) for node in view.nodes if worked_on(node)), "")
    if work and not private_link_up(view):
        return Condition("PrivateLinkHealthy", None, MAINTENANCE, f"it is not judged: {work}")
    link = "" if private_link_up(view) else _link_fault(view, now)
    return answer("PrivateLinkHealthy", "LinkDown", link, "the private link is up")


def _link_fault(view: PairView, now: float) -> str:
    faulty = [fault.node for node in view.nodes for fault in node.faults if fault.kind == "PrivateLink"]
    seen = f"the private link is down as seen by {' and '.join(sorted(set(faulty)))}: nothing moves until it is back"
    if is_split(view, now) and backup_of_all(view) is None and all(guests_on(view, node.name) for node in view.nodes):
        return f"{seen}; both servers run VMs, so neither is rebooted: repair the link, or empty one of them by hand"
    return seen


def _incident(view: PairView) -> ActionView | None:
    """What is being done about a server; else what is being done about a VM. Starting and stopping are no incidents."""
    records = (ActionType.CALL_HOME, ActionType.NOTIFY, ActionType.ATTEST_OFF, ActionType.EDIT)
    # A rolling upgrade is told by what it does to a server; between the two servers the pair is whole.
    ordinary = (*records, ActionType.START, ActionType.STOP, ActionType.ROLLING_UPGRADE)
    under_way = [action for action in view.actions if action.open and action.type not in ordinary]
    return max(under_way, key=lambda action: (view.node(action.target) is not None, action.created_at), default=None)


# --- VMs --------------------------------------------------------------------------------------------------------------

_PHASE_OF_ACTION = {
    ActionType.START: "Starting",
    ActionType.RESTART: "Restarting",
    ActionType.COLD_RESTART: "Restarting",
    ActionType.MIGRATE: "Migrating",
}


def _vm(view: PairView, vm: VmView, now: float) -> VmReport:
    primary = vm.node or vm.last_node
    return VmReport(
        key=vm.key,
        phase=_vm_phase(view, vm, now),
        primary=primary,
        backup=backup_of(view, vm) or next((node.name for node in view.nodes if node.name != primary), ""),
        conditions=(
            answer("Ready", "NotRunning", _why_not_ready(view, vm, now), "the guest runs"),
            _admitted(view, vm),
            _protected(view, vm, now),
            _migratable(vm),
            evacuable(view, vm, now),
            _synced(view, vm),
            provisioned(vm.provisioning),
            Condition("Stable", *stable(view, vm, now)),
            Condition("Ordered", *ordered(view, vm)),
            _restart_needed(vm),
        ),
        written=written_now(view, vm) or vm.written,
        answered=vm.instance.uid if vm.instance and vm.instance.signs.answers else "",
        outage=outage(view, vm, now),
        last_failover=last_failover(view, vm),
    )


def _candidate(view: PairView, vm: VmView, now: float) -> VmReport:
    """A VM that is not taken on: whether it runs is told, and why it is not protected."""
    reason, message = why_not_taken_on(view, vm, now)
    hindrance = message or vm.start_blocked or "it is about to be adopted"
    told = reason or "Adopting"
    untold = (Condition(type_, None, told, hindrance) for type_ in ("Admitted", "Synced", "Stable", "Ordered"))
    ready = "" if vm.running and not _on_silent_node(view, vm, now) else "it has no instance that is known to run"
    return VmReport(
        key=vm.key,
        phase=_vm_phase(view, vm, now) if vm.instance else "Stopped" if vm.exists else "Pending",
        primary=vm.node or vm.last_node,
        backup="",
        conditions=(
            answer("Ready", "NotRunning", ready, "the guest runs"),
            Condition("Protected", False, told, f"not adopted: {hindrance}" if vm.exists else hindrance),
            _migratable(vm),
            *untold,
            _restart_needed(vm),
        ),
        outage=None,
        last_failover=None,
        written=vm.written,
    )


def _restart_needed(vm: VmView) -> Condition:
    waits = vm.custody.restart_needed
    return Condition("RestartNeeded", bool(waits), "RestartRequired" if waits else "AsExpected", waits or "no")


def _vm_phase(view: PairView, vm: VmView, now: float) -> str:
    action = view.open_action(vm.key)
    if action and action.type in _PHASE_OF_ACTION:
        return _PHASE_OF_ACTION[action.type]
    if vm.instance is None:
        waiting = "Provisioning" if why_disks_keep_it(vm.provisioning) else "Pending"
        return waiting if vm.should_run else "Stopped"
    if vm.instance.phase.final:
        return "Failed" if vm.should_run else "Stopped"
    if vm.instance.phase is VmPhase.RUNNING:
        return "Unknown" if _on_silent_node(view, vm, now) else "Running"
    return "Starting"


def _on_silent_node(view: PairView, vm: VmView, now: float) -> bool:
    node = view.node(vm.node)
    return node is None or silent(view, node, now) or judge(view, node, now).life is Life.DEAD


def _why_not_ready(view: PairView, vm: VmView, now: float) -> str:
    if not vm.should_run:
        return "its spec says running: false"
    if vm.running and not _on_silent_node(view, vm, now):
        return why_guest_not_well(view, vm, now)
    if vm.running:
        return f"{vm.node or 'its server'} is silent: whether the guest still runs cannot be told"
    if vm.instance is None and why_not_admitted(view, vm):
        return f"it is not started: {why_not_admitted(view, vm)}"
    action = view.open_action(vm.key)
    step = action.step if action else None
    waits = (step.message if step else "") or why_not_restarted(view, vm, now) or why_disks_keep_it(vm.provisioning)
    return waits or vm.start_blocked or why_not_start(view, vm, now) or "it has no running instance"


def _admitted(view: PairView, vm: VmView) -> Condition:
    """What has been admitted stays so until its spec says that it shall not run."""
    if not vm.should_run:
        return Condition("Admitted", None, "ShallNotRun", "its spec says running: false")
    if any(why_no_pair(view)) and not vm.admitted:
        return Condition("Admitted", None, *why_no_pair(view))
    return answer("Admitted", "NoRoom", why_not_admitted(view, vm), "either server can hold it beside the others")


def _protected(view: PairView, vm: VmView, now: float) -> Condition:
    if vm.custody.leaving:
        waits = why_not_let_go(view, vm, now) or vm.start_blocked or "its VirtualMachine is being left as it was"
        return Condition("Protected", False, "LettingGo", waits)
    still = standstill(view, vm.key, now)
    if still is not None:
        return Condition("Protected", False, still.reason, _unprotected(still))
    reason, message = _why_at_risk(view, vm, now)
    if reason:
        return Condition("Protected", False, reason, message)
    home = view.node(vm.node)
    for blocker in blockers(view, home, now) if home else ():
        if blocker.vm in ("", vm.key):
            return Condition("Protected", False if blocker.certain else None, blocker.reason, blocker.message)
    return Condition("Protected", True, "AsExpected", "it would survive the loss of its server")


def _why_at_risk(view: PairView, vm: VmView, now: float) -> tuple[str, str]:
    """Reason and sentence why it is not even where it could be protected; both empty when it is."""
    if vm.should_run and why_not_admitted(view, vm):
        return "NotAdmitted", why_not_admitted(view, vm)
    if not vm.running:
        return "NotRunning", _why_not_ready(view, vm, now) or "it does not run"
    if _on_silent_node(view, vm, now):
        return "PrimarySuspect", _why_not_ready(view, vm, now)
    if why_not_put_back(vm):
        return "TakenBack", why_not_put_back(vm)
    if view.peer(vm.node) is None:
        return "NotInPair", f"it runs on {vm.node}, which is not one of two nodes of pair {view.name}"
    return "", ""


def _synced(view: PairView, vm: VmView) -> Condition:
    if vm.storage is None:
        return Condition("Synced", True, "SharedStorage", "its disks are on storage that both servers reach")
    reason, message = why_not_synced(view, vm)
    if reason == "StorageSilent":
        return Condition("Synced", None, reason, message)
    return Condition("Synced", not reason, reason or "AsExpected", message or "both servers hold its newest disks")


def _migratable(vm: VmView) -> Condition:
    instance = vm.instance
    if instance is None or instance.migratable is None:
        return Condition("Migratable", None, "NotKnown", "virt-handler has not said whether it can be moved")
    if instance.migratable:
        return Condition("Migratable", True, "AsExpected", "it can be moved while it runs")
    return Condition("Migratable", False, "NotLiveMigratable", instance.not_migratable_because)
