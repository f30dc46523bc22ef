"""When a VM that shall run is down, since when, and for what cause."""

from dataclasses import replace

from avance.core.model import ActionPhase, ActionType, PairView
from avance.core.outage import Outage, outage
from tests.core.views import NOW, action, ended, node, pair, reads, running

A, B = node("node-a"), node("node-b")
WEB = running("web")


def test_a_vm_that_runs_or_shall_not_run_has_none() -> None:
    view = pair(A, B, (WEB,))
    assert outage(view, WEB, NOW) is None
    assert outage(view, replace(ended("web"), should_run=False), NOW) is None


def test_a_vm_that_has_never_run_waits_for_its_first_start() -> None:
    fresh = replace(WEB, instance=None, last_node="")
    assert outage(pair(A, B, (fresh,)), fresh, NOW) is None


def test_a_guest_that_failed_is_down_since_its_instance_ended() -> None:
    failed = ended("web", at=NOW - 3)
    assert outage(pair(A, B, (failed,)), failed, NOW) == Outage(NOW - 3)


def test_the_cause_is_that_of_what_is_done_about_it() -> None:
    failed = ended("web", at=NOW - 3)
    before = action(ActionType.RESTART, failed.key, created_at=NOW - 90, finished_at=NOW - 80, reason="GuestFailed")
    now = action(
        ActionType.RESTART, failed.key, ActionPhase.RUNNING, created_at=NOW - 1, reason="GuestHung", incident="hang-1"
    )
    assert outage(pair(A, B, (failed,), actions=(before, now)), failed, NOW) == Outage(NOW - 3, "GuestHung", "hang-1")
    assert outage(pair(A, B, (failed,), actions=(before,)), failed, NOW) == Outage(NOW - 3)


def test_what_a_person_asked_for_is_planned() -> None:
    failed = ended("web", at=NOW - 3)
    asked = action(ActionType.RESTART, failed.key, ActionPhase.RUNNING, created_at=NOW - 4, reason="Requested")
    found = outage(pair(A, B, (failed,), actions=(asked,)), failed, NOW)
    assert found is not None
    assert found.planned


def test_on_a_dead_server_it_is_down_since_nobody_heard_that_any_more() -> None:
    dead = replace(A, heard_at=NOW - 60, power=reads("Off"))
    survivor = replace(B, hears_peer=False, peer_unreachable_since=NOW - 55)
    fence = action(ActionType.FENCE, "node-a", ActionPhase.RUNNING, reason="ServerCrash", incident="crash-1")
    view = pair(dead, survivor, (WEB,), actions=(fence,))
    assert outage(view, WEB, NOW) == Outage(NOW - 55, "ServerCrash", "crash-1")


def test_what_is_merely_silent_may_well_run() -> None:
    silent = replace(A, heard_at=NOW - 60)
    assert outage(pair(silent, B, (WEB,)), WEB, NOW) is None


def test_between_two_instances_it_is_still_down() -> None:
    between = replace(WEB, instance=None)
    cold = action(ActionType.COLD_RESTART, WEB.key, ActionPhase.RUNNING, reason="ServerCrash", incident="crash-1")
    view: PairView = pair(A, B, (between,), actions=(cold,))
    assert outage(view, between, NOW) == Outage(NOW, "ServerCrash", "crash-1")
