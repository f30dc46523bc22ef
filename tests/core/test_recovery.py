"""After a rejoin: who goes home and when, and what another server under an old name may not do."""

from dataclasses import replace
from typing import Any

import pytest

from avance.core.effects import CloseNode
from avance.core.history import NodeHistory
from avance.core.licence import why_not_start
from avance.core.model import ActionPhase, ActionType, ActionView, NodeView, PairView, StepView
from avance.core.plan import Plan, plan
from avance.core.policy import Failback, PairPolicy, PlacementPolicy, RecoveryPolicy
from avance.core.remember import remember
from avance.core.report import report
from tests.core.views import GIB, NOW, UUIDS, action, ended, fault, node, pair, running

OTHER = "4c8e5d85-7d71-4a0b-8e74-40418f9a1d04"
REJOINED = action(ActionType.REJOIN, "node-a", incident="crash-1", finished_at=NOW - 500)
MANUAL = PairPolicy(recovery=RecoveryPolicy(failback=Failback.MANUAL))


def returned(*actions: ActionView, a: NodeView | None = None, policy: PairPolicy | None = None, **vm: Any) -> PairView:
    """node-a has rejoined a while ago; web, which prefers it, runs on node-b."""
    web = running("web", "node-b", **({"preferred_node": "node-a", "moved_at": NOW - 900} | vm))
    return pair(a, vms=(web,), actions=(REJOINED, *actions), policy=policy)


def wanted(view: PairView, type_: ActionType) -> list[str]:
    return [intent.target for intent in plan(view, NOW).intents if intent.type is type_]


def wave(type_: ActionType = ActionType.FAILBACK, **fields: Any) -> ActionView:
    return action(type_, "node-a", ActionPhase.RUNNING, current="Move", steps=(StepView("Move", NOW),), **fields)


def progress_of(decided: Plan, type_: ActionType) -> Any:
    return next(progress for each, progress in decided.progress if each.type is type_)


def test_a_vm_that_left_goes_home_once() -> None:
    assert wanted(returned(), ActionType.FAILBACK) == ["node-a"]
    done = action(ActionType.FAILBACK, "node-a", incident="crash-1")
    assert not wanted(returned(done), ActionType.FAILBACK)


def test_not_before_the_server_has_served_long_enough() -> None:
    view = returned()
    fresh = replace(REJOINED, finished_at=NOW - 119)
    view = replace(view, actions=(fresh,))
    assert not wanted(view, ActionType.FAILBACK)
    assert plan(view, NOW).look_at == NOW + 1


@pytest.mark.parametrize(
    "view",
    [
        returned(policy=MANUAL),
        returned(policy=PairPolicy(recovery=RecoveryPolicy(failback=Failback.NEVER))),
        returned(a=node("node-a", faults=(fault("FanProblem"),))),
        returned(a=node("node-a", cordoned=True)),
        returned(preferred_node=""),
        returned(moved_at=NOW - 100),
    ],
    ids=["manual", "never", "weaker", "cordoned", "no home", "moved since"],
)
def test_nothing_goes_home(view: PairView) -> None:
    assert not wanted(view, ActionType.FAILBACK)


def test_the_wave_moves_all_at_once_and_ends_when_they_are_there() -> None:
    view = returned(wave(), policy=MANUAL)
    view = replace(view, vms=(*view.vms, running("db", "node-b", preferred_node="node-a")))
    assert wanted(view, ActionType.MIGRATE) == ["default/db", "default/web"]
    moved = action(ActionType.MIGRATE, "default/web", reason="Failback", finished_at=NOW)
    home = replace(view, vms=(running("web", "node-a", preferred_node="node-a"),), actions=(wave(), moved))
    assert progress_of(plan(home, NOW), ActionType.FAILBACK).outcome is ActionPhase.SUCCEEDED


def test_a_vm_that_fails_three_times_stays_and_the_wave_says_so() -> None:
    tries = [
        replace(action(ActionType.MIGRATE, "default/web", ActionPhase.FAILED, reason="Failback"), name=f"try-{number}",
                finished_at=NOW - 100 * number)
        for number in (1, 2, 3)
    ]  # fmt: skip
    assert wanted(returned(wave(), *tries[:2]), ActionType.MIGRATE) == ["default/web"]
    progress = progress_of(plan(returned(wave(), *tries), NOW), ActionType.FAILBACK)
    assert (progress.outcome, "default/web could not be brought" in progress.message) == (ActionPhase.FAILED, True)


def test_balanced_placement_evens_out_and_no_more() -> None:
    policy = PairPolicy(placement=PlacementPolicy.BALANCED)
    vms = tuple(running(name, "node-b", moved_at=NOW - 900) for name in ("a", "b", "c"))
    view = replace(returned(wave(), policy=policy), vms=vms)
    assert wanted(view, ActionType.MIGRATE) == ["default/a"]


def test_a_switchover_brings_everything_whatever_it_prefers() -> None:
    view = returned(wave(ActionType.SWITCHOVER), preferred_node="node-b", moved_at=NOW - 1)
    assert wanted(view, ActionType.MIGRATE) == ["default/web"]


def test_a_wave_to_a_server_that_weakens_is_called_off() -> None:
    view = returned(wave(), a=node("node-a", faults=(fault("FanProblem"),)))
    progress = progress_of(plan(view, NOW), ActionType.FAILBACK)
    assert progress.outcome is ActionPhase.CANCELLED
    assert "less healthy" in progress.message


# --- another server ---------------------------------------------------------------------------------------------------


def stranger(**fields: Any) -> NodeView:
    return node("node-a", system_uuid=OTHER, boot_id="boot-of-another", **fields)


def known(view: PairView) -> PairView:
    """As after an earlier look at the servers that were there before."""
    nodes = (replace(each, history=NodeHistory(system_uuid=UUIDS[each.name])) for each in view.nodes)
    return remember(replace(view, nodes=tuple(nodes)), NOW)


def test_the_first_server_that_is_seen_is_the_one_that_is_meant() -> None:
    view = remember(pair(), NOW)
    assert view.nodes[0].history.system_uuid == UUIDS["node-a"]
    assert not view.nodes[0].replaced


def test_another_spelling_of_the_same_uuid_is_the_same_server() -> None:
    assert not known(pair(node("node-a", system_uuid=UUIDS["node-a"].upper()))).nodes[0].replaced


def test_another_server_is_closed_and_waits() -> None:
    view = known(pair(stranger()))
    assert wanted(view, ActionType.REJOIN) == ["node-a"]
    rejoin = action(ActionType.REJOIN, "node-a", ActionPhase.PENDING)
    progress = progress_of(plan(replace(view, actions=(rejoin,)), NOW), ActionType.REJOIN)
    assert (progress.step, progress.effects) == ("Identify", (CloseNode("node-a"),))
    assert f"is another server (system UUID {OTHER})" in progress.message
    assert report(view, NOW).nodes[0].state == "Replaced"


def test_its_boot_is_no_proof_of_the_end_of_what_the_old_one_ran() -> None:
    vm = ended("web", "node-a", at=NOW - 100)
    assert "the server that node-a was before" in why_not_start(known(pair(stranger(), vms=(vm,))), vm, NOW)
    assert not why_not_start(known(pair(vms=(vm,))), vm, NOW)


def test_an_acceptance_lets_it_in_and_counts_for_no_later_one() -> None:
    accepted = action(ActionType.ACCEPT_REPLACEMENT, "node-a", finished_at=NOW - 10)
    view = known(pair(stranger(), actions=(accepted,)))
    assert not view.nodes[0].replaced
    assert view.nodes[0].history == NodeHistory(system_uuid=OTHER, identified_at=NOW - 10, lifted_at=NOW - 10,
                                                heard_peer_in="boot-of-another")  # fmt: skip
    third = replace(view.nodes[0], system_uuid="5d9f6e96-8e82-4b1c-9f85-51529fab2e05")
    assert remember(replace(view, nodes=(third, view.nodes[1])), NOW).nodes[0].replaced


def test_an_acceptance_needs_a_person_and_their_word() -> None:
    view = known(pair(stranger()))
    asked = action(ActionType.ACCEPT_REPLACEMENT, "node-a", ActionPhase.PENDING, requested_by="alice",
                   message="the old node-a is on my desk")  # fmt: skip
    for unfit in (replace(asked, requested_by=""), replace(asked, message="yes")):
        progress = progress_of(plan(replace(view, actions=(unfit,)), NOW), ActionType.ACCEPT_REPLACEMENT)
        assert progress.outcome is ActionPhase.CANCELLED
    progress = progress_of(plan(replace(view, actions=(asked,)), NOW), ActionType.ACCEPT_REPLACEMENT)
    assert progress.outcome is ActionPhase.SUCCEEDED
    same = progress_of(plan(known(pair(actions=(asked,))), NOW), ActionType.ACCEPT_REPLACEMENT)
    assert "is the server that it was" in same.message


def test_room_is_counted_for_the_whole_wave() -> None:
    small = node("node-a", allocatable=replace(node().allocatable, memory_bytes=7 * GIB))
    view = returned(wave(), a=small)
    view = replace(view, vms=(*view.vms, running("db", "node-b", preferred_node="node-a")))
    assert wanted(view, ActionType.MIGRATE) == ["default/db"]
