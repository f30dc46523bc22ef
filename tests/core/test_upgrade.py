"""A rolling upgrade: where it stands by the records, what it wants next, what halts it."""

from dataclasses import replace
from typing import Any

import pytest

from avance.core.history import Maintenance, NodeHistory
from avance.core.model import ActionPhase, ActionType, ActionView, NodeView, PairView, StepView
from avance.core.plan import plan
from avance.core.requests import why_not_take_up
from avance.core.upgrade import Stage, stage
from avance.core.upgrade_request import UpgradeWord
from tests.core.views import NOW, action, evidence, fault, node, pair, running

MINE = {"incident": "upgrade"}
VMS = (running("web"), running("db"), running("mail", "node-b"))


def upgrade(step: str = "Empty", **fields: Any) -> ActionView:
    steps = (StepView(step, NOW - 300),) if step else ()
    phase = ActionPhase.RUNNING if step else ActionPhase.PENDING
    return action(
        ActionType.ROLLING_UPGRADE, "pair", phase, created_at=NOW - 300, steps=steps, current=step, **MINE, **fields
    )


def entered(name: str = "node-b", phase: ActionPhase = ActionPhase.SUCCEEDED, **fields: Any) -> ActionView:
    ended = None if phase is ActionPhase.RUNNING else NOW - 200
    return action(
        ActionType.ENTER_MAINTENANCE, name, phase, created_at=NOW - 290, finished_at=ended, **{**MINE, **fields}
    )


def held(name: str = "node-b", **fields: Any) -> NodeView:
    history = NodeHistory(maintenance=Maintenance(NOW - 200, "ann", "work"))
    return node(name, closed=True, cordoned=True, accepts_vms=False, history=history, **fields)


def given_back(name: str = "node-b") -> NodeView:
    return node(name, history=NodeHistory(maintenance_ended_at=NOW - 60))


def at(actions: tuple[ActionView, ...], a: NodeView | None = None, b: NodeView | None = None) -> tuple[PairView, Stage]:
    view = pair(a, b, VMS, actions=actions)
    return view, stage(view, actions[0], NOW)


def wants(found: Stage) -> tuple[str, ActionType | None, str]:
    return found.step, found.wants, found.node


def test_the_server_with_fewer_vms_is_emptied_first() -> None:
    assert wants(at((upgrade(),))[1]) == ("Empty", ActionType.ENTER_MAINTENANCE, "node-b")


def test_a_child_is_recorded_only_for_the_step_that_is_on_record() -> None:
    intents = plan(at((upgrade("AwaitHealth"),))[0], NOW).intents
    assert [intent for intent in intents if intent.type is ActionType.ENTER_MAINTENANCE] == []
    (wanted,) = plan(at((upgrade("Empty"),))[0], NOW).intents
    assert (wanted.type, wanted.target, wanted.incident) == (ActionType.ENTER_MAINTENANCE, "node-b", "upgrade")


def test_a_server_is_held_until_somebody_says_that_it_is_done() -> None:
    found = at((upgrade(), entered()), b=held())[1]
    assert wants(found) == ("AwaitWord", None, "node-b")
    assert "avance upgrade done node-b" in found.message


@pytest.mark.parametrize(
    ("wanted", "reported", "done"),
    [("*", "v1", False), ("*", "v2", True), ("v2", "v2", True), ("v3", "v2", False), ("*", "", False)],
)
def test_versions_are_a_word_too(wanted: str, reported: str, done: bool) -> None:
    asked = upgrade(upgrade=UpgradeWord((("kubeletVersion", wanted),)), notes=(("node-b/kubeletVersion", "v1"),))
    versions = (("kubeletVersion", reported),) if reported else ()
    found = at((asked, entered()), b=held(versions=versions))[1]
    assert wants(found) == (
        ("Return", ActionType.LEAVE_MAINTENANCE, "node-b") if done else ("AwaitWord", None, "node-b")
    )


def test_a_server_that_is_not_ready_gives_no_word() -> None:
    asked = upgrade(upgrade=UpgradeWord((("kubeletVersion", "v2"),)))
    away = held(versions=(("kubeletVersion", "v2"),), ready="False")
    assert at((asked, entered()), b=away)[1].step == "AwaitWord"


def test_the_other_server_follows_when_the_first_one_was_given_back() -> None:
    assert wants(at((upgrade(), entered()), b=given_back())[1]) == ("Empty", ActionType.ENTER_MAINTENANCE, "node-a")


def test_it_has_succeeded_when_both_were_given_back() -> None:
    found = at((upgrade(), entered(), entered("node-a")), a=given_back("node-a"), b=given_back())[1]
    assert (found.over, found.message) == (ActionPhase.SUCCEEDED, "node-b and node-a were upgraded in turn")


@pytest.mark.parametrize(
    "a",
    [
        node("node-a", cordoned=True),
        node("node-a", faults=(fault("DiskProblem", "sdb"),)),
        node("node-a", ready="False"),
    ],
    ids=["cordoned", "a serious fault", "not Ready"],
)
def test_nothing_is_begun_while_the_pair_is_not_whole(a: NodeView) -> None:
    assert at((upgrade(step=""),), a=a)[1].over is ActionPhase.CANCELLED
    assert wants(at((upgrade(), entered()), a=a, b=given_back())[1])[:2] == ("AwaitHealth", None)


def test_a_child_that_ended_in_vain_stops_it_until_it_is_resumed() -> None:
    tried = entered(phase=ActionPhase.FAILED, result="web could not be moved")
    found = at((upgrade(), tried))[1]
    assert (found.step, found.wants) == ("Stopped", None)
    assert "node-b was not emptied: web could not be moved" in found.message
    resumed = action(ActionType.RESUME_UPGRADE, "pair", created_at=NOW - 10)
    assert wants(at((upgrade(), tried, resumed))[1]) == ("Empty", ActionType.ENTER_MAINTENANCE, "node-b")


def test_a_crash_on_the_way_stops_it() -> None:
    crash = action(ActionType.FENCE, "node-a", created_at=NOW - 100, evidence=evidence(node("node-a")))
    assert at((upgrade(), entered(), crash), b=given_back())[1].step == "Stopped"
    before = replace(crash, created_at=NOW - 400)
    assert at((upgrade(), entered(), before), b=held())[1].step == "AwaitWord"


def test_a_pause_lets_what_is_under_way_come_to_its_end_and_begins_nothing() -> None:
    paused = action(ActionType.PAUSE_UPGRADE, "pair", created_at=NOW - 10, requested_by="ann", message="lunch")
    under_way = entered(phase=ActionPhase.RUNNING)
    assert at((upgrade(), under_way, paused))[1].step == "Empty"
    found = at((upgrade(), entered(), paused), b=given_back())[1]
    assert (found.step, found.wants) == ("Paused", None)
    assert found.message.startswith("paused by ann (lunch)")


def test_an_abort_gives_back_what_is_held_and_ends() -> None:
    abort = action(ActionType.ABORT_UPGRADE, "pair", created_at=NOW - 10, requested_by="ann", message="no time")
    assert wants(at((upgrade(), entered(), abort), b=held())[1]) == ("Abort", ActionType.LEAVE_MAINTENANCE, "node-b")
    found = at((upgrade(), entered(), abort), b=given_back())[1]
    assert (found.over, found.wants) == (ActionPhase.CANCELLED, None)
    assert "aborted by ann: no time" in found.message


def test_an_abort_leaves_a_maintenance_alone_that_is_somebody_elses() -> None:
    abort = action(ActionType.ABORT_UPGRADE, "pair", created_at=NOW - 10)
    found = at((upgrade(), entered(incident="ann's"), abort), b=held())[1]
    assert (found.over, found.wants) == (ActionPhase.CANCELLED, None)


def test_what_makes_no_sense_is_refused() -> None:
    second = replace(upgrade(step=""), name="second")
    assert "is under way for pair pair" in why_not_take_up(second, at((upgrade(),))[0])
    nothing = action(ActionType.ABORT_UPGRADE, "pair", ActionPhase.PENDING)
    assert why_not_take_up(nothing, pair()) == "no rolling upgrade of pair pair is under way"


def test_no_vm_goes_home_while_the_other_server_is_next() -> None:
    back = action(ActionType.LEAVE_MAINTENANCE, "node-b", finished_at=NOW - 1000)
    away = replace(running("mail", "node-a"), preferred_node="node-b")
    view = pair(node("node-a", cordoned=True), given_back(), (away,), actions=(upgrade("AwaitHealth"), entered(), back))
    assert [intent.type for intent in plan(view, NOW).intents] == []
