"""A server that a person works on: emptied first, then left alone by everybody, until it is given back."""

from dataclasses import replace
from typing import Any

import pytest

from avance.core.components import ComponentKind
from avance.core.effects import CloseNode, OpenNode
from avance.core.history import Declaration, Maintenance, NodeHistory
from avance.core.intents import Intent
from avance.core.liveness import Life, judge
from avance.core.model import (
    ActionPhase,
    ActionType,
    ActionView,
    InstanceView,
    NodeView,
    PairView,
    StepView,
    VmPhase,
    VmView,
)
from avance.core.plan import plan
from avance.core.progress import Progress
from avance.core.remember import remember
from avance.core.report import report
from avance.core.restraint import storm_cause
from avance.core.storage import DiskState
from tests.core.views import NOW, action, disks, evidence, fault, launcher, node, pair, reads, running

IN_MAINTENANCE = Maintenance(NOW - 3600, "alice", "a new power supply")


def held(name: str = "node-a", empty: bool = True, **fields: Any) -> NodeView:
    """A server in maintenance, closed as it should be."""
    history = NodeHistory(maintenance=replace(IN_MAINTENANCE, empty=empty))
    return node(name, **({"history": history, "closed": True, "cordoned": True} | fields))


def switched_off(name: str = "node-a", **fields: Any) -> NodeView:
    """The same, off for an hour: silent, and its BMC reads Off."""
    return held(name, ready="Unknown", heard_at=NOW - 3600, power=reads("Off", name), **fields)


def asked(type_: ActionType, target: str = "node-a", *steps: str, **fields: Any) -> ActionView:
    """A person's request, at the last of these steps."""
    phase = ActionPhase.RUNNING if steps else ActionPhase.PENDING
    entered = tuple(StepView(step, NOW - 60 + at) for at, step in enumerate(steps))
    sound = {"reason": "Requested", "incident": f"{type_}-{target}", "message": "a new power supply"}
    return action(type_, target, phase, **(sound | {"steps": entered, "current": steps[-1] if steps else ""} | fields))


def enter(*steps: str, target: str = "node-a", **fields: Any) -> ActionView:
    return asked(ActionType.ENTER_MAINTENANCE, target, *steps, **fields)


def leave(*steps: str, target: str = "node-a", **fields: Any) -> ActionView:
    return asked(ActionType.LEAVE_MAINTENANCE, target, *steps, **fields)


def next_step(view: PairView, type_: ActionType, now: float = NOW) -> Progress:
    return next(progress for each, progress in plan(view, now).progress if each.type is type_)


def wanted(view: PairView, now: float = NOW) -> set[tuple[ActionType, str]]:
    return {(each.type, each.target) for each in plan(view, now).intents if isinstance(each, Intent)}


# --- asking for it ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("view", "says"),
    [
        (pair(actions=(enter(target="cp-0"),)), "cp-0 is not a node of pair pair"),
        (pair(held(), actions=(enter(),)), "node-a is in maintenance since"),
        (pair(b=held("node-b"), actions=(enter(),)), "node-b is in maintenance since"),
        (pair(b=node("node-b", ready="False"), actions=(enter(),)), "node-b is not Ready"),
        (pair(b=node("node-b", faults=(fault("DiskProblem", "sda", "node-b"),)), actions=(enter(),)), "disk sda"),
        (pair(b=node("node-b", heard_at=NOW - 60), actions=(enter(),)), "node-b has been silent"),
        (pair(node(heard_at=NOW - 60), actions=(enter(),)), "wait until it is fenced, or back"),
        (pair(node(history=NodeHistory(system_uuid="another")), actions=(enter(),)), "is another server"),
        (
            pair(vms=(running(instance=InstanceView("web-1", VmPhase.RUNNING, "node-a", True, migratable=False,
                                                   not_migratable_because="it has a host device")),),
                 actions=(enter(),)),
            "default/web cannot be live-migrated: it has a host device",
        ),
        (
            pair(vms=(running(storage=disks(b=DiskState.OUTDATED)),), actions=(enter(),)),
            "node-a holds the only good copy of the disks of default/web",
        ),
    ],
)  # fmt: skip
def test_what_could_not_be_finished_is_refused_before_anything_is_done(view: PairView, says: str) -> None:
    progress = next_step(view, ActionType.ENTER_MAINTENANCE)
    assert (progress.outcome, progress.effects) == (ActionPhase.CANCELLED, ())
    assert says in progress.message


def test_an_operator_that_has_heard_nobody_yet_listens_first() -> None:
    progress = next_step(pair(node(heard=False), actions=(enter(),)), ActionType.ENTER_MAINTENANCE)
    assert (progress.outcome, progress.step) == (None, "Accept")


# --- emptying it ------------------------------------------------------------------------------------------------------


def test_it_is_closed_and_then_all_its_vms_move_at_the_same_time() -> None:
    vms = (running("web"), running("db"), running("mail", "node-b"))
    begun = next_step(pair(vms=vms, actions=(enter(),)), ActionType.ENTER_MAINTENANCE)
    assert (begun.step, begun.effects) == ("Close", (CloseNode("node-a"),))
    closed = node(closed=True, cordoned=True)
    assert next_step(pair(closed, vms=vms, actions=(enter("Close"),)), ActionType.ENTER_MAINTENANCE).step == "HandOver"
    moving = pair(closed, vms=vms, actions=(enter("Close", "HandOver"),))
    assert wanted(moving) == {(ActionType.MIGRATE, "default/web"), (ActionType.MIGRATE, "default/db")}


def test_it_is_in_maintenance_once_no_vm_can_be_on_it() -> None:
    closed = node(closed=True, cordoned=True)
    moved = running(on="node-b")
    entering = enter("Close", "HandOver")
    left_behind = pair(closed, vms=(moved,), pods=(launcher(moved, "node-a"),), actions=(entering,))
    assert next_step(left_behind, ActionType.ENTER_MAINTENANCE).outcome is None
    unsure = pair(closed, vms=(replace(moved, last_node="node-a"),), actions=(entering,))
    assert next_step(unsure, ActionType.ENTER_MAINTENANCE).step == "Verify"
    done = next_step(pair(closed, vms=(moved,), actions=(entering,)), ActionType.ENTER_MAINTENANCE)
    assert (done.step, done.outcome) == ("Hold", ActionPhase.SUCCEEDED)


def failed_moves(count: int) -> tuple[ActionView, ...]:
    return tuple(
        action(ActionType.MIGRATE, "default/web", ActionPhase.FAILED, reason="HandOver", result="the copy broke off",
               incident="EnterMaintenance-node-a", finished_at=NOW - 50 + at)
        for at in range(count)
    )  # fmt: skip


def test_a_vm_that_does_not_move_is_tried_again_and_then_the_server_stays_in_service() -> None:
    closed, vms = node(closed=True, cordoned=True), (running(),)
    twice = pair(closed, vms=vms, actions=(enter("Close", "HandOver"), *failed_moves(2)))
    assert wanted(twice) == {(ActionType.MIGRATE, "default/web")}
    thrice = pair(closed, vms=vms, actions=(enter("Close", "HandOver"), *failed_moves(3)))
    progress = next_step(thrice, ActionType.ENTER_MAINTENANCE)
    assert progress.effects == (OpenNode("node-a"),)
    assert "default/web could not be moved, tried 3 times: the copy broke off" in progress.message
    opened = pair(vms=vms, actions=(enter("Close", "HandOver", "Reopen"), *failed_moves(3)))
    assert next_step(opened, ActionType.ENTER_MAINTENANCE).outcome is not None


def test_a_server_that_dies_while_it_is_emptied_is_fenced_like_any_other() -> None:
    dead = node(heard_at=NOW - 60, closed=True, cordoned=True)
    survivor = node("node-b", hears_peer=False, peer_unreachable_since=NOW - 30)
    view = pair(dead, survivor, vms=(running(),), actions=(enter("Close", "HandOver"),))
    progress = next_step(view, ActionType.ENTER_MAINTENANCE)
    assert progress.outcome is ActionPhase.FAILED
    ended = replace(view, actions=(replace(view.actions[0], phase=ActionPhase.FAILED),))
    assert wanted(ended) == {(ActionType.FENCE, "node-a")}


def test_leave_maintenance_calls_off_what_is_under_way() -> None:
    closed = node(closed=True, cordoned=True)
    both = pair(closed, vms=(running(),), actions=(enter("Close", "HandOver"), leave()))
    assert next_step(both, ActionType.LEAVE_MAINTENANCE).step == "CallOff"
    progress = next_step(both, ActionType.ENTER_MAINTENANCE)
    assert progress.effects == (OpenNode("node-a"),)
    reopened = pair(vms=(running(),), actions=(enter("Close", "HandOver", "Reopen"), leave("CallOff")))
    assert next_step(reopened, ActionType.ENTER_MAINTENANCE).outcome is ActionPhase.CANCELLED
    alone = pair(vms=(running(),), actions=(leave("CallOff"),))
    assert next_step(alone, ActionType.LEAVE_MAINTENANCE).outcome is ActionPhase.SUCCEEDED


def test_a_fenced_server_is_left_alone_from_now_on_and_not_taken_back() -> None:
    dead = node(heard_at=NOW - 600, ready="Unknown", closed=True, cordoned=True, out_of_service=True)
    fence = action(ActionType.FENCE, "node-a", evidence=evidence(dead), created_at=NOW - 600)
    rejoin = action(ActionType.REJOIN, "node-a", ActionPhase.RUNNING, current="PowerOn",
                    steps=(StepView("PowerOn", NOW - 500),))  # fmt: skip
    view = pair(dead, actions=(fence, rejoin, enter()))
    assert next_step(view, ActionType.ENTER_MAINTENANCE).outcome is ActionPhase.SUCCEEDED
    done = replace(view.actions[2], phase=ActionPhase.SUCCEEDED, finished_at=NOW)
    remembered = remember(replace(view, actions=(fence, rejoin, done)), NOW + 1)
    assert next_step(remembered, ActionType.REJOIN, NOW + 1).outcome is ActionPhase.CANCELLED


# --- while it lasts ---------------------------------------------------------------------------------------------------


def test_who_works_on_a_fenced_server_outlives_the_acceptance_of_another_one() -> None:
    other = held(history=NodeHistory(maintenance=IN_MAINTENANCE, system_uuid="old"), system_uuid="new")
    accepted = action(ActionType.ACCEPT_REPLACEMENT, "node-a", finished_at=NOW)
    seen = remember(pair(other, actions=(accepted,)), NOW + 1).nodes[0]
    assert (seen.history.system_uuid, seen.history.maintenance) == ("new", IN_MAINTENANCE)


def test_that_it_was_carried_out_is_remembered_until_it_is_opened_again() -> None:
    done = action(ActionType.ENTER_MAINTENANCE, "node-a", finished_at=NOW, requested_by="alice", message="new fans")
    closed = node(closed=True, cordoned=True)
    seen = remember(pair(closed, actions=(done,)), NOW + 1).nodes[0]
    assert seen.history.maintenance == Maintenance(NOW, "alice", "new fans", empty=True)
    pruned = remember(pair(replace(closed, history=seen.history)), NOW + 2).nodes[0]
    assert pruned.history.maintenance == seen.history.maintenance
    leaving = leave("Stabilise", "Open", steps=(StepView("Stabilise", NOW + 10), StepView("Open", NOW + 70)))
    opened = remember(pair(replace(closed, history=seen.history), actions=(done, leaving)), NOW + 71).nodes[0]
    assert (opened.history.maintenance, opened.history.maintenance_ended_at) == (None, NOW + 70)
    later = remember(pair(node(history=opened.history), actions=(done,)), NOW + 80).nodes[0]
    assert later.history.maintenance is None


def test_nobody_fences_reboots_or_takes_back_a_server_that_a_person_works_on() -> None:
    survivor = node("node-b", hears_peer=False, peer_unreachable_since=NOW - 300)
    off = pair(switched_off(), survivor, vms=(running(on="node-b"),))
    assert judge(off, off.nodes[0], NOW).life is Life.DEAD
    assert wanted(off) == set()
    faulty = held(faults=(fault("DiskProblem", "sda"), fault("PowerSupplyProblem", "PSU2")))
    assert wanted(pair(faulty, vms=(running(on="node-b"),))) == set()


def test_one_that_holds_a_vm_all_the_same_is_fenced_when_it_dies() -> None:
    survivor = node("node-b", hears_peer=False, peer_unreachable_since=NOW - 300)
    back = running(on="node-a")
    seen = remember(pair(held(), vms=(back,)), NOW)
    assert seen.nodes[0].history.maintenance == replace(IN_MAINTENANCE, empty=False)
    dead = replace(switched_off(empty=False), history=seen.nodes[0].history)
    assert wanted(remember(pair(dead, survivor, vms=(back,)), NOW)) == {(ActionType.FENCE, "node-a")}
    gone = remember(pair(dead, survivor, vms=(running(on="node-b", last_node="node-a"),)), NOW)
    assert gone.nodes[0].history.maintenance == replace(IN_MAINTENANCE, empty=False), "silence proves nothing"


def test_one_that_is_off_stays_known_as_empty_whoever_uncordons_it() -> None:
    survivor = node("node-b", hears_peer=False, peer_unreachable_since=NOW - 300)
    off = replace(switched_off(cordoned=False), power=reads("On"))
    seen = remember(pair(off, survivor), NOW)
    assert seen.nodes[0].history.maintenance == IN_MAINTENANCE
    assert wanted(seen) == set()
    again = remember(pair(held(closed=False, cordoned=False, empty=False)), NOW)
    assert again.nodes[0].history.maintenance == IN_MAINTENANCE, "a live kubelet has nothing there"


def test_a_vm_that_ran_there_before_may_be_started_on_the_other_server() -> None:
    stopped = VmView("default", "web", should_run=True, last_node="node-a", admitted=True)
    assert wanted(pair(switched_off(), vms=(stopped,))) == {(ActionType.START, "default/web")}
    assert wanted(pair(switched_off(empty=False), vms=(stopped,))) == set()


def test_its_faults_are_the_work_and_count_no_more_than_those_of_the_link_to_it() -> None:
    pulled = held(faults=(fault("PowerSupplyProblem", "PSU2"), fault("PrivateLinkProblem", "bond1")))
    other = node("node-b", faults=(fault("PrivateLinkProblem", "bond1", "node-b"),))
    seen = remember(pair(pulled, other), NOW)
    assert [each.history.components for each in seen.nodes] == [(), ()]
    assert wanted(seen) == set()
    given_back = replace(pulled, history=NodeHistory(maintenance_ended_at=NOW), closed=False, cordoned=False)
    after = remember(pair(given_back, other), NOW + 1)
    kinds = [each.kind for each in after.nodes[0].history.components]
    assert kinds == [ComponentKind.POWER_SUPPLY, ComponentKind.PRIVATE_LINK], "what is still there is a fault"


def test_its_word_and_its_silence_count_nothing_about_the_other_server() -> None:
    deaf = held(hears_peer=False, peer_unreachable_since=NOW - 300)
    silent = pair(deaf, node("node-b", heard_at=NOW - 60))
    assert judge(silent, silent.nodes[1], NOW).life is Life.SUSPECT
    both = pair(switched_off(hears_peer=True), node("node-b", heard_at=NOW - 60, power=reads("Off", "node-b")))
    assert storm_cause(both, NOW) == ""
    assert judge(both, both.nodes[1], NOW).life is Life.DEAD, "silent, and its BMC reads Off"


def test_one_that_somebody_has_opened_is_closed_again() -> None:
    assert CloseNode("node-a") in plan(pair(held(cordoned=False)), NOW).upkeep
    assert plan(pair(held()), NOW).upkeep == ()


def test_people_are_told_that_it_is_planned() -> None:
    told = report(pair(held(), vms=(running(on="node-b"),)), NOW)
    conditions = {each.type: each for each in (*told.conditions, *told.vms[0].conditions)}
    assert [conditions[type_].reason for type_ in ("Redundant", "FailoverReady", "Protected")] == ["Maintenance"] * 3
    assert conditions["Redundant"].holds is False
    assert "by alice, until a LeaveMaintenance: a new power supply" in conditions["Redundant"].message
    assert told.nodes[0].state == "Maintenance"
    worse = report(pair(held(), node("node-b", faults=(fault("DiskProblem", "sda", "node-b"),))), NOW)
    assert next(each.reason for each in worse.conditions if each.type == "Redundant") == "NotRedundant"


@pytest.mark.parametrize("type_", [ActionType.FENCE, ActionType.REBOOT, ActionType.DECLARE_DOWN, ActionType.REJOIN])
def test_nobody_else_may_ask_for_anything_to_be_done_to_it(type_: ActionType) -> None:
    progress = next_step(pair(held(), actions=(asked(type_),)), type_)
    assert progress.outcome is ActionPhase.CANCELLED
    assert "in maintenance" in progress.message


# --- giving it back ---------------------------------------------------------------------------------------------------


def test_what_is_not_in_maintenance_cannot_leave_it() -> None:
    progress = next_step(pair(actions=(leave(),)), ActionType.LEAVE_MAINTENANCE)
    assert (progress.outcome, progress.message) == (ActionPhase.CANCELLED, "node-a is not in maintenance")


def test_it_waits_for_a_server_that_is_not_there_and_never_switches_it_on() -> None:
    off = pair(switched_off(), node("node-b", hears_peer=False, peer_unreachable_since=NOW - 300), actions=(leave(),))
    progress = next_step(off, ActionType.LEAVE_MAINTENANCE)
    assert (progress.step, progress.outcome, progress.effects) == ("AwaitServer", None, ())
    assert "node-a is off: switch it on" in progress.message
    assert wanted(off) == set()


def test_what_is_still_broken_is_told_unless_the_server_is_needed() -> None:
    broken = held(faults=(fault("PublicNetworkProblem", "bond0"),))
    progress = next_step(pair(broken, actions=(leave(),)), ActionType.LEAVE_MAINTENANCE)
    assert (progress.step, progress.outcome) == ("AwaitHealth", None)
    alone = pair(broken, node("node-b", ready="False"), actions=(leave(),))
    assert next_step(alone, ActionType.LEAVE_MAINTENANCE).step == "Stabilise"


def test_it_is_watched_and_then_opened() -> None:
    watched = leave("Stabilise")
    later = NOW + 3600
    view = pair(replace(held(), heard_at=later), replace(node("node-b"), heard_at=later), actions=(watched,))
    progress = next_step(view, ActionType.LEAVE_MAINTENANCE, later)
    assert (progress.step, progress.effects) == ("Open", (OpenNode("node-a"),))


def test_a_declared_down_server_stays_so() -> None:
    down = held(history=NodeHistory(maintenance=IN_MAINTENANCE, declared_down=Declaration(NOW - 7200, "its NIC")))
    progress = next_step(pair(down, actions=(leave(),)), ActionType.LEAVE_MAINTENANCE)
    assert (progress.step, progress.outcome) == ("Open", ActionPhase.SUCCEEDED)
    assert "stays declared down" in progress.message
