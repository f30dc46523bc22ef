"""Who is started before whom: tiers, dependencies, circles, and gates that always open."""

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from avance.core.guest import GuestSigns, HealthCheck
from avance.core.model import (
    ActionPhase,
    ActionType,
    ActionView,
    InstanceView,
    RestartPriority,
    StepView,
    VmPhase,
    VmView,
)
from avance.core.order import UNTIL_ITS_TURN, ahead_of, in_order, tiers, why_disordered
from avance.core.policy import Pause
from tests.core.views import NOW, action, pair, running

GATE = pair().policy.restart.ready_gate_seconds


def down(name: str, **fields: Any) -> VmView:
    return replace(running(name), instance=None, **fields)


def starting(name: str, *steps: tuple[str, float]) -> ActionView:
    """Its Start at the last of these steps, each entered so many seconds ago."""
    made = action(ActionType.START, f"default/{name}", ActionPhase.RUNNING, created_at=NOW - 500)
    views = tuple(StepView(step, NOW - ago) for step, ago in steps)
    return replace(made, steps=views, current=steps[-1][0] if steps else "")


def waits(vm: VmView, *others: VmView, actions: tuple[ActionView, ...] = ()) -> dict[str, float]:
    view = pair(vms=(vm, *others), actions=actions)
    return {other.name: until for other, until in ahead_of(view, vm, NOW - 1, NOW)}


def test_a_dependency_is_waited_for_until_it_is_ready() -> None:
    web = down("web", depends_on=("db",))
    assert waits(web, down("db"), actions=(starting("db", ("Boot", 5)),)) == {"db": NOW - 5 + GATE}
    assert waits(web, running("db")) == {}


def test_with_a_health_check_ready_means_that_the_guest_answers() -> None:
    web, check = down("web", depends_on=("db",)), HealthCheck()
    booting = InstanceView("db-2", VmPhase.RUNNING, "node-a", ready=True, signs=GuestSigns(agent_gone=True))
    assert waits(web, running("db", instance=booting, health_check=check)) == {"db": NOW - 1 + GATE}
    answers = replace(booting, signs=GuestSigns(answers=True))
    assert waits(web, running("db", instance=answers, health_check=check)) == {}


def test_a_dependency_that_is_not_to_come_is_not_waited_for() -> None:
    web = down("web", depends_on=("db",))
    assert waits(web, down("db", should_run=False)) == {}
    assert waits(web, down("db", pause=Pause(NOW + 60, "work"))) == {}
    paused = InstanceView("db-1", VmPhase.RUNNING, "node-a", ready=False, paused=True)
    assert waits(web, running("db", instance=paused)) == {}
    assert waits(web) == {}


def test_whose_turn_has_not_come_is_waited_for_without_a_limit_and_who_comes_up_with_one() -> None:
    low, high = down("low", priority=RestartPriority.LOW), down("high", priority=RestartPriority.HIGH)
    assert waits(low, high, actions=(starting("high", ("WaitTurn", 300)),)) == {"high": UNTIL_ITS_TURN}
    coming = starting("high", ("WaitTurn", 300), ("Place", 30), ("Start", 20), ("Boot", 10))
    assert waits(low, high, actions=(coming,)) == {"high": NOW - 30 + GATE}
    assert waits(high, low, actions=(starting("low", ("Boot", 5)),)) == {}
    assert waits(low, high) == {}, "nobody starts it, and nothing of the low one depends on it"


def test_a_dependency_is_raised_into_the_tier_of_what_depends_on_it() -> None:
    web = down("web", priority=RestartPriority.HIGH, depends_on=("db",))
    db, disk = (
        down("db", priority=RestartPriority.LOW, depends_on=("disk",)),
        down("disk", priority=RestartPriority.LOW),
    )
    view = pair(vms=(web, db, disk, down("mail")))
    assert {tiers(view)[f"default/{name}"] for name in ("web", "db", "disk")} == {RestartPriority.HIGH}
    assert [vm.name for vm in in_order(view)] == ["disk", "db", "web", "mail"]


def test_a_circle_is_told_and_holds_nobody_up() -> None:
    egg, hen = down("egg", depends_on=("hen",)), down("hen", depends_on=("egg",))
    chick = down("chick", depends_on=("hen",))
    view = pair(vms=(egg, hen, chick))
    assert why_disordered(view, egg)[0] == "DependencyCycle"
    assert "egg, hen depend on each other in a circle" in why_disordered(view, hen)[1]
    assert why_disordered(view, chick) == ("", "")
    assert waits(egg, hen, chick) == {}
    assert waits(chick, egg, hen).keys() == {"hen"}


def test_a_missing_dependency_is_told() -> None:
    web = down("web", depends_on=("ghost",))
    assert why_disordered(pair(vms=(web,)), web)[0] == "DependencyMissing"


NAMES = ("a", "b", "c", "d", "e")
_names = st.lists(st.sampled_from(NAMES), max_size=3, unique=True).map(tuple)
_vms = st.tuples(*(st.builds(down, st.just(name), depends_on=_names, priority=st.sampled_from(RestartPriority))
                   for name in NAMES))  # fmt: skip


@given(_vms)
def test_whatever_depends_on_whatever_somebody_is_always_first(vms: tuple[VmView, ...]) -> None:
    """All wait for their turn at once: a deadlock would be a state in which each of them waits for another one."""
    actions = tuple(starting(vm.name, ("WaitTurn", 1)) for vm in vms)
    left = list(vms)
    while left:
        view = pair(vms=(*left, *(running(vm.name) for vm in vms if vm not in left)), actions=actions)
        free = [vm for vm in left if not any(ahead_of(view, vm, NOW, NOW))]
        assert free, f"{[vm.name for vm in left]} wait for each other"
        left = [vm for vm in left if vm not in free]
        actions = tuple(made for made in actions if made.target in {vm.key for vm in left})
