"""Names of incidents and actions: one for each thing that happens, and such as the API server takes."""

import re
from dataclasses import replace

import pytest

from avance.core.intents import Intent, intent
from avance.core.model import ActionPhase, ActionType, ActionView, PairView
from avance.core.plan import plan
from tests.core.views import NOW, action, fault, node, pair, running

LABEL_VALUE = re.compile(r"[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?")
LONG = "server-01.branch-office-12.shops-of-the-north.retail.example-company.internal"


def start(view: PairView) -> Intent:
    return intent(view, ActionType.START, "default/web", reason="ShallRun", message="again", incident="start-web")


def recorded(of: Intent) -> ActionView:
    return replace(
        action(of.type, of.target, ActionPhase.FAILED, incident=of.incident, finished_at=NOW - 100), name=of.name
    )


@pytest.mark.parametrize("pruned", [0, 1, 2, 3])
def test_a_new_try_never_takes_the_name_of_one_on_record_whatever_was_pruned(pruned: int) -> None:
    records: tuple[ActionView, ...] = ()
    for _ in range(3):
        records += (recorded(start(pair(actions=records))),)
    kept = records[pruned:]
    assert start(pair(actions=kept)).name not in [record.name for record in kept]


def test_the_order_of_records_of_one_second_does_not_matter() -> None:
    first = recorded(start(pair()))
    second = recorded(start(pair(actions=(first,))))
    assert start(pair(actions=(first, second))).name == start(pair(actions=(second, first))).name


@pytest.mark.parametrize("name", ["node-a", LONG, f"{'a' * 57}.b", f"{'a' * 60}.{'b' * 60}.{'c' * 60}"])
def test_whatever_a_node_is_called_its_fence_and_its_calls_home_can_be_written(name: str) -> None:
    broken = replace(fault("FanProblem", "FAN1"), node=name, condition="example.com/fan")
    dead = replace(node("node-a", heard_at=NOW - 60, faults=(broken,)), name=name)
    survivor = node("node-b", peer_unreachable_since=NOW - 30, hears_peer=False)
    intents = plan(pair(dead, survivor, vms=(running(on=name),)), NOW).intents
    assert {each.type for each in intents} >= {ActionType.FENCE, ActionType.CALL_HOME}
    for each in intents:
        assert LABEL_VALUE.fullmatch(each.name)
        assert LABEL_VALUE.fullmatch(each.incident)
        assert re.fullmatch("[A-Z][A-Za-z0-9]{0,63}", each.reason)


def test_two_servers_whose_long_names_begin_alike_have_incidents_of_their_own() -> None:
    incidents = set()
    for name in (f"{LONG}.a", f"{LONG}.b"):
        dead = replace(node("node-a", heard_at=NOW - 60), name=name)
        survivor = node("node-b", peer_unreachable_since=NOW - 30, hears_peer=False)
        incidents |= {each.incident for each in plan(pair(dead, survivor), NOW).intents}
    assert len(incidents) == 2
