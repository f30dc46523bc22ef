"""What is remembered of a node's faults, and when a component is trusted no more."""

from dataclasses import replace
from typing import Any

import pytest

from avance.core.components import ComponentKind
from avance.core.history import ComponentHistory, NodeHistory, Occurrence
from avance.core.intents import SERVER_CRASH, failed_reason, fault_incident
from avance.core.model import ActionType, NodeView, PairView
from avance.core.mtbf import at_risk_until, below_threshold, mean_seconds, quiet_at
from avance.core.policy import HealthPolicy, MtbfPolicy, PairPolicy, RebootPolicy
from avance.core.remember import FAULTS_KEPT, remember
from tests.core.views import NOW, action, evidence, fault, node, pair

POLICY = MtbfPolicy(threshold_seconds=1000, minimum_faults=3, window_seconds=10_000)
NIC = "PublicNetworkProblem"


def failed_at(*times: float) -> ComponentHistory:
    faults = tuple(Occurrence(NIC, at, at, until=at + 1) for at in times)
    return ComponentHistory(ComponentKind.PUBLIC_NETWORK, "bond0", faults)


def looked_at(view: PairView, now: float = NOW) -> NodeView:
    """node-a after another look, with what the earlier ones left in its history."""
    return remember(view, now).nodes[0]


def nic(since: float, **fields: Any) -> NodeView:
    return node("node-a", faults=(fault(NIC, "bond0", since=since),), **fields)


def test_the_mean_is_that_of_the_times_between_faults() -> None:
    assert mean_seconds(failed_at(NOW), POLICY) is None
    assert mean_seconds(failed_at(NOW, NOW + 100, NOW + 400), POLICY) == 200


def test_faults_before_the_window_do_not_count() -> None:
    assert mean_seconds(failed_at(NOW, NOW + 20_000, NOW + 20_100), POLICY) == 100


@pytest.mark.parametrize(
    ("times", "below"),
    [((0, 1), False), ((0, 999, 1998), True), ((0, 1000, 2000), False)],
    ids=["too few", "below", "at the threshold"],
)
def test_below_the_threshold(times: tuple[float, ...], below: bool) -> None:
    assert below_threshold(failed_at(*(NOW + at for at in times)), POLICY) is below


def test_never_trusts_nothing_and_always_everything() -> None:
    assert below_threshold(failed_at(NOW), replace(POLICY, policy=RebootPolicy.NEVER))
    assert not below_threshold(failed_at(NOW, NOW + 1, NOW + 2), replace(POLICY, policy=RebootPolicy.ALWAYS))


def test_one_more_fault_before_the_time_at_risk_is_below_the_threshold_and_one_after_is_not() -> None:
    until = at_risk_until(failed_at(NOW, NOW + 100), POLICY)
    assert until is not None
    assert below_threshold(failed_at(NOW, NOW + 100, until - 1), POLICY)
    assert not below_threshold(failed_at(NOW, NOW + 100, until), POLICY)


def test_it_flaps_until_it_has_been_quiet_for_as_long_as_the_window() -> None:
    policy = HealthPolicy(flap_faults=3, flap_window_seconds=100)
    assert quiet_at(failed_at(NOW, NOW + 50, NOW + 101), policy, NOW + 102) is None
    flapping = failed_at(NOW, NOW + 50, NOW + 100)
    assert quiet_at(flapping, policy, NOW + 102) == NOW + 201
    assert quiet_at(flapping, policy, NOW + 201) is None


def test_reading_a_fault_again_counts_once_and_its_end_is_noted() -> None:
    seen = looked_at(pair(nic(NOW - 10)))
    again = looked_at(pair(nic(NOW - 10, history=seen.history)), NOW + 5)
    assert again.history == seen.history
    [component] = looked_at(pair(node("node-a", history=again.history)), NOW + 9).history.components
    assert [occurrence.until for occurrence in component.faults] == [NOW + 9]


def test_a_detector_that_starts_anew_and_moves_the_time_of_a_fault_counts_none() -> None:
    seen = looked_at(pair(nic(NOW - 500)), NOW - 490)
    moved = looked_at(pair(nic(NOW - 10, history=seen.history)))
    assert moved.history == seen.history
    assert fault_incident(moved.faults[0]) == fault_incident(seen.faults[0])


def test_a_detector_that_can_tell_nothing_for_a_while_ends_no_fault() -> None:
    seen = looked_at(pair(nic(NOW - 500)))
    unknown = looked_at(pair(node("node-a", history=seen.history, untold=frozenset({NIC}))), NOW + 1)
    assert unknown.history == seen.history
    again = looked_at(pair(nic(NOW + 2, history=unknown.history)), NOW + 3)
    assert again.history == seen.history
    gone = looked_at(pair(node("node-a", history=again.history)), NOW + 4)
    [component] = looked_at(pair(nic(NOW + 5, history=gone.history)), NOW + 6).history.components
    assert len(component.faults) == 2


def test_what_is_declared_failed_keeps_its_weight_though_nobody_reports_it() -> None:
    policy = PairPolicy(mtbf=replace(POLICY, minimum_faults=2))
    seen = looked_at(pair(nic(NOW - 500), policy=policy))
    seen = looked_at(pair(node("node-a", history=seen.history), policy=policy))
    seen = looked_at(pair(nic(NOW - 10, history=seen.history), policy=policy))
    [held] = looked_at(pair(node("node-a", history=seen.history), policy=policy)).faults
    assert (held.sentence, held.weight) == ("public network interface bond0 of node-a is declared failed", 40)


def test_a_private_link_that_one_end_alone_reports_is_not_recorded() -> None:
    one_end = node("node-a", faults=(fault("PrivateLinkProblem"),))
    assert looked_at(pair(one_end)).history.components == ()
    other_end = node("node-b", faults=(fault("PrivateLinkProblem", on="node-b"),))
    [component] = looked_at(pair(one_end, other_end)).history.components
    assert component.kind is ComponentKind.PRIVATE_LINK


def test_a_crash_counts_from_its_proof_on_and_a_fence_that_a_person_asks_for_does_not() -> None:
    proof = evidence(node("node-a"))
    crash = action(ActionType.FENCE, "node-a", reason=SERVER_CRASH)
    assert looked_at(pair(actions=(crash,))).history.components == ()
    [component] = looked_at(pair(actions=(replace(crash, evidence=proof),))).history.components
    assert component.kind is ComponentKind.SERVER
    asked = replace(crash, evidence=proof, reason="Requested")
    assert looked_at(pair(actions=(asked,))).history.components == ()


def test_the_record_is_bounded_and_what_is_there_now_is_kept() -> None:
    old = tuple(Occurrence("OtherProblem", at, NOW + at, until=NOW + at) for at in range(1, FAULTS_KEPT + 9))
    history = NodeHistory((ComponentHistory(ComponentKind.PUBLIC_NETWORK, "bond0", old),))
    [component] = looked_at(pair(nic(NOW - 10, history=history)), NOW + 99).history.components
    assert FAULTS_KEPT <= len(component.faults) <= FAULTS_KEPT + 1
    assert component.faults[0].until is None


def declared(**fields: Any) -> NodeView:
    """node-a, declared down for its network interface a while ago, with the fault still there."""
    its = fault(NIC, "bond0")
    down = action(
        ActionType.DECLARE_DOWN,
        "node-a",
        reason=failed_reason(its.kind),
        incident=fault_incident(its),
        finished_at=NOW,
    )
    return looked_at(pair(node("node-a", faults=(its,), **fields), actions=(down,)), NOW + 1)


def test_declared_down_outlives_the_record_of_its_action_and_the_fault() -> None:
    seen = declared()
    later = looked_at(pair(node("node-a", history=seen.history)), NOW + 1000)
    assert later.history.declared_down == seen.history.declared_down
    assert later.history.declared_down is not None
    assert later.history.declared_down.component == "bond0"


def test_a_reset_ends_it_and_the_same_fault_does_not_count_again() -> None:
    reset = action(ActionType.RESET_MTBF, "node-a", finished_at=NOW + 10)
    seen = looked_at(pair(nic(NOW - 10, history=declared().history), actions=(reset,)), NOW + 11)
    assert seen.history.declared_down is None
    assert [component.counted for component in seen.history.components] == [()]
    assert [fault.held for fault in seen.faults] == [""]
