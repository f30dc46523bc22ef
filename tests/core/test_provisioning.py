"""Disks that are made with a VM: what is told of them, and what is not done before they are there."""

from dataclasses import replace

import pytest

from avance.core.intents import Intent
from avance.core.model import ActionPhase, ActionType, StepView, VmView
from avance.core.plan import plan
from avance.core.provisioning import NewDisk, Provisioning, provisioned, why_disks_keep_it, why_not_filled
from avance.core.report import report
from avance.core.what_if import blockers
from avance.core.workflows.start import advance
from avance.simulator.from_view import simulation_of
from tests.core.views import NOW, action, pair, running

FILLED = NewDisk("root", "default/web-root", "Succeeded", filled_at=NOW - 900)


def disk(phase: str = "", percent: float | None = None, trouble: str = "", tries: int = 0) -> Provisioning:
    return Provisioning((FILLED, NewDisk("data", "default/web-data", phase, percent, trouble, tries)))


def new_vm(disks: Provisioning) -> VmView:
    return replace(running(), instance=None, last_node="", prefers="node-a", provisioning=disks)


def starts(vm: VmView) -> list[Intent]:
    return [each for each in plan(pair(vms=(vm,)), NOW).intents if each.type is ActionType.START]


@pytest.mark.parametrize(
    ("disks", "reason", "words"),
    [
        (disk(), "Provisioning", "disk data is not begun yet"),
        (disk("Pending"), "Provisioning", "disk data waits to be begun"),
        (disk("ImportScheduled"), "Provisioning", "disk data is imported"),
        (disk("ImportInProgress", 12.5), "Provisioning", "disk data is imported: 12 %"),
        (disk("CSICloneInProgress"), "Provisioning", "disk data is copied"),
        (
            disk("Failed"),
            "ProvisioningFailed",
            "disk data cannot be made: see the events of DataVolume default/web-data",
        ),
        (
            disk("ImportInProgress", trouble="Unable to connect to http data source: got 404.", tries=3),
            "ProvisioningFailed",
            "disk data cannot be made (3 tries so far): Unable to connect to http data source: got 404; see that the "
            "address is right and answers; a wrong one needs a disk of another name",
        ),
        (
            disk("ImportInProgress", tries=2),
            "ProvisioningFailed",
            "disk data is tried again after 2 tries: see the events of DataVolume default/web-data",
        ),
        (disk("PendingPopulation"), "WaitsForStart", "disk data is made when the VM starts"),
        (Provisioning(impossible="no class"), "NoStorageClass", "no class"),
    ],
)
def test_what_is_not_there_is_named_with_its_cause(disks: Provisioning, reason: str, words: str) -> None:
    found = provisioned(disks)
    assert (found.holds, found.reason, found.message) == (False, reason, words)


def test_a_vm_without_new_disks_and_one_whose_disks_are_there_are_provisioned() -> None:
    for disks in (Provisioning(), Provisioning((FILLED,))):
        assert provisioned(disks).holds
        assert not why_not_filled(disks)


@pytest.mark.parametrize("phase", ["", "Pending", "ImportInProgress", "CloneScheduled", "Failed", "Unknown"])
def test_nothing_is_started_before_its_disks_are_there(phase: str) -> None:
    vm = new_vm(disk(phase))
    assert starts(vm) == []
    [told] = report(pair(vms=(vm,)), NOW).vms
    assert told.phase == "Provisioning"
    assert told.outage is None
    assert starts(new_vm(Provisioning((FILLED,))))


@pytest.mark.parametrize("phase", ["WaitForFirstConsumer", "PendingPopulation"])
def test_a_disk_that_waits_for_the_vm_does_not_keep_it(phase: str) -> None:
    assert starts(new_vm(disk(phase)))
    assert not why_disks_keep_it(disk(phase))


def test_a_start_that_fills_a_disk_has_all_the_time_that_takes_and_its_own_afterwards() -> None:
    started = action(
        ActionType.START,
        "default/web",
        steps=(StepView("Start", NOW - 10_000),),
        current="Start",
        phase=ActionPhase.RUNNING,
        destination="node-a",
    )
    filling = pair(vms=(new_vm(disk("PendingPopulation")),), actions=(started,))
    assert not advance(started, filling, NOW).outcome
    just_filled = Provisioning((replace(FILLED, filled_at=NOW - 5),))
    assert not advance(started, pair(vms=(new_vm(just_filled),), actions=(started,)), NOW).outcome
    long_filled = Provisioning((FILLED,))
    late = NOW + 100_000
    assert advance(started, pair(vms=(new_vm(long_filled),), actions=(started,)), late).outcome == "Failed"


def test_what_cannot_be_made_is_not_asked_of_kubevirt() -> None:
    impossible = replace(new_vm(Provisioning(impossible="no class")), exists=False)
    assert plan(pair(vms=(impossible,)), NOW).upkeep == ()
    possible = replace(impossible, provisioning=Provisioning((FILLED,)))
    assert plan(pair(vms=(possible,)), NOW).upkeep != ()


def test_a_disk_that_was_added_keeps_a_crash_from_being_survived() -> None:
    vm = replace(running(), provisioning=disk("ImportInProgress", 40.0))
    view = pair(vms=(vm,))
    found = {blocker.reason: blocker.message for blocker in blockers(view, view.nodes[0], NOW)}
    assert found["NotProvisioned"] == "default/web could not be started: disk data is imported: 40 %"


def test_what_if_starts_no_vm_that_waits_for_its_disks() -> None:
    for disks, shall in ((disk("ImportInProgress", 40.0), False), (Provisioning((FILLED,)), True)):
        sim = simulation_of(pair(vms=(new_vm(disks),)), NOW)
        assert sim.api.vms["default/web"].should_run is shall
