"""N+1: what is admitted fits on either server alone; what was admitted stays; a lack is told by how much."""

from dataclasses import replace
from typing import Any

from avance.core.capacity import admitted, why_not_admitted, why_not_hold_all
from avance.core.model import ActionPhase, ActionType, PairView, RestartPriority, VmView
from avance.core.plan import plan
from avance.core.policy import Limits, PairPolicy
from avance.core.report import VmReport, report
from avance.core.resources import Resources
from tests.core.views import GIB, NOW, action, node, pair, running


def newcomer(name: str, gib: int, **fields: Any) -> VmView:
    return VmView("default", name, should_run=True, needs=Resources(100, gib * GIB), **fields)


def sized(gib: int, *vms: VmView, **fields: Any) -> PairView:
    """The second server has this much memory, of which 2 GiB are reserved."""
    return pair(b=node("node-b", allocatable=Resources(16000, gib * GIB)), vms=vms, **fields)


def names(vms: tuple[VmView, ...]) -> list[str]:
    return [vm.name for vm in vms]


def of(view: PairView, name: str) -> VmReport:
    return next(vm for vm in report(view, NOW).vms if vm.key == f"default/{name}")


def test_a_vm_that_fits_on_one_server_only_is_not_admitted() -> None:
    view = sized(16, running("web"), newcomer("db", 12))
    assert names(admitted(view)) == ["web"]
    assert why_not_admitted(view, view.vms[1]) == (
        "either server must be able to hold every VM alone, and node-b cannot: it has 14.0 GiB and 15000m CPU after "
        "the reserve, 4.0 GiB and 100m CPU are taken, default/db needs 12.0 GiB and 100m CPU, which is 2.0 GiB and "
        "0m CPU too much; make it or another VM smaller, set running: false on one, or enlarge node-b"
    )
    assert not [intent for intent in plan(view, NOW).intents if intent.type is ActionType.START]


def test_it_may_fill_the_smaller_server_exactly() -> None:
    view = sized(16, running("web"), newcomer("db", 10))
    assert names(admitted(view)) == ["web", "db"]
    assert not why_not_admitted(view, view.vms[1])


def test_processors_count_as_memory_does() -> None:
    view = sized(64, running("web"), replace(newcomer("db", 1), needs=Resources(15000, GIB)))
    assert "100m CPU too much" in why_not_admitted(view, view.vms[1])


def test_new_ones_are_admitted_by_tier_and_what_does_not_fit_keeps_nobody_out() -> None:
    low = newcomer("aaa", 6, priority=RestartPriority.LOW)
    view = sized(16, low, newcomer("big", 30, priority=RestartPriority.HIGH), newcomer("zzz", 10))
    assert names(admitted(view)) == ["zzz"]
    assert "big" not in why_not_admitted(view, low)


def test_what_was_admitted_stays_admitted_and_the_pair_says_by_how_much_it_is_short() -> None:
    away = newcomer("db", 12, admitted=True)
    view = sized(16, running("web"), away)
    assert not why_not_admitted(view, away)
    assert "2.0 GiB and 0m CPU too little" in why_not_hold_all(view, view.nodes[1])
    assert not why_not_hold_all(view, view.nodes[0])
    redundant = next(each for each in report(view, NOW).conditions if each.type == "Redundant")
    assert (redundant.holds, "node-b alone cannot hold all VMs" in redundant.message) == (False, True)


def test_what_is_being_started_counts_and_its_start_does_not_stand_in_its_own_way() -> None:
    one, two = newcomer("aaa", 8), newcomer("bbb", 8, priority=RestartPriority.HIGH)
    start = action(ActionType.START, "default/aaa", ActionPhase.RUNNING, destination="node-a")
    view = sized(16, one, two, actions=(start,))
    assert names(admitted(view)) == ["aaa"]
    assert not why_not_admitted(view, one)
    assert why_not_admitted(view, two)


def test_max_vms_counts_those_that_shall_run() -> None:
    policy = PairPolicy(limits=Limits(max_vms=1))
    off = replace(running("web", instance=None), should_run=False)
    assert names(admitted(sized(64, off, newcomer("db", 1), policy=policy))) == ["db"]
    crowded = sized(64, running("web"), newcomer("db", 1), policy=policy)
    assert "limits.maxVMs is 1: raise it" in why_not_admitted(crowded, crowded.vms[1])


def test_the_check_is_repeated_where_a_start_is_carried_out() -> None:
    start = action(ActionType.START, "default/db", ActionPhase.PENDING)
    view = sized(16, running("web"), newcomer("db", 12), actions=(start,))
    [(_, progress)] = plan(view, NOW).progress
    assert (progress.step, progress.outcome) == ("Admit", ActionPhase.CANCELLED)


def test_the_vm_says_why_it_waits() -> None:
    view = sized(16, running("web"), newcomer("db", 12))
    waiting = {condition.type: condition for condition in of(view, "db").conditions}
    assert (waiting["Admitted"].holds, waiting["Admitted"].reason) == (False, "NoRoom")
    assert (waiting["Protected"].holds, waiting["Protected"].reason) == (False, "NotAdmitted")
    assert waiting["Ready"].message.startswith("it is not started: either server must")
    assert {each.type: each.holds for each in of(view, "web").conditions}["Admitted"] is True
    stopped = replace(view, vms=(replace(view.vms[1], should_run=False),))
    assert {each.type: each.holds for each in of(stopped, "db").conditions}["Admitted"] is None
