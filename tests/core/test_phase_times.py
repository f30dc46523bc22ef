"""How long phases took, read off the record, and what is expected of those that were never measured."""

import pytest

from avance.core.model import ActionPhase, ActionType, ActionView, StepView
from avance.core.phase_times import BUDGETS, Phase, estimate, last_crash, measure
from avance.core.resources import Resources
from tests.core.views import GIB, NOW, action, evidence, node, pair, running


def done(type_: ActionType, target: str, ends: float, *steps: tuple[str, float], **fields: object) -> ActionView:
    entered = tuple(StepView(name, NOW + at) for name, at in steps)
    return action(type_, target, steps=entered, finished_at=NOW + ends, **fields)


FENCE = done(
    ActionType.FENCE, "node-a", 9, ("Close", 1), ("PowerOff", 2), ("ConfirmOff", 5), ("Release", 7),
    evidence=evidence(node()),
)  # fmt: skip
RESTART = done(ActionType.COLD_RESTART, "default/web", 12, ("Release", 1), ("WaitTurn", 3), ("Place", 5), ("Start", 6))
MOVE = done(ActionType.MIGRATE, "default/web", 21, ("Move", 0), ("Copy", 1))
REJOIN = done(ActionType.REJOIN, "node-a", 190, ("PowerOn", 0), ("AwaitBoot", 5), ("Stabilise", 105), ("Open", 180))


@pytest.mark.parametrize(
    ("made", "phase", "seconds"),
    [
        (FENCE, Phase.FENCE, 7),
        (FENCE, Phase.POWER_OFF, 3),
        (RESTART, Phase.RELEASE, 3),
        (RESTART, Phase.BOOT, 6),
        (MOVE, Phase.MIGRATION, 20),
        (REJOIN, Phase.SERVER_BOOT, 100),
    ],
)
def test_a_phase_is_measured_from_step_to_step(made: ActionView, phase: Phase, seconds: float) -> None:
    assert {each.phase: each.last for each in measure([made])}[phase] == seconds


@pytest.mark.parametrize("phase", [ActionPhase.FAILED, ActionPhase.CANCELLED, ActionPhase.RUNNING])
def test_what_did_not_succeed_is_no_measurement(phase: ActionPhase) -> None:
    assert measure([done(ActionType.MIGRATE, "default/web", 21, ("Copy", 1), phase=phase)]) == ()


def test_a_server_without_power_needs_no_power_cut() -> None:
    fence = done(
        ActionType.FENCE, "node-a", 3, ("Close", 1), ("ConfirmOff", 1), ("Release", 2), evidence=evidence(node())
    )
    assert [each.phase for each in measure([fence])] == [Phase.FENCE]


def test_the_summary_has_the_last_the_median_and_the_extremes() -> None:
    moves = [done(ActionType.MIGRATE, "default/web", 10 + took, ("Copy", 10)) for took in (4, 2, 9)]
    (time,) = measure(moves)
    assert (time.last, time.shortest, time.median, time.longest, time.samples) == (9, 2, 4, 9, 3)
    assert time.ended_at == NOW + 19


def test_own_measurements_come_first_then_those_of_others_then_the_budget() -> None:
    view = pair(vms=(running("web"), running("db")), actions=(RESTART,))
    assert (estimate(view, Phase.BOOT, "default/web").seconds, estimate(view, Phase.BOOT, "default/db").seconds) == (
        6,
        6,
    )
    never = estimate(view, Phase.FENCE, "node-a")
    assert (never.seconds, never.basis) == (BUDGETS[Phase.FENCE], "budget, never measured")
    assert estimate(view, Phase.BOOT, "default/db").basis == "measured once"


def test_a_migration_takes_as_long_as_its_memory_is_large() -> None:
    large = running("db", needs=Resources(100, 16 * GIB))
    view = pair(vms=(running("web"), large), actions=(MOVE,))
    assert estimate(view, Phase.MIGRATION, "default/web").seconds == 20
    assert estimate(view, Phase.MIGRATION, "default/db").seconds == 80
    unmeasured = pair(vms=(running("web"), large))
    assert estimate(unmeasured, Phase.MIGRATION, "default/db").seconds == 160


def test_the_last_crash_has_the_slowest_vm_of_each_phase_and_nothing_of_other_incidents() -> None:
    slower = done(
        ActionType.COLD_RESTART, "default/db", 40, ("Release", 1), ("WaitTurn", 9), ("Place", 10), ("Start", 12)
    )
    earlier = done(ActionType.FENCE, "node-b", -90, ("Close", -99), ("Release", -95), incident="before")
    lost = done(ActionType.COLD_RESTART, "default/old", 500, ("WaitTurn", 99), ("Start", 100), incident="before")
    assert last_crash([MOVE, REJOIN]) is None
    crash = last_crash([earlier, lost, FENCE, RESTART, slower, MOVE, REJOIN])
    assert crash is not None
    assert (crash.node, crash.incident, crash.ended_at) == ("node-a", FENCE.incident, NOW + 40)
    assert dict(crash.phases) == {Phase.FENCE: 7, Phase.POWER_OFF: 3, Phase.RELEASE: 9, Phase.BOOT: 28}
