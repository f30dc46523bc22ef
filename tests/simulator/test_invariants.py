"""The invariants can fail: each is shown a world in which it is broken."""

from dataclasses import replace

import pytest

from avance.core.effects import (
    CloseNode,
    CreateMigration,
    DeletePod,
    Effect,
    MarkOutOfService,
    PowerOff,
    PowerOn,
    StartVm,
    StopVm,
)
from avance.core.history import Maintenance
from avance.core.intents import Intent
from avance.core.model import ActionType, ActionView
from avance.core.progress import act, succeed
from avance.simulator import invariants
from avance.simulator.events import happen
from avance.simulator.records import Records
from avance.simulator.scenario import parse
from avance.simulator.simulation import Simulation


@pytest.fixture
def sim() -> Simulation:
    begun = parse("t", {"shows": "A test.", "vms": [{"name": "web"}]}).begin()
    begun.step()
    begun.step()
    return begun


def recorded(records: Records, type_: ActionType, target: str, incident: str = "one") -> ActionView:
    name = f"{type_}-{target}"
    records.create(Intent(name, type_, target, "Because", "because", incident), 1.0)
    records.advance(records.get(name), act("PowerOff", "a step"), 2.0)
    return records.get(name)


def broken_by(sim: Simulation, effect: Effect) -> str:
    action = recorded(sim.records, ActionType.FENCE, "node-a")
    assert sim.operator is not None
    assert sim.operator.view is not None
    found = invariants.of_an_effect(sim.world, sim.api, sim.records, sim.operator.view, action, effect)
    return "; ".join(found)


def test_a_second_running_instance_is_seen(sim: Simulation) -> None:
    sim.world.start_guest("default/web", "another", "another", "node-b")
    assert list(invariants.one_running_instance(sim.world)) == ["default/web runs 2 times: on node-a and node-b"]


def test_an_action_without_a_reason_is_seen(sim: Simulation) -> None:
    sim.records.create(Intent("x", ActionType.FENCE, "node-a", "", "", ""), 1.0)
    assert list(invariants.one_reason_for_an_action(sim.records)) == ["action x has no reason"]


def test_two_things_done_to_one_vm_are_seen(sim: Simulation) -> None:
    recorded(sim.records, ActionType.START, "default/web")
    recorded(sim.records, ActionType.STOP, "default/web")
    assert list(invariants.one_action_at_a_time(sim.records)) == ["2 actions are open on default/web"]


def test_both_servers_fenced_is_seen(sim: Simulation) -> None:
    recorded(sim.records, ActionType.FENCE, "node-a")
    recorded(sim.records, ActionType.FENCE, "node-b")
    assert list(invariants.never_both_nodes_fenced(sim.records)) == [
        "incident one fences both servers", "both servers are being fenced",
    ]  # fmt: skip


def test_a_start_without_evidence_is_seen(sim: Simulation) -> None:
    happen(sim, "node-a loses the API")
    happen(sim, "somebody force-deletes the pods of web")
    sim.operator_may_run = False
    sim.kill_operator()
    sim.step()
    for _ in range(4):
        sim.step()
    instance = sim.api.instances["default/web"]
    assert instance.phase.final
    view = parse("t", {"shows": "A view.", "vms": [{"name": "web"}]}).begin()
    view.step()
    view.step()
    assert view.operator is not None
    assert view.operator.view is not None
    start = StartVm("default/web", instance.uid)
    action = recorded(sim.records, ActionType.RESTART, "default/web")
    found = invariants.of_an_effect(sim.world, sim.api, sim.records, view.operator.view, action, start)
    assert list(found) == ["default/web is started although nothing proves that it has ended on node-a"]


def test_giving_up_what_runs_is_seen(sim: Simulation) -> None:
    pod = next(iter(sim.api.pods.values()))
    assert "force-deleted while its guest runs" in broken_by(sim, DeletePod("default", pod.name, pod.uid, "node-a"))
    assert "while guests run on it" in broken_by(sim, MarkOutOfService("node-a"))


def test_fencing_a_server_that_is_heard_is_seen(sim: Simulation) -> None:
    assert "reports PeerUnreachable=False" in broken_by(sim, PowerOff("node-a", "uuid"))


def test_fencing_the_last_server_is_seen(sim: Simulation) -> None:
    sim.world.servers["node-b"].killed_by_us = True
    sim.world.cut_power("node-b")
    assert "node-b is off too, by our own hand" in broken_by(sim, PowerOff("node-a", "uuid"))


def test_a_move_with_the_private_link_down_is_seen(sim: Simulation) -> None:
    happen(sim, "the private link is cut")
    for _ in range(4):
        sim.step()
    assert "private link down" in broken_by(sim, CreateMigration("m", "default/web", "node-b", 30.0))


def test_an_effect_before_its_record_is_seen(sim: Simulation) -> None:
    action = recorded(sim.records, ActionType.STOP, "default/web")
    unwritten = replace(action, current="Later")
    stop = StopVm("default/web", "web")
    assert list(invariants.belongs_to_a_record(sim.records, action, stop)) == []
    assert list(invariants.belongs_to_a_record(sim.records, unwritten, stop))
    assert list(invariants.belongs_to_a_record(sim.records, None, stop))


def test_unrest_and_what_does_not_serve_are_seen(sim: Simulation) -> None:
    assert sim.operator is not None
    assert list(invariants.at_rest(sim.operator, sim.records)) == []
    assert list(invariants.serves_fully(sim.world, sim.api)) == []
    recorded(sim.records, ActionType.STOP, "default/web")
    sim.world.cut_power("node-a")
    sim.api.change(sim.api.nodes, "node-b", closed=True)
    assert list(invariants.at_rest(sim.operator, sim.records)) == ["Stop of default/web is still open: a step"]
    assert list(invariants.serves_fully(sim.world, sim.api)) == ["default/web does not run", "node-b does not serve"]


def test_what_is_begun_during_a_pause_is_seen(sim: Simulation) -> None:
    assert sim.operator is not None
    happen(sim, "the pair is paused until 60 s")
    for _ in range(4):
        sim.step()
    assert list(invariants.pause_wins(sim.operator, sim.records, sim.now)) == []
    sim.records.create(Intent("x", ActionType.MIGRATE, "default/web", "Because", "because", "one"), sim.now)
    found = list(invariants.pause_wins(sim.operator, sim.records, sim.now))
    assert found == ["Migrate of default/web is begun although that is paused"]


def test_too_many_moves_are_seen(sim: Simulation) -> None:
    for number in range(invariants.MOVES_AN_HOUR + 1):
        name = f"move-{number}"
        sim.records.create(Intent(name, ActionType.MIGRATE, "default/web", "Because", "because", name), number * 60.0)
        sim.records.advance(sim.records.get(name), succeed("Copy", "moved"), number * 60.0)
        assert len(list(invariants.moves_are_bounded(sim.records))) == (number == invariants.MOVES_AN_HOUR)


def test_deeds_of_whoever_does_not_lead_are_seen(sim: Simulation) -> None:
    assert sim.operator is not None
    assert list(invariants.only_the_leader_acts(sim.lease, sim.operator, sim.now)) == []
    assert list(invariants.only_the_leader_acts(sim.lease, sim.operator, sim.now + 5.0))
    sim.lease.epoch += 1
    assert list(invariants.only_the_leader_acts(sim.lease, sim.operator, sim.now))


def held(sim: Simulation, node: str) -> None:
    """The records say that people may work on it."""
    history = sim.records.histories[node]
    sim.records.histories[node] = replace(history, maintenance=Maintenance(sim.now, "a person", "new fans"))


def test_a_vm_on_a_server_in_maintenance_is_seen(sim: Simulation) -> None:
    held(sim, "node-b")
    assert list(invariants.nothing_runs_in_maintenance(sim.world, sim.records)) == []
    held(sim, "node-a")
    assert list(invariants.nothing_runs_in_maintenance(sim.world, sim.records)) == [
        "both servers are in maintenance",
        "default/web runs on node-a, which is in maintenance",
    ]


@pytest.mark.parametrize("effect", [PowerOff("node-b", "uuid"), PowerOn("node-b", "uuid")])
def test_switching_a_server_in_maintenance_is_seen(sim: Simulation, effect: Effect) -> None:
    held(sim, "node-b")
    assert "although node-b is in maintenance" in broken_by(sim, effect)


def test_only_a_server_in_maintenance_is_closed_without_an_action(sim: Simulation) -> None:
    closing = CloseNode("node-b")
    assert list(invariants.belongs_to_a_record(sim.records, None, closing)) == [f"{closing} belongs to no action"]
    held(sim, "node-b")
    assert list(invariants.belongs_to_a_record(sim.records, None, closing)) == []
