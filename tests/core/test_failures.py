"""A VM that fails: how often it is restarted where, when it is given up, and what ends that."""

from dataclasses import replace
from typing import Any

import pytest

from avance.core.failures import given_up
from avance.core.guest import GuestSigns, HealthCheck
from avance.core.intents import Intent
from avance.core.model import (
    ActionPhase,
    ActionType,
    ActionView,
    InstanceView,
    MigrationView,
    PairView,
    VmPhase,
    VmView,
)
from avance.core.plan import plan
from tests.core.views import NOW, action, ended, launcher, node, pair, running

CHECK = HealthCheck(patience_seconds=30, boot_seconds=120)


def restarted(on: str, ago: float, **fields: Any) -> ActionView:
    made = action(ActionType.RESTART, "default/web", destination=on, created_at=NOW - ago, reason="GuestFailed")
    return replace(made, name=f"restart-{on}-{ago}", **fields)


def failed(*actions: ActionView, on: str = "node-a", **nodes: Any) -> PairView:
    """A VM that has failed on a node and whose kubelet has said so."""
    vm = ended(on=on)
    return pair(**nodes, vms=(vm,), pods=(launcher(vm, on=on, phase="Failed"),), actions=actions)


def decided(view: PairView) -> Intent | None:
    return next((intent for intent in plan(view, NOW).intents if intent.target == "default/web"), None)


def test_the_first_failure_is_answered_at_once_where_it_is() -> None:
    intent = decided(failed())
    assert intent is not None
    assert (intent.type, intent.destination) == (ActionType.RESTART, "node-a")


@pytest.mark.parametrize(("ago", "answered"), [(9, False), (11, True)])
def test_the_next_one_has_to_wait(ago: float, answered: bool) -> None:
    assert (decided(failed(restarted("node-a", ago))) is not None) is answered


def test_after_three_times_here_the_other_node_is_tried() -> None:
    intent = decided(failed(*(restarted("node-a", ago) for ago in (300, 200, 100))))
    assert intent is not None
    assert (intent.type, intent.destination) == (ActionType.RESTART, "node-b")
    assert "restarted 3 times on node-a: trying node-b" in intent.message


@pytest.mark.parametrize("unfit", [{"cordoned": True}, {"closed": True}, {"ready": "False"}])
def test_without_another_node_it_waits_for_the_window(unfit: dict[str, Any]) -> None:
    view = failed(*(restarted("node-a", ago) for ago in (3000, 2900, 2800)), b=node("node-b", **unfit))
    assert decided(view) is None
    assert decided(replace(view, actions=view.actions[1:])) is not None


EXHAUSTED = [restarted(on, ago) for ago, on in enumerate(["node-a"] * 3 + ["node-b"] * 3, 400)]


def test_after_three_times_on_both_it_is_given_up_once() -> None:
    view = failed(*EXHAUSTED, on="node-b")
    intent = decided(view)
    assert intent is not None
    assert (intent.type, intent.reason) == (ActionType.GIVE_UP, "KeepsFailing")
    assert "3 times on node-a and 3 times on node-b" in intent.message
    assert decided(surrendered(view)) is None


def surrendered(view: PairView, ago: float = 60, **fields: Any) -> PairView:
    """The same after its surrender was recorded."""
    intent = decided(view)
    assert intent is not None
    assert intent.type is ActionType.GIVE_UP
    record = action(ActionType.GIVE_UP, intent.target, incident=intent.incident, instance_uid=intent.instance_uid,
                    created_at=NOW - ago, message=intent.message)  # fmt: skip
    return replace(view, actions=(*view.actions, replace(record, **fields)))


def test_a_person_ends_it_and_then_the_count_begins_anew() -> None:
    view = surrendered(failed(*EXHAUSTED, on="node-b"))
    (vm,) = view.vms
    asked = restarted("node-b", 50, reason="Requested", phase=ActionPhase.FAILED)
    again = replace(view, actions=(*view.actions, asked))
    assert given_up(view, vm)
    assert not given_up(again, vm)
    intent = decided(again)
    assert intent is not None
    assert intent.type is ActionType.RESTART
    refused = replace(view, actions=(*view.actions, replace(asked, phase=ActionPhase.CANCELLED)))
    assert given_up(refused, vm)


def test_a_change_of_its_spec_ends_it() -> None:
    view = surrendered(failed(*EXHAUSTED, on="node-b"))
    edited = replace(view, vms=(replace(view.vms[0], generation=7),))
    assert not given_up(edited, edited.vms[0])


def test_another_life_ends_it_whoever_began_it() -> None:
    view = surrendered(failed(*EXHAUSTED, on="node-b"))
    alive = running(instance=InstanceView("web-2", VmPhase.RUNNING, "node-b", ready=True))
    assert not given_up(view, alive)


def test_what_was_called_off_does_not_count() -> None:
    called_off = [replace(one, phase=ActionPhase.CANCELLED) for one in EXHAUSTED]
    assert decided(failed(*called_off)) is not None


# ── hangs ──


def silent(for_seconds: float = 31, **fields: Any) -> VmView:
    signs = GuestSigns(silent_since=NOW - for_seconds, agent_gone=fields.pop("agent_gone", False), running_since=0)
    instance = InstanceView("web-1", VmPhase.RUNNING, "node-a", ready=False, signs=signs)
    return running(instance=replace(instance, **fields.pop("instance", {})),
                   **{"health_check": CHECK, "answered": "web-1", **fields})  # fmt: skip


def hung(vm: VmView, **nodes: Any) -> bool:
    intent = decided(pair(**nodes, vms=(vm,), pods=(launcher(vm),)))
    return intent is not None and (intent.type, intent.reason) == (ActionType.RESTART, "GuestHung")


def test_a_guest_that_is_silent_beyond_its_patience_is_hung() -> None:
    assert hung(silent(31))
    assert not hung(silent(29))


@pytest.mark.parametrize(
    "innocent",
    [
        silent(answered=""),
        silent(instance={"paused": True}),
        silent(instance={"signs": GuestSigns(silent_since=NOW - 100, frozen=True)}),
        silent(migrations=(MigrationView("move", "Running"),)),
        silent(should_run=False),
        silent(health_check=None),
        silent(140, agent_gone=True),
        silent(140, answered="web-0"),
        silent(140, health_check=replace(CHECK, watchdog_resets=True)),
    ],
    ids=["unanswered", "paused", "snapshot", "moving", "not to run", "no check", "rebooting", "booting", "watchdog"],
)  # fmt: skip
def test_what_else_could_explain_the_silence_counts_for_the_guest(innocent: VmView) -> None:
    assert not hung(innocent)


@pytest.mark.parametrize("patient", [{"agent_gone": True}, {"answered": "web-0"}])
def test_a_guest_that_could_be_booting_is_given_the_time_for_it(patient: dict[str, Any]) -> None:
    assert hung(silent(151, **patient))


@pytest.mark.parametrize(
    "doubtful",
    [node(heard_at=NOW - 20), node(ready="Unknown"), node(heard=False), node(heard_since=NOW - 5)],
    ids=["silent", "not ready", "not heard yet", "back only now"],
)
def test_a_guest_on_a_node_in_doubt_is_not_judged(doubtful: Any) -> None:
    assert not hung(silent(), a=doubtful)


def test_a_migration_that_is_over_suppresses_nothing() -> None:
    assert hung(silent(migrations=(MigrationView("move", "Succeeded"),)))
