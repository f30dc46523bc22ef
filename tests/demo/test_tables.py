"""The tables tell what was recorded, and say so when it is not as it must be."""

import pytest

from e2e.demo import tables
from e2e.demo.times import moment
from e2e.demo.world import World
from tests.demo.objects import action, at, instance, ledger, run

EVIDENCE = {"node": "node-b", "kind": "PowerOffConfirmed", "observedAt": at("06.500")}


def after_the_power_cut(first_vm_after: float = 1.5) -> World:
    """Power cut at second 2, suspected at 5, proven off at 6.5."""
    world = World()
    world.mark("power_cut")
    world.deeds["power_cut"] = moment(at("02.000"))
    fence = action("Fence", "node-b", ("Close", "05.000", "05.100"), ("Release", "06.500", "07.000"), evidence=EVIDENCE)
    world.put("AvanceAction", fence)
    for number, vm in enumerate(("till", "cameras")):
        world.put("AvanceAction", action("ColdRestart", vm, ("Boot", "07.000", "09.000")))
        world.put("VirtualMachineInstance", instance(vm, vm, "Scheduled", "node-a"))
        world.first_seen[(vm, "Scheduled")] = moment(EVIDENCE["observedAt"]) + first_vm_after + number
    return world


def test_the_phases_of_a_crash_are_held_against_their_budgets() -> None:
    table = tables.crash_phases(after_the_power_cut(), ledger())
    assert [row[1:] for row in table.rows[:3]] == [
        ("3.0 s", "15 s", "kept"),
        ("1.5 s", "30 s", "kept"),
        ("1.5 s", "10 s", "kept"),
    ]
    assert "till" in table.rows[2][0]
    assert [row[1] for row in table.rows[3:]] == ["2.5 s"]
    assert not table.failures


def test_a_budget_that_is_exceeded_fails() -> None:
    table = tables.crash_phases(after_the_power_cut(first_vm_after=10.4), ledger())
    assert table.rows[2][3] == "EXCEEDED"
    assert table.failures == ["fence evidence to till scheduled on the survivor: 10.4 s, budget 10 s"]


def test_every_action_is_listed_with_its_steps_and_who_asked() -> None:
    world = World()
    world.put("AvanceAction", action("Fence", "node-b", ("Close", "05.000", "05.100"), ("Release", "05.100", "07.600")))
    table = tables.actions(world, ledger())
    assert table.rows == [
        ("00:00:05", "Fence node-b", "ServerCrash", "operator", "Succeeded", "2.6", "Close 0.1  Release 2.5")
    ]
    assert not table.failures


def test_an_action_that_did_not_succeed_fails() -> None:
    world = World()
    world.put("AvanceAction", action("Fence", "node-b", ("Close", "05.000", "05.100"), phase="Cancelled"))
    assert tables.actions(world, ledger()).failures == ["these actions did not succeed: fence-node-b"]


def till(*runs: dict[str, str], violations: tuple[dict[str, str], ...] = ()) -> tables.Table:
    world = World()
    vm = {"metadata": {"name": "till", "uid": "1"}, "status": {"downtime": {"year": 2026, "unplannedSeconds": 9}}}
    world.put("ProtectedVM", vm)
    return tables.downtime(world, ledger(*runs, violations=violations))


def test_downtime_is_the_time_without_a_guest_and_a_live_move_is_none() -> None:
    table = till(
        run("till", "node-a", "01.000", "booted", "10.000", "migrated away"),
        run("till", "node-b", "10.001", "migrated in", "20.000", "crashed"),
        run("till", "node-b", "20.500", "booted", "30.000", "its node lost power"),
        run("till", "node-a", "35.000", "booted"),
        run("files", "node-a", "01.000", "booted"),
    )
    assert table.rows == [("till", "5.5 s", "0.5 s (crashed), 5.0 s (its node lost power)", "1, pause 0.001 s", "9 s")]
    assert not table.failures


def test_a_live_move_that_stops_the_guest_for_long_fails() -> None:
    table = till(
        run("till", "node-a", "01.000", "booted", "10.000", "migrated away"),
        run("till", "node-b", "11.000", "migrated in"),
    )
    assert table.failures == ["till was down for 1.0 s in a live move"]


@pytest.mark.parametrize(
    ("runs", "failure"),
    [
        ([run("till", "node-a", "01.000", "booted", "02.000", "crashed")], "till runs 0 times"),
        ([run("till", "node-a", "01.000", "booted")] * 2, "till runs 2 times"),
    ],
)
def test_each_vm_runs_exactly_once_in_the_end(runs: list[dict[str, str]], failure: str) -> None:
    ended = [each | {"ended": each["ended"] or at("50.000")} for each in runs]
    told = ledger(*ended) | {"running": [each for each in runs if not each["ended"]]}
    world = World()
    world.put("ProtectedVM", {"metadata": {"name": "till", "uid": "1"}})
    assert failure in tables.downtime(world, told).failures


def test_a_vm_that_ran_twice_fails() -> None:
    table = till(run("till", "node-a", "01.000", "booted"), violations=({"name": "till", "cause": "run 2 on node-b"},))
    assert table.failures == ["till ran twice at once: run 2 on node-b"]
