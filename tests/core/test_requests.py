"""What a person asks for is settled when it is taken up, and what makes no sense is refused at once, in words."""

from dataclasses import replace

import pytest

from avance.core.effects import DeleteMigration
from avance.core.intents import BACKUP_HEALTHIER
from avance.core.model import ActionPhase, ActionType, ActionView, MigrationView, StepView, VmView
from avance.core.plan import plan
from avance.core.progress import Progress
from tests.core.views import NOW, action, ended, fault, node, pair, running

WEB = "default/web"


def taken_up(asked: ActionView, *vms: VmView, earlier: tuple[ActionView, ...] = ()) -> tuple[ActionView, Progress]:
    decided = plan(pair(vms=vms or (running(),), actions=(*earlier, asked)), NOW)
    return next((settled, progress) for settled, progress in decided.progress if settled.name == asked.name)


def asked_for(type_: ActionType, target: str = WEB, **fields: object) -> ActionView:
    return action(type_, target, ActionPhase.PENDING, incident="", reason="Requested", **fields)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (asked_for(ActionType.START), "runs or is starting already"),
        (asked_for(ActionType.STOP), "set running: false"),
        (asked_for(ActionType.COLD_RESTART), "nothing proves the server of default/web off"),
        (asked_for(ActionType.MIGRATE, destination="node-a"), "is on node-a already"),
        (asked_for(ActionType.RESTART, instance_uid="bogus"), "the instance bogus of default/web"),
        (asked_for(ActionType.RESTART, "default/nope"), "there is no ProtectedVM default/nope in pair pair"),
        (asked_for(ActionType.FENCE, "cp-0"), "cp-0 is not a node of pair pair"),
        (asked_for(ActionType.REJOIN, "cp-0"), "cp-0 is not a node of pair pair"),
    ],
)
def test_what_makes_no_sense_is_refused_at_once(asked: ActionView, says: str) -> None:
    _, progress = taken_up(asked)
    assert progress.outcome is ActionPhase.CANCELLED
    assert says in progress.message
    assert progress.effects == ()


def test_one_thing_at_a_time_is_done_to_a_vm() -> None:
    under_way = action(ActionType.MIGRATE, WEB, ActionPhase.RUNNING, destination="node-b", instance_uid="web-1",
                       current="Move", steps=(StepView("Move", NOW),))  # fmt: skip
    _, progress = taken_up(asked_for(ActionType.RESTART), earlier=(under_way,))
    assert progress.outcome is ActionPhase.CANCELLED
    assert "Migrate" in progress.message


def test_what_a_request_leaves_open_is_the_present_instance_and_the_other_node() -> None:
    settled, progress = taken_up(asked_for(ActionType.MIGRATE))
    assert (settled.instance_uid, settled.destination) == ("web-1", "node-b")
    assert progress.outcome is None


def test_an_action_that_has_begun_is_not_refused_any_more() -> None:
    begun = asked_for(ActionType.START, current="Start", steps=(StepView("Start", NOW),))
    vm = replace(ended(), instance=None)
    assert taken_up(begun, vm)[1].outcome is None


@pytest.mark.parametrize(("phase", "called_off"), [("Pending", True), ("Scheduling", True), ("Running", False)])
def test_a_move_that_still_waits_is_called_off_when_its_cause_is_gone(phase: str, called_off: bool) -> None:
    """A fan failed and was mended, or the other server has become the worse one: what has not begun is withdrawn."""
    moving = replace(
        asked_for(ActionType.MIGRATE, destination="node-b", instance_uid="web-1", current="Copy",
                  steps=(StepView("Move", NOW), StepView("Copy", NOW))),
        reason=BACKUP_HEALTHIER,
    )  # fmt: skip
    vm = running(migrations=(MigrationView(moving.name, phase),))
    _, progress = taken_up(moving, vm)
    assert (progress.effects == (DeleteMigration(moving.name, WEB),)) is called_off
    worse = pair(node(faults=(fault("FanProblem"),)), vms=(vm,), actions=(moving,))
    ((_, going_on),) = plan(worse, NOW).progress
    assert going_on.effects == ()
