"""What each workflow does next, where the order is the safety."""

from dataclasses import replace

import pytest

from avance.core.effects import (
    ApplyVm,
    ClearOutOfService,
    CloseNode,
    CreateMigration,
    DeletePod,
    MarkOutOfService,
    OpenNode,
    PowerOff,
    PowerOn,
    StartVm,
    StopVm,
)
from avance.core.intents import crash_incident, fault_incident
from avance.core.model import ActionPhase, ActionType, ActionView, NodeView, PairView, StepView
from avance.core.progress import Progress
from avance.core.workflows import WORKFLOWS
from tests.core.views import NOW, action, ended, evidence, fault, launcher, node, pair, reads, running

DEAD = node(heard_at=NOW - 60, heard=False, cordoned=True, closed=True, accepts_vms=False)
MUTE = node("node-b", hears_peer=False, peer_unreachable_since=NOW - 10)


def fence(of: NodeView = DEAD, current: str = "", at: float = NOW - 5, **fields: object) -> ActionView:
    steps = (StepView(current, at),) if current else ()
    made = action(ActionType.FENCE, of.name, ActionPhase.RUNNING, incident=crash_incident(of), steps=steps)
    return replace(made, current=current, **fields)


def advance(made: ActionView, view: PairView, now: float = NOW) -> Progress:
    return WORKFLOWS[made.type](made, replace(view, actions=(*view.actions, made)), now)


def effects_on(dead: NodeView, survivor: NodeView = MUTE, made: ActionView | None = None) -> tuple:
    return advance(made or fence(dead), pair(dead, survivor)).effects


@pytest.mark.parametrize(
    "still_open",
    [{"closed": False}, {"cordoned": False}, {"accepts_vms": True}],
    ids=["no taint", "no cordon", "label says it takes VMs"],
)
def test_a_node_is_closed_before_its_power_is_cut(still_open: dict) -> None:
    assert effects_on(replace(DEAD, power=reads("On"), **still_open)) == (CloseNode("node-a"),)


@pytest.mark.parametrize("state", ["On", "PoweringOff", "PoweringOn", "Paused", "off", "Unknown"])
def test_anything_but_off_is_answered_by_cutting_the_power(state: str) -> None:
    progress = advance(fence(), pair(replace(DEAD, power=reads(state)), MUTE))
    assert progress.effects == (PowerOff("node-a", DEAD.system_uuid),)
    assert progress.evidence is None


@pytest.mark.parametrize(
    "power",
    [None, reads("", error="connection refused"), reads("On", uuid=MUTE.system_uuid), reads("Off", uuid="")],
    ids=["not asked yet", "error", "another server's", "nobody knows whose"],
)  # fmt: skip
def test_a_bmc_that_gives_no_usable_answer_switches_and_proves_nothing(power: object) -> None:
    progress = advance(fence(), pair(replace(DEAD, power=power), MUTE))  # type: ignore[arg-type]
    assert progress.effects == ()
    assert progress.evidence is None
    assert progress.outcome is None


@pytest.mark.parametrize(
    "survivor",
    [node("node-b"), replace(MUTE, heard_at=NOW - 60)],
    ids=["the other one hears it", "the other one is silent too"],
)
def test_in_doubt_the_power_is_not_cut(survivor: NodeView) -> None:
    assert effects_on(replace(DEAD, power=reads("On")), survivor) == ()


@pytest.mark.parametrize(
    ("current", "read_at", "proven"),
    [("PowerOff", NOW, False), ("ConfirmOff", NOW - 4.1, False), ("ConfirmOff", NOW - 3.9, True)],
    ids=["first reading", "a reading too early", "second reading"],
)
def test_off_is_believed_at_the_second_reading_only(current: str, read_at: float, proven: bool) -> None:
    view = pair(replace(DEAD, power=reads("Off", at=read_at)), MUTE)
    assert (advance(fence(current=current), view).evidence is not None) is proven


def test_off_is_not_believed_of_a_server_that_gives_signs_of_life() -> None:
    off = reads("Off", at=NOW - 1)
    assert advance(fence(current="ConfirmOff"), pair(replace(DEAD, power=off), node("node-b"))).evidence is None
    late = replace(DEAD, power=off, heard_at=NOW - 0.5)
    assert advance(fence(current="ConfirmOff"), pair(late, MUTE)).evidence is None


def test_what_a_dead_server_held_is_given_up_only_with_standing_evidence() -> None:
    web = running()
    held, proof = (launcher(web), launcher(web, on="node-b")), evidence(DEAD)
    view = pair(DEAD, MUTE, (web,), held)
    released = advance(fence(evidence=proof), view).effects
    pod = held[0]
    assert released == (MarkOutOfService("node-a"), DeletePod("default", pod.name, pod.uid, "node-a"))
    outlived = replace(view, nodes=(replace(DEAD, heartbeat="later"), MUTE))
    progress = advance(fence(evidence=proof), outlived)
    assert (progress.effects, progress.outcome) == ((), ActionPhase.FAILED)


def test_pods_that_an_earlier_stay_left_on_the_dead_server_are_given_up_too() -> None:
    """After a move away and back, KubeVirt would take the old, ended pod for the lost one and wait for ever."""
    web = running()
    left = launcher(web, phase="Succeeded", name="left", uid="uid-left")
    view = pair(replace(DEAD, out_of_service=True), MUTE, (web,), (left, launcher(web)))
    released = advance(fence(evidence=evidence(DEAD)), view).effects
    assert {effect.name for effect in released} == {"left", "launcher-web-node-a"}


def test_a_server_that_lives_is_opened_again_and_not_fenced() -> None:
    alive = replace(DEAD, heard=True, heard_at=NOW, heartbeat="later", power=reads("On"))
    made = fence(DEAD, current="Close")
    assert effects_on(alive, node("node-b"), made) == (OpenNode("node-a"),)
    reopened = replace(made, current="Reopen", steps=(*made.steps, StepView("Reopen", NOW)))
    opened = replace(alive, closed=False, cordoned=False)
    assert advance(reopened, pair(opened)).outcome is ActionPhase.CANCELLED


def cold(vm: str = "web", **fields: object) -> ActionView:
    made = action(ActionType.COLD_RESTART, f"default/{vm}", ActionPhase.RUNNING, incident=crash_incident(DEAD))
    return replace(made, destination="node-b", instance_uid=f"{vm}-1", **fields)


def test_a_cold_restart_without_evidence_waits() -> None:
    progress = advance(cold(), pair(DEAD, MUTE, (ended(),), actions=(fence(),)))
    assert progress.effects == ()
    assert "no fence evidence" in progress.message


def test_a_cold_restart_places_then_starts() -> None:
    view = pair(DEAD, MUTE, (ended(),), actions=(fence(evidence=evidence(DEAD)),))
    assert advance(cold(), view).effects == (ApplyVm("default/web", "node-b"),)
    placed = replace(view, vms=(replace(ended(), prefers="node-b"),))
    assert advance(cold(), placed).effects == (StartVm("default/web", "web-1"),)


def test_a_cold_restart_stops_when_the_dead_give_signs_of_life() -> None:
    view = pair(replace(DEAD, heartbeat="later"), MUTE, (ended(),), actions=(fence(evidence=evidence(DEAD)),))
    progress = advance(cold(), view)
    assert (progress.effects, progress.outcome) == ((), ActionPhase.FAILED)


def test_a_migration_is_made_once_and_not_again_when_somebody_withdrew_it() -> None:
    web = running()
    made = action(ActionType.MIGRATE, web.key, ActionPhase.RUNNING, destination="node-b", instance_uid="web-1")
    (order,) = advance(made, pair(vms=(web,))).effects
    assert isinstance(order, CreateMigration)
    assert (order.name, order.destination) == (made.name, "node-b")
    copied = replace(made, current="Copy", steps=(StepView("Copy", NOW - 5),))
    assert advance(copied, pair(vms=(web,))).outcome is ActionPhase.CANCELLED


def test_a_migration_is_not_begun_with_the_private_link_down() -> None:
    web = running()
    made = action(ActionType.MIGRATE, web.key, ActionPhase.RUNNING, destination="node-b", instance_uid="web-1")
    cut = node(faults=(fault("PrivateLinkProblem"),))
    assert advance(made, pair(cut, vms=(web,))).outcome is ActionPhase.CANCELLED


def rejoin(current: str = "", since: float = 0.0) -> ActionView:
    steps = (StepView(current, NOW - since),) if current else ()
    return replace(action(ActionType.REJOIN, "node-a", ActionPhase.RUNNING), current=current, steps=steps)


@pytest.mark.parametrize(
    ("state", "pods", "effects"),
    [
        (reads("Off"), (), (PowerOn("node-a", DEAD.system_uuid),)),
        (reads("Off"), (launcher(running()),), ()),
        (reads("On"), (), ()),
        (reads("Off", uuid="2d6f3b63-4b5f-4e9b-8c52-1e2f6f7f8b02"), (), ()),
        (reads("", error="time-out"), (), ()),
    ],
    ids=["off and empty", "still holds a pod", "on already", "another server's BMC", "no answer"],
)
def test_a_fenced_server_is_switched_on_when_it_is_off_and_holds_nothing(
    state: object, pods: tuple, effects: tuple
) -> None:
    proven = action(ActionType.FENCE, "node-a", evidence=evidence(DEAD))
    view = pair(replace(DEAD, power=state), MUTE, pods=pods, actions=(proven,))  # type: ignore[arg-type]
    assert advance(rejoin(), view).effects == effects


@pytest.mark.parametrize(
    ("fields", "current", "since", "effects"),
    [
        ({"out_of_service": True}, "AwaitBoot", 5, (ClearOutOfService("node-a"),)),
        ({"accepts_vms": False}, "AwaitBoot", 5, ()),
        ({}, "AwaitVirtHandler", 5, ()),
        ({}, "Stabilise", 59, ()),
        ({}, "Stabilise", 60, (OpenNode("node-a"),)),
        ({"ready": "Unknown"}, "Stabilise", 600, ()),
    ],
    ids=["back", "no virt-handler", "fit only now", "not long enough", "stable", "not ready any more"],
)
def test_a_returned_server_is_opened_after_it_has_been_stable(
    fields: dict, current: str, since: float, effects: tuple
) -> None:
    back = node(closed=True, cordoned=True, boot_id="node-a-boot-2", **fields)
    assert advance(rejoin(current, since), pair(back)).effects == effects


CUT_OFF = node(heard_at=NOW - 60)


def restart(current: str = "") -> ActionView:
    steps = (
        (StepView("Start", NOW - 9), StepView("Boot", NOW - 5)) if current == "Boot" else (StepView(current, NOW - 5),)
    )
    made = action(ActionType.RESTART, "default/web", ActionPhase.RUNNING, instance_uid="web-1")
    return replace(made, current=current, steps=steps if current else ())


def test_a_running_guest_is_restarted_where_a_live_server_can_end_it() -> None:
    vm = running()
    assert advance(restart(), pair(vms=(vm,), pods=(launcher(vm),))).effects == (StopVm("default/web", "web-1"),)
    for lost in (DEAD, CUT_OFF):
        progress = advance(restart(), pair(lost, MUTE, vms=(vm,), pods=(launcher(vm),)))
        assert progress.outcome is ActionPhase.CANCELLED
        assert progress.effects == ()
    unheard = advance(restart(), pair(node(heard=False), vms=(vm,), pods=(launcher(vm),)))
    assert (unheard.outcome, unheard.effects) == (None, ())


def test_the_order_to_restart_a_running_guest_is_no_licence_to_start_it() -> None:
    """Somebody force-deletes the launcher pod after its server was cut off: the guest may run on."""
    vm = running()
    ordered = advance(restart(), pair(vms=(vm,), pods=(launcher(vm),))).step
    progress = advance(restart(ordered), pair(CUT_OFF, MUTE, vms=(ended(at=NOW - 3),)))
    assert progress.step == "Release"
    assert progress.effects == ()


def test_a_new_instance_that_vanished_while_it_was_booting_needs_proof_of_its_own_end() -> None:
    vm = replace(running(), instance=None, vanished_at=NOW - 3)
    progress = advance(restart("Boot"), pair(CUT_OFF, MUTE, vms=(vm,)))
    assert progress.step == "Release"
    assert progress.effects == ()


def test_while_it_is_started_the_traces_of_the_old_instance_may_go() -> None:
    vm = replace(running(), instance=None, vanished_at=NOW - 1)
    assert advance(restart("Start"), pair(vms=(vm,))).effects == (StartVm("default/web", ""),)


def test_a_call_home_puts_on_record_what_is_known_of_the_part() -> None:
    broken = fault("PowerSupplyProblem", "PSU2", part="750W-PT", serial="PS7731", message="no AC input")
    view = pair(node("node-a", faults=(broken,)))
    call = action(ActionType.CALL_HOME, "node-a", ActionPhase.PENDING, incident=fault_incident(broken))
    report = dict(advance(call, view).report)
    assert (report["part"], report["serial"], report["component"]) == ("750W-PT", "PS7731", "PSU2")
    assert (report["kind"], report["detail"]) == ("PowerSupply", "no AC input")
    assert advance(call, pair()).report == (), "mended meanwhile, and nothing is known"
