"""Two independent opinions make a death; one, or a sign of life, does not."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avance.core.liveness import Life, judge, standing_evidence
from avance.core.model import ActionType, NodeView
from avance.core.policy import DetectionPolicy
from avance.core.power import PowerReading
from tests.core.views import NOW, action, evidence, node, pair, reads

LIMIT = DetectionPolicy().lease_silence_seconds
SILENT = NOW - 60.0
LATELY = NOW - 1.0


def verdict(a: NodeView, b: NodeView) -> Life:
    return judge(pair(a, b), a, NOW).life


def survivor(unreachable_since: float | None = None, **fields: object) -> NodeView:
    return node("node-b", hears_peer=unreachable_since is None, peer_unreachable_since=unreachable_since, **fields)


MUTE = survivor(NOW - 10)
DEAF = node("node-b", hears_peer=None)


@pytest.mark.parametrize(
    ("a", "b", "life"),
    [
        (node(heard_at=LATELY), survivor(), Life.ALIVE),
        (node(heard_at=SILENT), survivor(), Life.SUSPECT),
        (node(heard_at=SILENT), DEAF, Life.SUSPECT),
        (node(heard_at=SILENT), MUTE, Life.DEAD),
        (node(heard_at=SILENT), survivor(NOW - 1), Life.SUSPECT),
        (node(heard_at=SILENT), survivor(NOW - 2), Life.DEAD),
        (node(heard_at=NOW - LIMIT + 0.1), DEAF, Life.ALIVE),
        (node(heard_at=NOW - LIMIT), DEAF, Life.SUSPECT),
        (node(heard_at=NOW - 12), MUTE, Life.SUSPECT),
        (node(heard_at=NOW - 12, power=reads("Off")), MUTE, Life.DEAD),
        (node(heard_at=SILENT, power=reads("Off")), DEAF, Life.DEAD),
        (node(heard_at=SILENT, power=reads("Off")), survivor(), Life.SUSPECT),
        (node(heard_at=LATELY, power=reads("Off")), survivor(), Life.SUSPECT),
        (node(heard_at=NOW - 3), survivor(NOW - 10), Life.ALIVE),
        (node(heard_at=NOW - 3, power=reads("Off", at=NOW - 4)), DEAF, Life.ALIVE),
        (node(heard_at=SILENT), replace(MUTE, heard_at=SILENT), Life.SUSPECT),
        (node(heard_at=SILENT, power=reads("Off")), replace(MUTE, heard_at=SILENT), Life.SUSPECT),
    ],
    ids=[
        "heard lately", "silent but heard by the other", "silence alone", "silent and unreachable",
        "unreachable only just", "unreachable for just long enough", "silent almost long enough",
        "silent for just long enough", "unreachable alone", "unreachable and off", "silent and off",
        "silent and off, yet heard", "off, yet heard", "heard since it was unreachable", "heard since it read Off",
        "both silent", "both silent, one off",
    ],
)  # fmt: skip
def test_verdict(a: NodeView, b: NodeView, life: Life) -> None:
    assert verdict(a, b) is life


@pytest.mark.parametrize(
    "power",
    [
        reads("On"),
        reads("PoweringOff"),
        reads("off"),
        reads("Off "),
        reads(""),
        reads("Off", error="time-out"),
        reads("Off", uuid=""),
        reads("Off", uuid="2d6f3b63-4b5f-4e9b-8c52-1e2f6f7f8b02"),
        None,
    ],
    ids=["On", "PoweringOff", "off", "blank behind", "empty", "error", "no UUID", "of another server", "not asked"],
)
def test_nothing_but_off_of_this_very_server_counts(power: PowerReading | None) -> None:
    assert verdict(node(heard_at=SILENT, power=power), DEAF) is Life.SUSPECT


def test_a_node_that_this_operator_has_never_heard_is_neither_alive_nor_dead() -> None:
    assert verdict(node(heard_at=LATELY, heard=False), survivor()) is Life.UNHEARD


def test_without_a_second_node_nothing_is_dead() -> None:
    a = node(heard_at=SILENT, power=reads("Off"))
    assert judge(replace(pair(a), nodes=(a,)), a, NOW).life is Life.SUSPECT


def test_the_verdict_says_when_to_look_again() -> None:
    a = node(heard_at=NOW - 5)
    assert judge(pair(a, DEAF), a, NOW).reconsider_at == NOW + LIMIT - 5
    assert judge(pair(a, survivor(NOW - 1)), a, NOW).reconsider_at == NOW + 1


def test_the_newest_evidence_stands_until_the_node_gives_a_sign_of_life() -> None:
    a = node(heard_at=SILENT)
    old, new = evidence(a, at=NOW - 50, heartbeat="earlier"), evidence(a, at=NOW)
    fences = tuple(
        action(ActionType.FENCE, "node-a", evidence=proof, created_at=proof.observed_at) for proof in (old, new)
    )
    assert standing_evidence(pair(a, actions=fences), "node-a") == new
    assert standing_evidence(pair(a, actions=fences[:1]), "node-a") is None
    assert standing_evidence(pair(replace(a, heartbeat="later"), actions=fences), "node-a") is None
    assert standing_evidence(pair(replace(a, boot_id="later"), actions=fences), "node-a") is None
    assert standing_evidence(pair(a, actions=fences), "node-b") is None


nodes = st.builds(
    node,
    heard_at=st.floats(NOW - 100, NOW),
    hears_peer=st.sampled_from([None, True, False]),
    peer_unreachable_since=st.none() | st.floats(NOW - 100, NOW),
    power=st.none() | st.builds(reads, st.sampled_from(["On", "Off", "PoweringOff"]), at=st.floats(NOW - 100, NOW)),
)


@given(nodes, nodes)
def test_never_are_both_dead_of_whom_neither_is_heard(a: NodeView, b: NodeView) -> None:
    b = replace(b, name="node-b", system_uuid="2d6f3b63-4b5f-4e9b-8c52-1e2f6f7f8b02")
    view = pair(a, b)
    silence = view.policy.detection.lease_silence_seconds
    if judge(view, a, NOW).life is Life.DEAD:
        assert NOW - b.heard_at < silence
        assert not b.hears_peer
        assert a.power is None or a.power.is_off or NOW - a.heard_at >= silence


@given(nodes, nodes, st.floats(0, 50))
def test_a_newer_sign_of_life_never_makes_a_node_more_dead(a: NodeView, b: NodeView, later: float) -> None:
    b = replace(b, name="node-b")
    ranks = [Life.ALIVE, Life.UNHEARD, Life.SUSPECT, Life.DEAD]
    livelier = replace(a, heard_at=min(NOW, a.heard_at + later))
    assert ranks.index(verdict(livelier, b)) <= ranks.index(verdict(a, b))
