"""Nothing new is begun during a pause or in mode Observe; what runs is followed, and taken back where that is safe."""

from dataclasses import replace
from typing import Any

import pytest

from avance.core.effects import DeleteMigration, OpenNode
from avance.core.model import ActionPhase, ActionType, ActionView, MigrationView, PairView, StepView
from avance.core.plan import Plan, plan
from avance.core.policy import Mode, PairPolicy, Pause
from avance.core.report import report
from tests.core.views import NOW, action, fault, node, pair, reads, running

PAUSE = Pause(NOW + 60, "the electrician is here")
PAUSED = PairPolicy(pause=PAUSE)
OBSERVING = PairPolicy(mode=Mode.OBSERVE)
STILL = pytest.mark.parametrize("policy", [PAUSED, OBSERVING], ids=["paused", "observing"])


def weak(policy: PairPolicy, **fields: Any) -> PairView:
    """VMs on a server that is the weaker one."""
    broken = node("node-a", faults=(fault("PowerSupplyProblem", "PSU2"),))
    return pair(broken, vms=(running(**fields),), policy=policy)


def begun(type_: ActionType, target: str, step: str, **fields: Any) -> ActionView:
    steps = (StepView(step, NOW - 5),)
    return action(type_, target, ActionPhase.RUNNING, current=step, steps=steps, **fields)


def moving(phase: str | None, policy: PairPolicy) -> PairView:
    """A VM with a recorded move, and its migration in a phase; None: not made yet."""
    move = begun(ActionType.MIGRATE, "default/web", "Move" if phase is None else "Copy", destination="node-b",
                 instance_uid="web-1")  # fmt: skip
    migrations = (MigrationView(move.name, phase),) if phase is not None else ()
    return replace(weak(policy, migrations=migrations), actions=(move,))


def only_step(decided: Plan) -> Any:
    [(_, progress)] = decided.progress
    return progress


@STILL
def test_nothing_is_begun_and_what_would_be_is_told(policy: PairPolicy) -> None:
    decided = plan(weak(policy), NOW)
    assert ActionType.MIGRATE not in {intent.type for intent in decided.intents}
    assert not decided.upkeep
    assert any(sentence.startswith("Migrate default/web: power supply PSU2") for sentence in decided.would)


def test_reports_go_on_during_a_pause_and_not_in_observe() -> None:
    assert [intent.type for intent in plan(weak(PAUSED), NOW).intents] == [ActionType.CALL_HOME]
    assert not plan(weak(OBSERVING), NOW).intents


def test_a_pause_ends_by_itself_and_wakes_the_loop() -> None:
    soon, over = (PairPolicy(pause=Pause(NOW + wait, "short")) for wait in (1, 0))
    before, after = plan(weak(soon), NOW), plan(weak(over), NOW)
    assert before.look_at == NOW + 1
    assert ActionType.MIGRATE in {intent.type for intent in after.intents}
    assert not after.would


@STILL
def test_what_has_not_begun_is_refused(policy: PairPolicy) -> None:
    asked = action(ActionType.RESTART, "default/web", ActionPhase.PENDING)
    progress = only_step(plan(replace(weak(policy), actions=(asked,)), NOW))
    assert progress.outcome is ActionPhase.CANCELLED
    assert "ask again" in progress.message


@STILL
def test_an_effect_is_held_at_its_step(policy: PairPolicy) -> None:
    dead = node("node-a", heard_at=NOW - 60, closed=True, cordoned=True, accepts_vms=False, power=reads("On"))
    survivor = node("node-b", hears_peer=False, peer_unreachable_since=NOW - 50)
    fence = begun(ActionType.FENCE, "node-a", "Close")
    progress = only_step(plan(pair(dead, survivor, actions=(fence,), policy=policy), NOW))
    assert (progress.step, progress.effects, progress.outcome) == ("Close", (), None)
    assert progress.message.startswith("held, because")
    assert "cutting its power" in progress.message


def test_taking_back_passes_in_a_pause_and_is_held_in_observe() -> None:
    alive = node("node-a", closed=True, cordoned=True)
    fence = begun(ActionType.FENCE, "node-a", "Close")
    assert only_step(plan(pair(alive, actions=(fence,), policy=PAUSED), NOW)).effects == (OpenNode("node-a"),)
    assert only_step(plan(pair(alive, actions=(fence,), policy=OBSERVING), NOW)).effects == ()


@pytest.mark.parametrize("phase", ["", "Pending", "Scheduling"])
def test_a_move_that_copies_nothing_yet_is_withdrawn_in_a_pause(phase: str) -> None:
    view = moving(phase, PAUSED)
    [move] = view.actions
    assert only_step(plan(view, NOW)).effects == (DeleteMigration(move.name, "default/web"),)
    assert only_step(plan(moving(None, PAUSED), NOW)).outcome is ActionPhase.CANCELLED


def test_a_move_that_copies_is_followed() -> None:
    progress = only_step(plan(moving("Running", PAUSED), NOW))
    assert (progress.step, progress.effects, progress.outcome) == ("Copy", (), None)


def test_one_vm_can_be_paused_alone() -> None:
    view = weak(PairPolicy(), pause=PAUSE)
    view = replace(view, vms=(*view.vms, running("db")))
    assert [i.target for i in plan(view, NOW).intents if i.type is ActionType.MIGRATE] == ["default/db"]


def test_a_pause_is_told_loudly() -> None:
    told = report(weak(PAUSED), NOW)
    conditions = {condition.type: condition for condition in told.conditions}
    assert conditions["Paused"].holds is True
    assert "until 1970-01-12 13:47:40 UTC: the electrician is here" in conditions["Paused"].message
    assert conditions["FailoverReady"].message.startswith("unprotected, because pair pair is paused until")
    [vm] = told.vms
    protected = next(condition for condition in vm.conditions if condition.type == "Protected")
    assert (protected.holds, protected.reason) == (False, "Paused")


def test_mode_observe_is_told() -> None:
    conditions = {condition.type: condition for condition in report(weak(OBSERVING), NOW).conditions}
    assert conditions["Observing"].holds is True
    assert conditions["FailoverReady"].reason == "ModeObserve"
    assert conditions["Paused"].holds is False


def test_a_paused_guest_is_not_moved_and_its_queued_move_is_withdrawn() -> None:
    view = moving("Scheduling", PairPolicy())
    [vm], [move] = view.vms, view.actions
    assert vm.instance is not None
    view = replace(view, vms=(replace(vm, instance=replace(vm.instance, paused=True)),))
    assert only_step(plan(view, NOW)).effects == (DeleteMigration(move.name, "default/web"),)
    assert not [i for i in plan(replace(view, actions=()), NOW).intents if i.type is ActionType.MIGRATE]
