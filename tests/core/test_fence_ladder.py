"""What counts as evidence that a server runs nothing: its BMC's word, its own last words, a person's word."""

from dataclasses import replace
from typing import Any

import pytest

from avance.core.attestation import why_void, word_of
from avance.core.fence_path import pause_between_looks, pause_between_orders, trouble, why_bmc_proves_nothing
from avance.core.fencing_report import bmc_lied, fence_path
from avance.core.graceful_leave import graceful_leave
from avance.core.intents import crash_incident
from avance.core.liveness import Life, judge, lies, standing_evidence
from avance.core.model import ActionPhase, ActionType, ActionView, NodeView, PairView, StepView
from avance.core.requests import why_not_take_up
from avance.core.workflows import attest_off, fence
from tests.core.views import NOW, action, ended, evidence, launcher, node, pair, reads, running

DEAD = node(heard_at=NOW - 20, cordoned=True, closed=True, accepts_vms=False)
MUTE = node("node-b", hears_peer=False, peer_unreachable_since=NOW - 10)
UNREADABLE = reads("", error="connection refused")


def attestation(**fields: Any) -> ActionView:
    said = {"message": "node-a is off: I pulled both plugs", "requested_by": "alice", "created_at": NOW - 5}
    return action(ActionType.ATTEST_OFF, "node-a", ActionPhase.RUNNING, **(said | fields))


def taken_up(of: NodeView = DEAD, **fields: Any) -> ActionView:
    word = attestation(**fields)
    return replace(word, evidence=word_of(word, of, NOW - 4), current="Await")


def fencing(of: NodeView = DEAD, step: str = "PowerOff", since: float = NOW - 5) -> ActionView:
    its = {"incident": crash_incident(of), "created_at": since, "current": step, "steps": (StepView(step, since),)}
    return action(ActionType.FENCE, "node-a", ActionPhase.RUNNING, **its)


# ── a person's word ──


def test_a_person_is_the_second_opinion_and_the_evidence_where_no_bmc_can_speak() -> None:
    silent = replace(DEAD, power=UNREADABLE)
    view = pair(silent, node("node-b", hears_peer=None), actions=(fencing(), taken_up()))
    assert judge(view, silent, NOW).life is Life.DEAD
    proven = fence.advance(view.actions[0], view, NOW)
    assert proven.evidence is not None
    assert (proven.evidence.kind, proven.evidence.source) == ("OperatorAttested", "alice")
    assert "alice attests: node-a is off: I pulled both plugs" in proven.message


@pytest.mark.parametrize(
    ("a", "b", "word", "void"),
    [
        (replace(DEAD, heartbeat="later"), MUTE, taken_up(), "has given a sign of life since"),
        (replace(DEAD, boot_id="another"), MUTE, taken_up(), "has given a sign of life since"),
        (DEAD, node("node-b", hears_peer=True), taken_up(), "node-b still hears node-a"),
        (replace(DEAD, power=reads("On")), MUTE, taken_up(), "the BMC of node-a reads On"),
        (replace(DEAD, power=reads("PoweringOff")), MUTE, taken_up(), "the BMC of node-a reads PoweringOff"),
        (DEAD, MUTE, taken_up(created_at=NOW - 601), "it has expired"),
    ],
)
def test_a_persons_word_overrides_nothing_that_still_speaks(
    a: NodeView, b: NodeView, word: ActionView, void: str
) -> None:
    view = pair(a, b, actions=(fencing(a), word))
    assert void in why_void(word, view, a, NOW)
    assert fence.advance(view.actions[0], view, NOW).evidence is None
    ended_in = attest_off.advance(word, view, NOW)
    assert ended_in.outcome is ActionPhase.CANCELLED
    assert void in ended_in.message


@pytest.mark.parametrize("power", [None, UNREADABLE, reads("Off"), reads("On", uuid="0" * 32)])
def test_a_bmc_that_does_not_speak_of_this_server_does_not_contradict(power: Any) -> None:
    off = replace(DEAD, power=power)
    assert why_void(taken_up(), pair(off, MUTE), off, NOW) == ""


def test_the_word_is_taken_up_only_for_a_server_that_somebody_doubts() -> None:
    alive = node(hears_peer=None)
    view = pair(alive, node("node-b", hears_peer=None))
    refused = attest_off.advance(attestation(), view, NOW)
    assert refused.outcome is ActionPhase.CANCELLED
    assert "node-a is alive, whatever anybody says" in refused.message
    assert attest_off.advance(attestation(), pair(DEAD, MUTE), NOW).evidence is not None
    unheard = replace(alive, heard=False)
    assert attest_off.advance(attestation(), pair(unheard, node("node-b", hears_peer=None)), NOW).step == "Accept"


def test_a_word_proves_nothing_before_a_fence_relies_on_it_and_is_used_up_then() -> None:
    word = taken_up()
    assert standing_evidence(pair(DEAD, MUTE, actions=(word,)), "node-a") is None
    assert word.evidence is not None
    used = replace(fencing(), evidence=replace(word.evidence, observed_at=NOW))
    view = pair(DEAD, MUTE, actions=(used, word))
    assert standing_evidence(view, "node-a") == used.evidence
    assert attest_off.advance(word, view, NOW).outcome is ActionPhase.SUCCEEDED


@pytest.mark.parametrize(
    ("word", "refusal"),
    [
        (attestation(requested_by=""), "name yourself in requestedBy"),
        (attestation(message="it is off"), "name node-a in it"),
        (attestation(message="node-a"), "say in the message what you have seen"),
        (replace(attestation(), target="node-x"), "node-x is not a node of pair"),
        (attestation(), ""),
    ],
)
def test_a_word_needs_a_person_and_what_was_seen(word: ActionView, refusal: str) -> None:
    said = why_not_take_up(word, pair(DEAD, MUTE, actions=(fencing(), word)))
    assert refusal in said
    assert bool(said) == bool(refusal)


# ── a server's own last words ──

LEFT = replace(DEAD, shutting_down=True)
LAST = ended(at=NOW - 30)
LAST_POD = launcher(LAST, phase="Succeeded", ended_by_kubelet=True)


def test_an_orderly_leave_is_evidence_where_no_bmc_can_speak() -> None:
    left = replace(LEFT, power=UNREADABLE)
    view = pair(left, MUTE, vms=(LAST,), pods=(LAST_POD,), actions=(fencing(),))
    proven = fence.advance(view.actions[0], view, NOW).evidence
    assert proven is not None
    assert proven.kind == "GracefulLeaveRecorded"
    assert (proven.boot_id, proven.heartbeat) == (left.boot_id, left.heartbeat)
    on = pair(replace(left, power=reads("On")), MUTE, vms=(LAST,), pods=(LAST_POD,), actions=(fencing(),))
    assert fence.advance(on.actions[0], on, NOW).evidence is None


@pytest.mark.parametrize(
    "view",
    [
        pair(DEAD, MUTE, (LAST,), (LAST_POD,)),
        pair(replace(LEFT, heard_at=NOW - 5), MUTE, (LAST,), (LAST_POD,)),
        pair(LEFT, node("node-b", hears_peer=None), (LAST,), (LAST_POD,)),
        pair(LEFT, MUTE, (LAST,), (replace(LAST_POD, ended_by_kubelet=False),)),
        pair(LEFT, MUTE, (LAST,), (LAST_POD, launcher(running("db"), on="node-a"))),
        pair(LEFT, MUTE, (LAST,), ()),
        pair(LEFT, MUTE, (replace(LAST, instance=None, vanished_at=NOW - 40),), ()),
        pair(LEFT, MUTE, (running("db"),), (LAST_POD,)),
    ],
    ids=["crashed", "not silent", "nobody looked", "by others", "a pod left", "no report", "vanished", "runs"],
)
def test_an_orderly_leave_needs_every_record(view: PairView) -> None:
    assert graceful_leave(view, view.nodes[0], NOW) is None


def test_what_moved_away_in_order_does_not_count_against_a_leave() -> None:
    moved = replace(running("web", on="node-b"), last_node="node-a")
    gone = replace(LAST, instance=None, vanished_at=0.0)
    assert graceful_leave(pair(LEFT, MUTE, (moved, gone)), LEFT, NOW) is not None


# ── a BMC's word ──


def test_a_bmc_that_reads_off_in_the_middle_of_a_life_is_not_believed() -> None:
    liar = node(heard_since=NOW - 600, heard_at=NOW - 1, power=reads("Off", at=NOW - 10))
    assert lies(liar)
    assert bmc_lied(liar)
    assert fence_path(liar).reason == "Contradicted"
    remembered = replace(DEAD, bmc_lied=True, power=reads("Off"))
    assert judge(pair(remembered, node("node-b", hears_peer=None)), remembered, NOW).life is Life.SUSPECT
    view = pair(remembered, MUTE, actions=(fencing(step="ConfirmOff"),))
    assert fence.advance(view.actions[0], view, NOW).evidence is None
    assert not bmc_lied(replace(remembered, power=reads("On")))


@pytest.mark.parametrize(
    "honest",
    [
        node(heard_since=NOW - 4, heard_at=NOW - 1, power=reads("Off", at=NOW - 8)),
        node(heard_since=NOW - 600, heard_at=NOW - 20, power=reads("Off", at=NOW - 8)),
        node(heard_since=NOW - 600, heard_at=NOW - 1, power=reads("Off", at=NOW - 8)),
        node(heard=False, heard_since=NOW - 600, heard_at=NOW - 1, power=reads("Off", at=NOW - 8)),
        node(heard_since=NOW - 600, power=reads("On", at=NOW - 8)),
    ],
    ids=["booted since", "silent since", "a late sign", "not heard by us", "reads On"],
)
def test_off_before_a_boot_or_during_silence_is_no_lie(honest: NodeView) -> None:
    assert not lies(honest)
    assert "has read Off while" not in why_bmc_proves_nothing(honest)


def test_tries_become_rarer_the_longer_they_are_of_no_use() -> None:
    looks = [pause_between_looks(fencing(since=NOW - waited), NOW) for waited in (0, 5, 60, 200, 3600)]
    assert looks == [0.5, 0.5, 3.0, 10.0, 15.0]
    assert pause_between_looks(fencing(step="ConfirmOff", since=NOW - 3600), NOW) == 0.5
    assert pause_between_looks(None, NOW) == 0.5
    orders = [pause_between_orders(fencing(since=NOW - waited), NOW) for waited in (0, 60, 300, 3600)]
    assert orders == [10.0, 12.0, 60.0, 120.0]


def test_a_server_that_is_not_proven_off_is_told_with_what_a_person_can_do() -> None:
    waiting = fencing(since=NOW - 31)
    view = pair(replace(DEAD, heard_at=NOW - 50), MUTE, actions=(waiting,))
    told = trouble(view, NOW)
    assert "node-a is held to be dead since" in told
    assert "create an AvanceAction AttestOff" in told
    assert trouble(replace(view, actions=(replace(waiting, created_at=NOW - 29),)), NOW) == ""
    suspect = pair(node(heard_at=NOW - 50), node("node-b", hears_peer=None))
    assert "node-a may be dead, and is not fenced" in trouble(suspect, NOW)
    assert trouble(pair(node(heard_at=NOW - 50), node("node-b", hears_peer=True)), NOW) == ""
    assert evidence(DEAD).kind == "PowerOffConfirmed"
