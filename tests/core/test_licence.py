"""No start without the proof that the last instance has ended."""

from dataclasses import replace

import pytest

from avance.core.licence import ORPHAN_SECONDS, why_not_start
from avance.core.model import ActionType, PairView, StepView, VmPhase, VmView
from tests.core.views import NOW, action, ended, evidence, launcher, node, pair, reads, running


def licence(view: PairView, vm: VmView, now: float = NOW) -> str:
    return why_not_start(replace(view, vms=(vm,)), vm, now)


def test_a_vm_whose_end_a_live_kubelet_reported_may_be_started() -> None:
    vm = ended()
    assert licence(pair(pods=(launcher(vm, phase="Succeeded"),)), vm) == ""


def test_a_vm_that_never_ran_may_be_started() -> None:
    vm = replace(running(), instance=None, last_node="")
    assert licence(pair(), vm) == ""


@pytest.mark.parametrize("phase", [phase for phase in VmPhase if not phase.final])
def test_an_instance_that_is_not_final_forbids_a_start(phase: VmPhase) -> None:
    vm = ended(phase=phase)
    assert f"an instance of it is {phase}" in licence(pair(), vm)


@pytest.mark.parametrize("on", ["node-a", "node-b", ""])
@pytest.mark.parametrize("phase", ["Pending", "Running", "Unknown"])
def test_a_launcher_pod_that_has_not_ended_forbids_a_start(on: str, phase: str) -> None:
    vm = ended()
    assert "has not ended" in licence(pair(pods=(launcher(vm, on=on, phase=phase),)), vm)


def test_a_node_that_left_the_cluster_proves_nothing() -> None:
    vm = replace(ended(on="node-c"), last_node="node-c")
    assert "node-c, where it ran last, is not in the cluster" in licence(pair(), vm)


@pytest.mark.parametrize(
    "a",
    [
        node(heard_at=NOW - 60),
        node(heard_at=NOW - 60, ready="Unknown"),
        node(heard_at=NOW - 60, power=reads("Off")),
    ],
    ids=["silent", "not ready", "its BMC reads Off"],
)
def test_a_node_that_is_not_known_to_live_forbids_a_start(a: object) -> None:
    vm = ended(at=NOW - 120)
    assert "it may still run on node-a" in licence(pair(a, pods=(launcher(vm, phase="Failed"),)), vm)  # type: ignore[arg-type]


def test_evidence_for_the_node_is_the_licence() -> None:
    a = node(heard_at=NOW - 60)
    fence = action(ActionType.FENCE, "node-a", evidence=evidence(a))
    assert licence(pair(a, actions=(fence,)), ended()) == ""


@pytest.mark.parametrize("field", ["boot_id", "heartbeat"])
def test_evidence_that_the_node_has_outlived_is_none(field: str) -> None:
    a = node(heard_at=NOW - 60)
    fence = action(ActionType.FENCE, "node-a", evidence=replace(evidence(a), **{field: "an earlier one"}))
    assert licence(pair(a, actions=(fence,)), ended()) != ""


def test_evidence_for_one_node_does_not_cover_the_other_one_that_it_may_run_on() -> None:
    a, b = node("node-a", heard_at=NOW - 60), node("node-b", heard_at=NOW - 60)
    vm = replace(ended(on="node-a"), last_node="node-b")
    fence = action(ActionType.FENCE, "node-a", evidence=evidence(a))
    assert "it may still run on node-b" in licence(pair(a, b, actions=(fence,)), vm)


@pytest.mark.parametrize(
    ("vanished", "contact", "heard", "allowed"),
    [
        (60.0, 900.0, 10.0, True),
        (9 + ORPHAN_SECONDS, 900.0, 9.0, True),
        (9 + ORPHAN_SECONDS - 0.1, 900.0, 9.0, False),
        (2.0, 900.0, 1.0, False),
        (4.0, 900.0, 9.0, False),
        (60.0, 0.5, 0.5, False),
        (60.0, 50.0, 50.0, False),
        (60.0, 1 + ORPHAN_SECONDS - 0.1, 1.0, False),
        (60.0, 1 + ORPHAN_SECONDS, 1.0, True),
    ],
    ids=[
        "in contact long since", "for just long enough", "not for long enough after it vanished", "only just vanished",
        "not heard since it vanished", "heard again only now", "back for a moment",
        "heard too soon after it was back", "heard long enough after it was back",
    ],
)  # fmt: skip
def test_a_pod_that_vanished_is_believed_only_after_its_kubelet_had_time(
    vanished: float, contact: float, heard: float, allowed: bool
) -> None:
    """All in seconds before now: somebody force-deleted the pod, and the guest may still run."""
    view = pair(node(heard_at=NOW - heard, heard_since=NOW - contact))
    assert (licence(view, ended(at=NOW - vanished)) == "") is allowed


@pytest.mark.parametrize(
    ("contact", "vanished", "heard", "allowed"),
    [
        (900.0, NOW, 900.0, True),
        (1 + ORPHAN_SECONDS, NOW, 1.0, True),
        (1 + ORPHAN_SECONDS - 0.1, NOW, 1.0, False),
        (900.0, 1.0, 2.0, False),
        (900.0, 2 + ORPHAN_SECONDS, 2.0, True),
    ],
    ids=["ended in order", "in contact for just long enough", "only just back", "not heard since", "heard long after"],
)
def test_an_instance_that_vanished_altogether_is_believed_only_of_a_kubelet_in_contact(
    contact: float, vanished: float, heard: float, allowed: bool
) -> None:
    """Somebody removed pod and instance of a server that is cut off, or has only just come back."""
    gone = replace(ended(), instance=None, last_node="node-a", vanished_at=NOW - vanished)
    view = pair(node(heard_since=NOW - contact, heard_at=NOW - min(heard, 10.0)))
    assert (licence(view, gone) == "") is allowed


@pytest.mark.parametrize(
    ("steps", "allowed"), [(("Start", "Boot"), False), (("Copy",), False), (("Release", "Place"), True)]
)
def test_a_vm_written_anew_is_not_started_while_its_predecessor_may_still_run(
    steps: tuple[str, ...], allowed: bool
) -> None:
    """Somebody deletes a ProtectedVM whose server is cut off, by force, and writes it anew: its status is empty."""
    anew = replace(running(), instance=None, last_node="")
    ran = action(ActionType.START, anew.key, destination="node-a", steps=tuple(StepView(step, NOW) for step in steps))
    view = pair(node(heard_at=NOW - 60), vms=(anew,), actions=(ran,))
    assert (why_not_start(view, anew, NOW) == "") is allowed
