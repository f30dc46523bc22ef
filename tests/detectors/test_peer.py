"""What is made of the probes of the two ways to the peer."""

from __future__ import annotations

import pytest

from detectors.finding import Finding, Verdict
from detectors.peer import Way, peer_finding, private_link_finding

MISSED = 5
PRIVATE, PUBLIC = "private link", "public network"


def peer(private: Way, public: Way) -> Finding | None:
    return peer_finding("node-b", (private, public), MISSED)


def test_one_way_that_answers_is_enough() -> None:
    for private, public in ((0, 99), (99, 0), (0, 0)):
        finding = peer(Way(PRIVATE, private), Way(PUBLIC, public))
        assert finding == Finding(Verdict.FINE, "no PeerUnreachable detected")


def test_both_ways_have_to_be_silent_for_long_enough() -> None:
    assert peer(Way(PRIVATE, 5), Way(PUBLIC, 4)) is None
    assert peer(Way(PRIVATE, 4), Way(PUBLIC, 99)) is None
    finding = peer(Way(PRIVATE, 5), Way(PUBLIC, 5))
    assert finding is not None
    assert finding.verdict is Verdict.PROBLEM
    assert finding.message == (
        "component=node-b state=unreachable part=- serial=- "
        "detail=no answer over the private link nor the public network"
    )


@pytest.mark.parametrize("other", [0, 3, 5, 99])
def test_a_way_that_cannot_be_probed_proves_no_silence(other: int) -> None:
    finding = peer(Way(PRIVATE, 99, trouble="it needs the capability NET_RAW"), Way(PUBLIC, other))
    if other == 0:
        assert finding is not None
        assert finding.verdict is Verdict.FINE
    elif other < MISSED:
        assert finding is None
    else:
        assert finding is not None
        assert finding.verdict is Verdict.UNKNOWN
        assert "the private link to node-b cannot be probed" in finding.message


def test_no_way_at_all_can_be_probed() -> None:
    finding = peer(Way(PRIVATE, 0, trouble="x"), Way(PUBLIC, 0, trouble="x"))
    assert finding is not None
    assert finding.verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("way", "verdict", "words"),
    [
        (Way(PRIVATE, 0, True), Verdict.FINE, "no PrivateLinkProblem detected"),
        (Way(PRIVATE, 5, True), Verdict.PROBLEM, "detail=node-b does not answer over it"),
        (Way(PRIVATE, 1, False), Verdict.PROBLEM, "detail=no carrier towards node-b"),
        (Way(PRIVATE, 9, None, "there is no interface"), Verdict.UNKNOWN, "there is no interface"),
        (Way(PRIVATE, 0, True, "not permitted"), Verdict.UNKNOWN, "not permitted"),
    ],
)
def test_the_private_link(way: Way, verdict: Verdict, words: str) -> None:
    finding = private_link_finding("node-b", way, MISSED)
    assert finding is not None
    assert finding.verdict is verdict
    assert words in finding.message
    if verdict is Verdict.PROBLEM:
        assert finding.message.startswith("component=private-link state=down ")


def test_the_private_link_before_enough_probes() -> None:
    assert private_link_finding("node-b", Way(PRIVATE, 4, True), MISSED) is None
