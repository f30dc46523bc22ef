"""When a VM is taken on, when it is let go, and that no rule touches one that is neither."""

from dataclasses import replace
from typing import Any

import pytest

from avance.core.adoption import why_not_let_go, why_not_put_back, why_not_taken_on
from avance.core.custody import Custody
from avance.core.effects import ApplyVm, ReleaseVm
from avance.core.model import ActionPhase, ActionType, PairView, VmView
from avance.core.plan import plan
from avance.core.policy import Limits, PairPolicy
from avance.core.report import report
from avance.core.resources import Resources
from tests.core.views import GIB, NOW, action, ended, launcher, node, pair, running


def adopting(*candidates: VmView, **fields: Any) -> PairView:
    return replace(pair(**fields), candidates=candidates)


def stranger(name: str = "legacy", on: str = "node-a", **fields: Any) -> VmView:
    return running(name, on, **({"custody": Custody(), "up_to_date": False} | fields))


def idle(name: str = "legacy", **fields: Any) -> VmView:
    return replace(running(name), instance=None, **fields)


def leaving(**custody: Any) -> Custody:
    return Custody(adopted=True, leaving=True, **custody)


def test_a_vm_that_fits_is_taken_on_where_it_runs_one_at_a_time() -> None:
    first, second = stranger("a", "node-b"), stranger("b")
    assert plan(adopting(second, first), NOW).upkeep == (ApplyVm("default/a", "node-b"),)


def test_no_rule_knows_a_candidate() -> None:
    dead = replace(ended("dead"), custody=Custody(refusal=("KeptOffANode", "why")))
    decided = plan(adopting(dead, idle(custody=dead.custody)), NOW)
    assert decided.intents == ()
    assert decided.upkeep == ()


@pytest.mark.parametrize(
    ("candidate", "reason"),
    [
        (stranger(custody=Custody(refusal=("HostDevices", "why"))), "HostDevices"),
        (stranger(should_run=False), "Running"),
        (stranger(needs=Resources(100, 65 * GIB)), "NotAdmitted"),
        (idle(needs=Resources(100, GIB), custody=Custody(unsized="not read")), "NotAdmitted"),
        (idle(should_run=False), ""),
        (stranger(custody=Custody(leaving=True)), "LettingGo"),
    ],
)
def test_why_it_is_left_as_it_is(candidate: VmView, reason: str) -> None:
    told = why_not_taken_on(adopting(candidate), candidate, NOW)
    assert told[0] == reason
    assert bool(told[1]) is bool(reason)


def test_without_two_servers_nothing_is_taken_on() -> None:
    view = replace(adopting(stranger()), nodes=(node("node-a"),))
    assert plan(view, NOW).upkeep == ()
    (told,) = report(view, NOW).vms
    assert "not adopted" in next(each.message for each in told.conditions if each.type == "Protected")


def test_an_unsized_vm_is_not_admitted() -> None:
    waiting = idle("web", last_node="", custody=Custody(unsized="there is no VirtualMachineInstancetype large"))
    decided = plan(pair(vms=(waiting,)), NOW)
    assert decided.intents == ()
    (told,) = report(pair(vms=(waiting,)), NOW).vms
    assert "there is no VirtualMachineInstancetype large" in next(
        each.message for each in told.conditions if each.type == "Admitted"
    )


def test_it_is_let_go_when_nothing_is_under_way_and_nothing_new_is_begun() -> None:
    going = replace(ended("legacy"), custody=leaving())
    decided = plan(pair(vms=(going,), pods=(launcher(going, phase="Succeeded", ended_by_kubelet=True),)), NOW)
    assert decided.intents == ()
    assert decided.upkeep == (ReleaseVm("default/legacy", ""),)


def test_letting_go_waits_for_what_is_under_way() -> None:
    going = running("legacy", custody=leaving())
    move = action(ActionType.MIGRATE, "default/legacy", phase=ActionPhase.RUNNING)
    view = pair(vms=(going,), actions=(move,))
    assert why_not_let_go(view, going, NOW) == "Migrate is under way"
    assert ReleaseVm("default/legacy", "legacy-1") not in plan(view, NOW).upkeep


def test_what_kubevirt_would_start_by_itself_is_let_go_only_when_its_last_life_has_ended() -> None:
    silent = node("node-a", ready="Unknown", heard_at=NOW - 100)
    going = idle(custody=leaving(starts_itself=True))
    view = pair(a=silent, vms=(going,))
    assert "KubeVirt would start it at once" in why_not_let_go(view, going, NOW)
    assert plan(view, NOW).upkeep == ()
    (told,) = report(view, NOW).vms
    assert "KubeVirt would start it at once" in next(
        each.message for each in told.conditions if each.type == "Protected"
    )
    kept_off = replace(going, custody=leaving())
    assert why_not_let_go(pair(a=silent, vms=(kept_off,)), kept_off, NOW) == ""


def test_who_was_never_taken_on_is_let_go_whatever_the_pair_is_like() -> None:
    view = replace(adopting(stranger(custody=Custody(leaving=True, refusal=("Gone", "why")))), nodes=())
    assert plan(view, NOW).upkeep == (ReleaseVm("default/legacy", None),)


def test_a_field_that_is_taken_back_is_put_back_three_times_an_hour() -> None:
    once = Custody(adopted=True, contested="gitops has set it", taken_back=(NOW - 60,))
    thrice = replace(once, taken_back=(NOW - 60, NOW - 40, NOW - 20))
    for custody, orders in ((once, 1), (thrice, 0)):
        fought = running("legacy", up_to_date=False, prefers="node-a", custody=custody)
        assert len(plan(pair(vms=(fought,)), NOW).upkeep) == orders
        assert bool(why_not_put_back(fought)) is (orders == 0)
    (told,) = report(pair(vms=(fought,)), NOW).vms
    assert ("TakenBack", False) in {(each.reason, each.holds) for each in told.conditions}


def test_the_limit_of_vms_counts_those_that_come() -> None:
    policy = PairPolicy(limits=Limits(max_vms=1))
    view = adopting(stranger(), vms=(running("web"),), policy=policy)
    assert "limits.maxVMs" in why_not_taken_on(view, view.candidates[0], NOW)[1]
