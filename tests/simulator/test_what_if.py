"""A real pair, played forward: the simulated one begins as the real one is seen, and ends as the rules say."""

import json
from dataclasses import replace

import pytest

from avance.core.components import ComponentKind
from avance.core.health import score
from avance.core.history import Maintenance, NodeHistory
from avance.core.intents import crash_incident
from avance.core.kubevirt_health import KubeVirtHealth
from avance.core.model import ActionPhase, ActionType, PairView, RestartPriority, StepView
from avance.core.phase_times import BUDGETS, Phase, measure
from avance.core.policy import Mode, PairPolicy, Pause
from avance.core.resources import Resources
from avance.core.standstill import standstill
from avance.core.surroundings import Surroundings
from avance.core.what_if import blockers
from avance.simulator.answer import as_json, as_text
from avance.simulator.from_view import simulation_of
from avance.simulator.what_if import Answer, Deed, Question, ask
from tests.core.views import GIB, NOW, action, evidence, fault, launcher, node, pair, reads, running

A, B = node("node-a", power=reads("On")), node("node-b", power=reads("On", "node-b"))
DB, WEB = running("db", priority=RestartPriority.HIGH), running("web", priority=RestartPriority.LOW)
LOCAL = replace(WEB.instance, migratable=False, not_migratable_because="a disk is local")  # type: ignore[type-var]
CRASH = Question(Deed.CRASH, "node-a")


def whole(a: object = A, b: object = B, **fields: object) -> PairView:
    vms = (WEB, DB)
    return replace(pair(a, b, vms, tuple(launcher(vm, on=vm.node) for vm in vms)), **fields)  # type: ignore[arg-type]


def done(answer: Answer) -> list[tuple[str, str]]:
    return [(one.type, one.target) for one in answer.actions]


@pytest.mark.parametrize(
    "view",
    [
        whole(),
        whole(replace(A, faults=(fault("PowerSupplyProblem", "PSU2", part="750W"), fault("FanProblem")))),
        whole(replace(A, cordoned=True)),
        whole(replace(A, hears_peer=None)),
        whole(b=replace(B, power=None, fence_agent=False)),
    ],
    ids=["whole", "faults", "cordon", "no detector", "no fence agent"],
)
def test_the_simulated_pair_looks_as_the_real_one_did(view: PairView) -> None:
    sim = simulation_of(view, NOW)
    while sim.elapsed < 15:
        sim.step()
    assert sim.operator is not None
    assert sim.operator.view is not None
    for seen, real in zip(sim.operator.view.nodes, view.nodes, strict=True):
        assert score(seen.faults) == score(real.faults)
        assert [(each.component, each.part, each.since) for each in seen.faults] == [
            (each.component, each.part, each.since) for each in real.faults
        ]
        for field in ("name", "system_uuid", "cordoned", "closed", "fence_agent", "hears_peer", "ready", "allocatable"):
            assert getattr(seen, field) == getattr(real, field)


def test_a_crash_is_told_in_its_order_and_with_what_it_costs() -> None:
    answer = ask(whole(), CRASH, NOW)
    assert answer.blockers == ()
    assert done(answer) == [
        ("Fence", "node-a"),
        ("ColdRestart", "default/db"),
        ("ColdRestart", "default/web"),
        ("Rejoin", "node-a"),
    ]
    down = {vm.key: vm.down_seconds for vm in answer.vms}
    at_least = 10 + BUDGETS[Phase.POWER_OFF] + BUDGETS[Phase.BOOT]
    assert at_least < down["default/db"] < down["default/web"]
    assert {(vm.before, vm.after) for vm in answer.vms} == {("node-a", "node-b")}
    assert answer.at_rest


def test_times_are_those_that_were_measured_on_the_pair() -> None:
    """What the simulation then takes for each phase is what it was told to take, within a second."""
    fence = action(
        ActionType.FENCE, "node-a", created_at=NOW - 900, finished_at=NOW - 880,
        steps=(StepView("PowerOff", NOW - 899), StepView("ConfirmOff", NOW - 891), StepView("Release", NOW - 889)),
        evidence=evidence(A, heartbeat="another"),
    )  # fmt: skip
    restart = action(
        ActionType.COLD_RESTART, "default/db", finished_at=NOW - 800, steps=(StepView("Start", NOW - 816),)
    )
    told = {each.phase: each.last for each in measure([fence, restart])}
    sim = simulation_of(whole(actions=(fence, restart)), NOW)
    while sim.elapsed < 31:
        sim.step()
    sim.world.hang("node-a")
    while sim.elapsed < 120:
        sim.step()
    taken = {
        each.phase: each.last for each in measure(action for action in sim.records.all() if action.created_at > NOW)
    }
    for phase in (Phase.POWER_OFF, Phase.BOOT):
        assert taken[phase] == pytest.approx(told[phase], abs=1)


def test_a_part_that_fails_moves_every_vm_away() -> None:
    answer = ask(whole(), Question(Deed.FAIL, "node-a", ComponentKind.POWER_SUPPLY, "PSU2"), NOW)
    assert sorted(done(answer)) == [("CallHome", "node-a"), ("Migrate", "default/db"), ("Migrate", "default/web")]
    assert {(vm.after, vm.down_seconds) for vm in answer.vms} == {("node-b", 0)}


@pytest.mark.parametrize(
    ("view", "stays", "words"),
    [
        (
            whole(vms=(replace(WEB, instance=LOCAL), DB)),
            ["default/web"],
            "KubeVirt cannot move it while it runs: a disk is local",
        ),
        (whole(b=replace(B, cordoned=True)), ["default/web", "default/db"], "node-b is cordoned"),
        (whole(b=replace(B, faults=(fault("DiskProblem", on="node-b"),))), [], ""),
    ],
    ids=["not migratable", "backup closed", "backup no better"],
)
def test_a_part_that_fails_leaves_a_vm_on_the_worse_server_and_why(
    view: PairView, stays: list[str], words: str
) -> None:
    answer = ask(view, Question(Deed.FAIL, "node-a", ComponentKind.POWER_SUPPLY, "PSU2"), NOW)
    assert all(vm.runs and vm.down_seconds == 0 for vm in answer.vms)
    assert [blocker.partition(":")[0] for blocker in answer.blockers] == stays
    assert all(f"it stays on node-a, the worse server: {words}" in told for told in answer.blockers)


def test_a_drain_moves_every_vm_away_and_says_what_stays() -> None:
    stuck = replace(WEB, instance=replace(WEB.instance, migratable=False, not_migratable_because="a disk is local"))
    view = whole(vms=(stuck, DB))
    answer = ask(view, Question(Deed.DRAIN, "node-a"), NOW)
    assert {vm.key: vm.after for vm in answer.vms} == {"default/web": "node-a", "default/db": "node-b"}
    assert [blocker.partition(":")[0] for blocker in answer.blockers] == ["default/web"]


@pytest.mark.parametrize(
    ("view", "words"),
    [
        (whole(replace(A, power=reads("", error="connection refused"))), "connection refused"),
        (whole(replace(A, power=reads("On", uuid="99999999-3a4e-4d8a-9b41-0d1f5f6e7a01"))), "another server"),
        (whole(replace(A, fence_agent=False, power=None)), "no fence agent is configured"),
        (whole(b=replace(B, hears_peer=None)), "nothing is done about it"),
        (whole(policy=PairPolicy(mode=Mode.OBSERVE)), "nothing is done about it"),
    ],
    ids=["no answer", "wrong server", "no agent", "no detector", "observe"],
)
def test_what_would_block_a_crash_is_told(view: PairView, words: str) -> None:
    answer = ask(view, CRASH, NOW)
    assert not any(vm.runs for vm in answer.vms)
    assert words in " ".join(answer.blockers)


def test_what_is_under_way_goes_on() -> None:
    dead = replace(A, heard_at=NOW - 60, closed=True, cordoned=True, accepts_vms=False, power=reads("Off"))
    fence = action(
        ActionType.FENCE, "node-a", ActionPhase.RUNNING, incident=crash_incident(dead), current="Release",
        evidence=evidence(dead), steps=(StepView("Release", NOW - 1),), created_at=NOW - 40,
    )  # fmt: skip
    view = whole(dead, replace(B, hears_peer=False, peer_unreachable_since=NOW - 50), actions=(fence,))
    answer = ask(view, Question(Deed.FAIL, "node-b", ComponentKind.FAN, "FAN1"), NOW)
    assert {kind for kind, _ in done(answer)} == {"ColdRestart", "Rejoin", "CallHome", "Migrate"}
    assert {(vm.before, vm.after) for vm in answer.vms} == {("node-b", "node-a"), ("", "node-a")}
    assert answer.blockers == ()


def test_a_node_that_the_pair_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="node-x is no node of pair pair; its nodes are node-a and node-b"):
        ask(whole(), Question(Deed.CRASH, "node-x"), NOW)


def test_the_answer_is_for_people_and_for_programs() -> None:
    view = whole()
    answer = ask(view, CRASH, NOW)
    text = as_text(view, answer, [], NOW)
    assert "What if node-a crashed now?" in text
    assert "default/db   node-a  node-b" in text
    assert "boot of default/db: 60.0 s (budget, never measured)" in text
    assert "It would be survived." in text
    assert "BLOCKED  no way" in as_text(view, answer, ["no way"], NOW)
    document = json.loads(as_json(view, answer, ["no way"], NOW))
    assert (document["survived"], document["blockers"], document["vms"][1]["then"]) == (False, ["no way"], "node-b")


SMALL = Resources(16000, 6 * GIB)
OBSTACLES: dict[str, PairView] = {
    "none": whole(),
    "no answer of the BMC": whole(replace(A, power=reads("", error="connection refused"))),
    "the BMC of another server": whole(replace(A, power=reads("On", uuid="99999999-3a4e-4d8a-9b41-0d1f5f6e7a01"))),
    "no fence agent": whole(replace(A, fence_agent=False, power=None)),
    "no fence agent of the survivor": whole(b=replace(B, fence_agent=False, power=None)),
    "a survivor without a detector": whole(b=replace(B, hears_peer=None)),
    "a cordoned survivor": whole(b=replace(B, cordoned=True)),
    "a survivor that takes no VMs": whole(b=replace(B, accepts_vms=False, ready="Unknown", heard_at=NOW - 90)),
    "a survivor without room": whole(b=replace(B, allocatable=SMALL)),
    "a worse survivor": whole(b=replace(B, faults=(fault("PowerSupplyProblem", "PSU1", on="node-b"),))),
    "virt-api is down": whole(surroundings=Surroundings(kubevirt=KubeVirtHealth(api_failure="EOF"))),
    "virt-controller is down": whole(surroundings=Surroundings(kubevirt=KubeVirtHealth(controller_silent=True))),
    "no KubeVirt": whole(surroundings=Surroundings(kubevirt=KubeVirtHealth(installed=False))),
    "mode Observe": whole(policy=PairPolicy(mode=Mode.OBSERVE)),
    "a paused pair": whole(policy=PairPolicy(pause=Pause(NOW + 7200, "a test"))),
    "a paused VM": whole(vms=(replace(WEB, pause=Pause(NOW + 7200, "a test")), DB)),
    "a pause that is over": whole(policy=PairPolicy(pause=Pause(NOW - 1, "a test"))),
}


@pytest.mark.parametrize("view", OBSTACLES.values(), ids=OBSTACLES)
def test_what_status_says_of_a_crash_is_what_the_rules_then_do(view: PairView) -> None:
    """`FailoverReady` reads the view, what-if plays it: both have to come to the same."""
    still = standstill(view, "", NOW)
    told = [blocker.message for blocker in blockers(view, view.nodes[0], NOW)] + ([still.because] if still else [])
    played = ask(view, CRASH, NOW).blockers
    assert bool(told) == bool(played), (told, played)


def test_a_control_plane_that_dies_with_the_server_is_told_of() -> None:
    """The simulated API always lives on, so this is what only the view can tell."""
    view = whole(control_plane=("node-a",))
    assert [blocker.reason for blocker in blockers(view, view.nodes[0], NOW)] == ["ControlPlaneLost"]


def test_a_crash_while_a_person_works_on_the_other_server_waits_for_somebody() -> None:
    history = NodeHistory(maintenance=Maintenance(NOW - 600, "alice", "new fans"))
    answer = ask(whole(b=replace(B, history=history, closed=True, cordoned=True)), CRASH, NOW)
    assert any("node-b is in maintenance since" in blocker for blocker in answer.blockers)
    assert done(answer) == [], "its word proves nothing, and the power is on"
