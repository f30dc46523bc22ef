"""What must not be begun: a new leader's quiet time, and the storm gate."""

from dataclasses import replace

import pytest

from avance.core.model import ActionType, PairView
from avance.core.plan import plan
from avance.core.restraint import StormRecord, storm, storm_cause, why_not_begin
from avance.core.surroundings import Surroundings
from tests.core.views import NOW, node, pair, reads

DEAD = node(heard_at=NOW - 20, power=reads("Off"))
MUTE = node("node-b", hears_peer=False, peer_unreachable_since=NOW - 10)


def around(view: PairView, **fields: float | None) -> PairView:
    return replace(view, surroundings=Surroundings(**fields))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("view", "cause"),
    [
        (pair(node(heard_at=NOW - 20), node("node-b", heard_at=NOW - 20)), "both servers are silent"),
        (pair(node(heard_at=NOW - 20)), ""),
        (around(pair(), other_nodes=6, silent_nodes=3), "3 of 6 other nodes of the cluster are silent too"),
        (around(pair(), other_nodes=6, silent_nodes=2), ""),
        (around(pair(), other_nodes=1, silent_nodes=1), ""),
        (around(pair(), writes_fail_since=NOW - 5), "does not answer this operator's writes"),
        (around(pair(), writes_fail_since=NOW - 4), ""),
    ],
)
def test_what_a_storm_is(view: PairView, cause: str) -> None:
    found = storm_cause(view, NOW)
    assert cause in found
    assert bool(found) == bool(cause)


def test_in_a_storm_nothing_new_is_begun_but_what_ends_something() -> None:
    stormy = around(pair(DEAD, MUTE), other_nodes=3, silent_nodes=3)
    held = {type_ for type_ in ActionType if why_not_begin(stormy, type_, NOW)}
    assert {ActionType.FENCE, ActionType.MIGRATE, ActionType.REBOOT, ActionType.DECLARE_DOWN} <= held
    free = {ActionType.RESTART, ActionType.START, ActionType.COLD_RESTART, ActionType.REJOIN, ActionType.CALL_HOME}
    assert not free & held
    assert [intent.type for intent in plan(pair(DEAD, MUTE), NOW).intents] == [ActionType.FENCE]
    assert plan(stormy, NOW).intents == ()


def test_the_gate_opens_some_time_after_the_storm() -> None:
    passed = around(pair(DEAD, MUTE), storm_seen_at=NOW - 29)
    held = storm(passed, NOW)
    assert held is not None
    assert held.until == NOW + 1
    later = plan(passed, NOW)
    assert later.intents == ()
    assert later.look_at is not None
    assert later.look_at <= NOW + 1
    assert plan(around(pair(DEAD, MUTE), storm_seen_at=NOW - 30), NOW).intents


def test_a_new_leader_looks_before_it_fences() -> None:
    new = around(pair(DEAD, MUTE), in_charge_since=NOW - 4)
    assert plan(new, NOW).intents == ()
    assert why_not_begin(new, ActionType.MIGRATE, NOW) is None
    assert plan(new, NOW + 1).intents


def test_what_is_remembered_of_a_storm() -> None:
    calm = StormRecord()
    assert calm.after("", NOW) == calm
    raging = calm.after("both are silent", NOW)
    assert raging == StormRecord(True, NOW)
    assert raging.after("", NOW + 40) == StormRecord(False, NOW + 40)
    assert raging.after("", NOW + 40).after("", NOW + 50).seen_at == NOW + 40
    assert StormRecord(raging=True).after("", NOW) == StormRecord(False, NOW)
