"""From conditions to faults, and from faults to a score that explains itself."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avance.core.components import COMPONENT_CLASSES, CONDITION_KINDS, ComponentClass, ComponentKind, Severity
from avance.core.faults import NodeCondition, active_faults
from avance.core.health import BEST, score
from avance.core.policy import HealthPolicy
from tests.core.views import NOW, fault


def condition(type_: str = "PowerSupplyProblem", message: str = "", status: str = "True") -> NodeCondition:
    return NodeCondition(type_, status, since=NOW - 5, observed_at=NOW, message=message)


@pytest.mark.parametrize(
    ("message", "parts"),
    [
        ("", [("", "", "", "")]),
        ("the supply hums", [("", "", "", "the supply hums")]),
        ("component=PSU2", [("PSU2", "", "", "component=PSU2")]),
        (
            "component=PSU2 state=failed part=PWS-1K serial=S123 detail=no AC input",
            [("PSU2", "PWS-1K", "S123", "no AC input")],
        ),
        ("detail=no AC; component=X hums", [("", "", "", "no AC"), ("X", "", "", "component=X hums")]),
        (
            "component=PSU1 detail=a; b; component=PSU2 serial=7 detail=c",
            [("PSU1", "", "", "a; b"), ("PSU2", "", "7", "c")],
        ),
        ("component=PSU2 detail=part=fake serial=fake", [("PSU2", "", "", "part=fake serial=fake")]),
        ("component=PSU1;component=PSU2", [("PSU1", "", "", "component=PSU1"), ("PSU2", "", "", "component=PSU2")]),
    ],
)  # fmt: skip
def test_a_message_names_components(message: str, parts: list[tuple[str, str, str, str]]) -> None:
    faults = active_faults("node-a", [condition(message=message)], HealthPolicy())
    assert [(f.component, f.part, f.serial, f.message) for f in faults] == parts


@pytest.mark.parametrize("status", ["False", "Unknown", "", "true"])
def test_only_true_is_a_fault(status: str) -> None:
    assert active_faults("node-a", [condition(status=status)], HealthPolicy()) == ()


@pytest.mark.parametrize("type_", ["Ready", "MemoryPressure", "PeerUnreachable", "SomethingElse"])
def test_conditions_that_are_not_mapped_are_no_faults(type_: str) -> None:
    assert active_faults("node-a", [condition(type_)], HealthPolicy()) == ()


@pytest.mark.parametrize(("type_", "kind"), CONDITION_KINDS.items())
def test_every_mapped_condition_is_a_fault_of_its_kind(type_: str, kind: ComponentKind) -> None:
    (only,) = active_faults("node-a", [condition(type_, "component=X")], HealthPolicy())
    its = COMPONENT_CLASSES[kind]
    assert (only.kind, only.severity, only.weight, only.spare_part) == (kind, its.severity, its.weight, its.spare_part)
    assert only.sentence == f"{its.noun} X of node-a failed"


def test_the_gravest_fault_stands_first() -> None:
    conditions = [condition("FanProblem"), condition("DiskProblem"), condition("PowerSupplyProblem")]
    faults = active_faults("node-a", conditions, HealthPolicy())
    assert [f.kind for f in faults] == [ComponentKind.DISK, ComponentKind.POWER_SUPPLY, ComponentKind.FAN]


def test_a_pair_can_map_a_condition_of_its_own_and_weigh_another_one_differently() -> None:
    own = ComponentClass("coffee machine", Severity.BENIGN, 3, spare_part=False)
    policy = HealthPolicy(
        conditions=CONDITION_KINDS | {"CoffeeProblem": ComponentKind.TEMPERATURE},
        condition_classes={"CoffeeProblem": own},
    )
    (coffee,) = active_faults("node-a", [condition("CoffeeProblem")], policy)
    assert (coffee.weight, coffee.sentence) == (3, "coffee machine of node-a failed")
    with pytest.raises(KeyError):
        policy.class_of("NotMapped")


@pytest.mark.parametrize(
    ("faults", "value", "words"),
    [
        ([], 100, "100: no fault"),
        (
            [fault("PowerSupplyProblem", "PSU2")],
            92,
            "92 = 100 - 8 (power supply PSU2 of node-a failed)",
        ),
        (
            [fault("DiskProblem", "sdb"), fault("FanProblem")],
            54,
            "54 = 100 - 40 (disk sdb of node-a failed) - 6 (fan of node-a failed)",
        ),
        ([fault("PrivateLinkProblem", "private-link")], 100, "100: no fault"),
        ([fault("KernelDeadlock"), fault("DiskProblem"), fault("CPUProblem")], 0, None),
    ],
    ids=["sound", "one", "two", "weighs nothing", "never below 0"],
)
def test_the_score_explains_itself(faults: list, value: int, words: str | None) -> None:
    result = score(faults)
    assert result.value == value
    assert words is None or result.explanation == words


FAULTS = st.lists(
    st.builds(
        lambda type_, component, weight: replace(fault(type_, component), weight=weight),
        st.sampled_from(sorted(CONDITION_KINDS)),
        st.text("abc123", max_size=4),
        st.integers(0, 100),
    ),
    max_size=6,
)


@given(FAULTS)
def test_a_score_is_between_0_and_100_and_its_arithmetic_is_right(faults: list) -> None:
    result = score(faults)
    assert 0 <= result.value <= BEST
    assert result.value == max(0, BEST - sum(each.weight for each in faults))
    assert result.explanation.startswith(f"{result.value} = ") or result.value == BEST


@given(FAULTS, FAULTS)
def test_one_more_fault_never_makes_a_node_healthier(some: list, more: list) -> None:
    assert score(some + more).value <= score(some).value


@given(st.text(), st.sampled_from(["True", "False", "Unknown", "?"]))
def test_no_message_breaks_the_parser_and_a_problem_is_at_least_one_fault(message: str, status: str) -> None:
    faults = active_faults("node-a", [condition(message=message, status=status)], HealthPolicy())
    assert bool(faults) == (status == "True")
    assert all(" " not in each.component for each in faults)
