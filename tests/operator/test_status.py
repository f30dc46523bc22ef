"""From a report to the status objects: what is unchanged keeps its times, outages are counted once."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from avance.api import AvancePair, ProtectedVM
from avance.core.condition import Condition
from avance.core.model import ActionPhase, ActionType, StepView
from avance.core.outage import Outage
from avance.core.report import Failover, VmReport, report
from avance.operator.clock import to_api
from avance.operator.status import conditions, pair_status, vm_status
from tests.core.views import NOW, action, evidence, fault, node, pair, reads, running

Object = dict[str, Any]

UP = VmReport("default/web", "Running", "node-a", "node-b", (), None, None)
NEW_YEAR = datetime(2027, 1, 1, tzinfo=UTC).timestamp()


def down(since: float, *cause: Any) -> VmReport:
    return replace(UP, phase="Failed", outage=Outage(since, *cause))


# --- conditions -------------------------------------------------------------------------------------------------------


def test_the_transition_time_moves_when_the_status_does_and_only_then() -> None:
    first = {"conditions": conditions({}, 1, (Condition("Ready", True, "Serving", "2 VMs"),), NOW)}
    same = {"conditions": conditions(first, 2, (Condition("Ready", True, "Serving", "3 VMs"),), NOW + 5)}
    [unchanged] = same["conditions"]
    assert (unchanged["lastTransitionTime"], unchanged["message"]) == (to_api(NOW), "3 VMs")
    assert unchanged["observedGeneration"] == 2
    [turned] = conditions(same, 2, (Condition("Ready", False, "NotTwoNodes", "one"),), NOW + 9)
    assert (turned["status"], turned["lastTransitionTime"]) == ("False", to_api(NOW + 9))


def test_what_cannot_be_told_is_unknown() -> None:
    [found] = conditions({}, 1, (Condition("Migratable", None, "NotKnown", ""),), NOW)
    assert found["status"] == "Unknown"


# --- outages ----------------------------------------------------------------------------------------------------------


def test_an_outage_is_added_up_when_it_ends() -> None:
    during = vm_status({}, 1, down(NOW), NOW + 1)
    assert during["outageSince"] == to_api(NOW)
    assert "downtime" not in during
    after = vm_status(during, 1, UP, NOW + 42)
    assert after["downtime"] == {"year": 1970, "unplannedSeconds": 42}
    assert "outageSince" not in after


def test_an_outage_began_when_it_was_first_told() -> None:
    during = vm_status({}, 1, down(NOW), NOW + 1)
    assert vm_status(during, 1, down(NOW + 30), NOW + 31)["outageSince"] == to_api(NOW)


def test_outages_add_up_and_planned_downtime_stays() -> None:
    known = {"downtime": {"year": 1970, "plannedSeconds": 7, "unplannedSeconds": 8}, "outageSince": to_api(NOW)}
    assert vm_status(known, 1, UP, NOW + 2)["downtime"] == {"year": 1970, "plannedSeconds": 7, "unplannedSeconds": 10}


def test_without_an_outage_the_account_stays_as_it_is() -> None:
    known = {"downtime": {"year": 1970, "unplannedSeconds": 8}}
    assert vm_status(known, 1, UP, NOW)["downtime"] == known["downtime"]


def test_a_new_year_begins_with_an_empty_account() -> None:
    known = {"downtime": {"year": 2026, "unplannedSeconds": 500}, "outageSince": to_api(NEW_YEAR + 10)}
    assert vm_status(known, 1, UP, NEW_YEAR + 15)["downtime"] == {"year": 2027, "unplannedSeconds": 5}


def test_an_outage_that_seems_to_end_before_it_began_counts_nothing() -> None:
    known = {"outageSince": to_api(NOW + 100)}
    assert vm_status(known, 1, UP, NOW)["downtime"]["unplannedSeconds"] == 0


def test_the_latest_outages_are_told_with_their_causes() -> None:
    told = vm_status({}, 1, down(NOW), NOW + 1)
    told = vm_status(told, 1, down(NOW + 2, "ServerCrash", "crash-1"), NOW + 3)
    assert told["outages"] == [{"since": to_api(NOW), "cause": "ServerCrash", "incident": "crash-1"}]
    told = vm_status(told, 1, UP, NOW + 20)
    [crash] = told["outages"]
    assert (crash["until"], crash["seconds"], crash["cause"]) == (to_api(NOW + 20), 20, "ServerCrash")
    for number in range(1, 20):
        told = vm_status(vm_status(told, 1, down(NOW + 60 * number), NOW), 1, UP, NOW + 60 * number + 1)
    assert len(told["outages"]) == 16
    assert told["downtime"]["unplannedSeconds"] == 20 + 19


def test_what_somebody_asked_for_is_planned() -> None:
    during = vm_status({}, 1, down(NOW, "Requested", "restart-1", True), NOW + 1)
    after = vm_status(during, 1, UP, NOW + 5)
    assert after["downtime"] == {"year": 1970, "plannedSeconds": 5}
    assert after["outages"][-1]["planned"]


# --- the last failover ------------------------------------------------------------------------------------------------


def moved(at: float) -> VmReport:
    return replace(UP, last_failover=Failover(at, "Graceful", "node-a", "node-b", 3.4))


def test_the_last_failover_is_told() -> None:
    assert vm_status({}, 1, moved(NOW), NOW)["lastFailover"] == {
        "time": to_api(NOW),
        "kind": "Graceful",
        "from": "node-a",
        "to": "node-b",
        "seconds": 3,
    }


@pytest.mark.parametrize(("later", "stays"), [(-5, True), (0, True), (5, False)])
def test_the_newer_of_record_and_report_wins(later: float, stays: bool) -> None:
    known = vm_status({}, 1, replace(moved(NOW), primary="node-a"), NOW)
    found = vm_status(known, 1, moved(NOW + later), NOW + 9)
    assert (found["lastFailover"] == known["lastFailover"]) is stays


def test_a_failover_whose_action_was_pruned_stays_on_record() -> None:
    known = vm_status({}, 1, moved(NOW), NOW)
    assert vm_status(known, 1, UP, NOW + 9)["lastFailover"] == known["lastFailover"]


# --- whole objects ----------------------------------------------------------------------------------------------------


def described(previous: Object, now: float = NOW, **view: Any) -> Object:
    found = pair(**view)
    return pair_status(previous, 1, found, report(found, now), now)


def test_a_quiet_pair_is_told_the_same_way_each_time() -> None:
    view: Object = {"a": node("node-a", power=reads("On")), "b": node("node-b", power=reads("On", "node-b"))}
    view |= {"vms": (running("web"),)}
    first = described({}, **view)
    assert described(first, NOW + 5, **view) == first


def test_a_healthy_fence_path_is_refreshed_now_and_then_only() -> None:
    def path(previous: Object, at: float) -> Object:
        status = described(previous, at, a=node("node-a", power=reads("On", at=at)))
        return {"nodes": status["nodes"], "path": status["nodes"][0]["fence"]["path"]}

    first = path({}, NOW)
    assert first["path"]["checkedAt"] == to_api(NOW)
    assert path(first, NOW + 60)["path"]["checkedAt"] == to_api(NOW)
    assert path(first, NOW + 700)["path"]["checkedAt"] == to_api(NOW + 700)


def test_a_pair_in_trouble_says_what_and_where() -> None:
    broken = node("node-a", faults=(fault("PowerSupplyProblem", "PSU2", part="870-12"),))
    under_way = action(ActionType.FENCE, "node-a", phase=ActionPhase.RUNNING, message="node-a is held to be dead")
    status = described({}, a=broken, vms=(running("web"),), actions=(under_way,))
    assert status["scores"] == "node-a=0 node-b=100"
    assert status["nodes"][0]["explanation"] == "0: node-a is held to be dead"
    [found] = status["nodes"][0]["faults"]
    assert (found["component"], found["part"], found["severity"]) == ("PSU2", "870-12", "Benign")
    assert "serial" not in found
    assert status["incident"]["message"] == "node-a is held to be dead"


def test_what_is_written_fits_the_published_models() -> None:
    broken = node("node-a", faults=(fault("FanProblem", "FAN1"),), power=reads("On"))
    status = described({}, a=broken, vms=(running("web"),))
    metadata = {"name": "site", "uid": "uid-site"}
    told = AvancePair.parse({"metadata": metadata, "spec": {"nodeSelector": {"a": "b"}}, "status": status}).status
    assert [each.name for each in told.nodes] == ["node-a", "node-b"]
    vm = vm_status({}, 1, replace(moved(NOW), outage=Outage(NOW)), NOW)
    spec = {
        "pairRef": {"name": "site"},
        "cores": 1,
        "memory": "1Gi",
        "disks": [{"name": "root", "blank": {}, "capacity": "1Gi"}],
    }
    parsed = ProtectedVM.parse({"metadata": metadata | {"namespace": "shop"}, "spec": spec, "status": vm}).status
    assert parsed.last_failover is not None
    assert parsed.last_failover.from_ == "node-a"


# --- too much of everything -------------------------------------------------------------------------------------------


def test_a_selector_that_matches_every_node_of_the_cluster_still_gets_a_status_that_can_be_written() -> None:
    nodes = tuple(replace(node(), name=f"server-{number:02}.rack.example.com") for number in range(50))
    view = replace(pair(), nodes=nodes)
    status = pair_status({}, 1, view, report(view, NOW), NOW)
    AvancePair.parse({"metadata": {"name": "site"}, "spec": {"nodeSelector": {"a": "b"}}, "status": status})
    [ready] = [each for each in status["conditions"] if each["type"] == "Ready"]
    assert ready["reason"] == "NotTwoNodes"
    assert "50 nodes" in ready["message"]


def test_a_detector_that_talks_too_much_still_gets_a_status_that_can_be_written() -> None:
    broken = tuple(
        fault("DiskProblem", f"{number}{'x' * 400}", part="p" * 400, serial="s" * 400) for number in range(99)
    )
    view = pair(node(faults=broken))
    status = pair_status({}, 1, view, report(view, NOW), NOW)
    AvancePair.parse({"metadata": {"name": "site"}, "spec": {"nodeSelector": {"a": "b"}}, "status": status})


def test_what_is_remembered_of_a_node_outlives_its_object() -> None:
    known = {
        "name": "node-b",
        "state": "InService",
        "score": 100,
        "expectedSystemUUID": "2d6f3b63-4b5f-4e9b-8c52-1e2f6f7f8b02",
        "declaredDown": {"since": to_api(NOW), "message": "its disk"},
    }
    alone = replace(pair(), nodes=(node("node-a"),))
    status = pair_status({"nodes": [known]}, 1, alone, report(alone, NOW), NOW)
    [_, away] = status["nodes"]
    assert away == {**{key: known[key] for key in ("name", "expectedSystemUUID", "declaredDown")}, "state": "Absent"}
    AvancePair.parse({"metadata": {"name": "site"}, "spec": {"nodeSelector": {"a": "b"}}, "status": status})


# --- crashes ----------------------------------------------------------------------------------------------------------


def test_the_times_of_the_last_crash_stay_when_its_actions_are_pruned() -> None:
    steps = (StepView("Close", NOW), StepView("Release", NOW + 4))
    fence = action(ActionType.FENCE, "node-a", steps=steps, finished_at=NOW + 5, evidence=evidence(node()))
    crashed = pair(actions=(fence,))
    told = pair_status({}, 1, crashed, report(crashed, NOW), NOW)
    assert told["lastCrash"] == {
        "node": "node-a",
        "incident": "incident-1",
        "time": to_api(NOW + 5),
        "phases": [{"phase": "Fence", "seconds": 4, "budgetSeconds": 30}],
    }
    assert pair_status(told, 1, pair(), report(pair(), NOW), NOW)["lastCrash"] == told["lastCrash"]
