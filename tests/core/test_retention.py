"""What goes from the log: the oldest, and nothing that something still rests on."""

from dataclasses import replace
from typing import Any

from avance.core.channels import MessageSeverity, Notification
from avance.core.intents import fault_incident
from avance.core.model import ActionPhase, ActionType, ActionView, PairView, StepView
from avance.core.policy import PairPolicy
from avance.core.retention import VMS_REMEMBERED, disposable
from tests.core.views import NOW, action, evidence, fault, node, pair, running

DAY = 86400.0
VM = "default/web"


def record(name: str, type_: ActionType = ActionType.RESET_MTBF, target: str = "node-a", **fields: Any) -> ActionView:
    ended = {"incident": name, "finished_at": fields.get("created_at", NOW - DAY), **fields}
    return replace(action(type_, target, **ended), name=name)


def moved(name: str, vm: str, to: str, phase: ActionPhase = ActionPhase.SUCCEEDED, **fields: Any) -> ActionView:
    steps = (StepView("Copy", NOW),)
    return replace(record(name, ActionType.MIGRATE, vm, destination=to, steps=steps, **fields), phase=phase)


def gone(*actions: ActionView, keep: int = 0, days: float = 3650, view: PairView | None = None) -> list[str]:
    policy = PairPolicy(retained_actions=keep, retained_seconds=days * DAY)
    return [one.name for one in disposable(replace(view or pair(), actions=actions, policy=policy), NOW)]


def test_the_oldest_go_when_they_are_too_many() -> None:
    records = [record(f"r{number}", created_at=NOW - 10 + number) for number in range(5)]
    assert gone(*records, keep=5) == []
    assert gone(*records, keep=3) == ["r0", "r1"]


def test_what_is_too_old_goes_however_few_there_are() -> None:
    old, young = record("old", created_at=NOW - 31 * DAY), record("young", created_at=NOW - 29 * DAY)
    assert gone(old, young, keep=500, days=30) == ["old"]


def test_messages_and_edits_are_records_like_others() -> None:
    told = Notification("desk", None, MessageSeverity.INFO, "s", "t", ("crash-1/x",))
    notify = record("n", ActionType.NOTIFY, "pair", notification=told)
    assert gone(notify, record("e", ActionType.EDIT, VM)) == ["n", "e"]
    crash = record("crash-1", ActionType.FENCE)
    assert gone(notify, crash) == [], "people were told of what is still on record"


def test_what_is_under_way_stays_with_its_incident() -> None:
    done = record("done", incident="one")
    under_way = replace(record("open", incident="one"), phase=ActionPhase.RUNNING, finished_at=None)
    assert gone(done, under_way, record("other")) == ["other"]


def test_the_last_proof_of_each_server_stays_also_after_a_later_fence_without_one() -> None:
    proof = evidence(node("node-a"))
    first = record("first", ActionType.FENCE, evidence=proof, created_at=NOW - 9)
    second = record("second", ActionType.FENCE, evidence=proof, created_at=NOW - 5)
    cancelled = replace(record("cancelled", ActionType.FENCE), phase=ActionPhase.CANCELLED)
    assert gone(first, second, cancelled) == ["first"]


def test_the_restarts_of_the_last_crash_stay_for_its_times_are_in_the_status() -> None:
    def crash(number: int) -> tuple[ActionView, ActionView]:
        incident, at = f"crash-{number}", NOW - 100 + number
        return (record(f"fence-{number}", ActionType.FENCE, incident=incident, created_at=at),
                record(f"restart-{number}", ActionType.COLD_RESTART, VM, incident=incident, created_at=at))  # fmt: skip

    assert gone(*crash(1), *crash(2)) == ["fence-1", "restart-1"]


def test_a_part_that_is_broken_was_called_home_for() -> None:
    broken = fault("PowerSupplyProblem", "PSU2")
    view = pair(node("node-a", faults=(broken,)))
    called = record("called", ActionType.CALL_HOME, incident=fault_incident(broken))
    assert gone(called, view=view) == []
    assert gone(called) == ["called"], "mended"


def test_where_a_vm_was_taken_last_is_known_also_when_it_is_deleted() -> None:
    records = (
        moved("first", VM, "node-b"),
        moved("second", VM, "node-b"),
        moved("tried", VM, "node-a", ActionPhase.FAILED),
        moved("tried-again", VM, "node-a", ActionPhase.FAILED),
    )
    assert gone(*records) == ["first", "tried"]
    assert gone(*records, view=pair(vms=(running(),))) == ["first", "tried"]


def test_of_vms_that_are_gone_only_the_latest_are_remembered() -> None:
    many = [moved(f"m{n}", f"default/vm{n}", "node-b", created_at=NOW - 1000 + n) for n in range(VMS_REMEMBERED + 3)]
    assert gone(*many) == ["m0", "m1", "m2"]


def test_a_vm_stays_given_up() -> None:
    assert gone(record("a", ActionType.GIVE_UP, VM), record("b", ActionType.GIVE_UP, VM)) == ["a"]
