"""Findings into conditions, against an HTTP server that merges them as the API server does."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from detectors.finding import Finding, Verdict
from detectors.kinds import PEER, PRIVATE_LINK
from detectors.node_status import Access, ApiError, NodeStatus
from detectors.reporter import Reporter
from tests.detectors.node_api import NodeApi

FINE = Finding(Verdict.FINE, "no PeerUnreachable detected")
BAD = Finding(Verdict.PROBLEM, "component=node-b state=unreachable part=- serial=- detail=no answer")
Reporters = Callable[[], Reporter]


class Clock:
    seconds = 0

    def __call__(self) -> datetime.datetime:
        return datetime.datetime(2026, 5, 1, 12, 0, tzinfo=datetime.UTC) + datetime.timedelta(seconds=self.seconds)


@pytest.fixture
def api() -> Iterator[NodeApi]:
    served = NodeApi()
    yield served
    served.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def reporters(api: NodeApi, clock: Clock) -> AsyncIterator[Reporters]:
    running: list[asyncio.Task[None]] = []

    def start() -> Reporter:
        for task in running:
            task.cancel()
        reporter = Reporter(NodeStatus(Access(api.url), "node-a"), clock)
        running.append(asyncio.create_task(reporter.run()))
        return reporter

    yield start
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


async def patches(api: NodeApi, count: int) -> None:
    async with asyncio.timeout(10):
        while len(api.patches) < count:
            await asyncio.sleep(0.01)


async def test_a_change_is_written_at_once_and_the_rest_left_alone(api: NodeApi, reporters: Reporters) -> None:
    reporter = reporters()
    reporter.tell(PEER, FINE)
    await patches(api, 1)
    assert api.conditions["PeerUnreachable"] == {
        "type": "PeerUnreachable",
        "status": "False",
        "reason": "PeerAnswers",
        "message": "no PeerUnreachable detected",
        "lastHeartbeatTime": "2026-05-01T12:00:00Z",
        "lastTransitionTime": "2026-05-01T12:00:00Z",
    }
    reporter.tell(PEER, BAD)
    await patches(api, 2)
    assert api.conditions["PeerUnreachable"]["status"] == "True"
    assert api.conditions["PeerUnreachable"]["reason"] == "PeerDoesNotAnswer"
    assert api.conditions["Ready"]["lastTransitionTime"] == "2026-01-01T00:00:00Z"
    assert {request[:3] for request in api.requests} == {
        ("GET", "/api/v1/nodes/node-a", ""),
        ("PATCH", "/api/v1/nodes/node-a/status", "application/strategic-merge-patch+json"),
    }


async def test_only_changes_are_written(api: NodeApi, reporters: Reporters) -> None:
    reporter = reporters()
    for _ in range(20):
        reporter.tell(PEER, FINE)
        await asyncio.sleep(0)
    reporter.tell(PRIVATE_LINK, FINE)
    await patches(api, 1)
    reporter.tell(PEER, BAD)
    await patches(api, len(api.patches) + 1)
    told = [entry["type"] for patch in api.patches for entry in patch]
    assert told.count("PeerUnreachable") == 2
    assert told.count("PrivateLinkProblem") == 1


async def test_the_transition_time_moves_with_the_status_only(api: NodeApi, reporters: Reporters, clock: Clock) -> None:
    reporter = reporters()
    reporter.tell(PEER, BAD)
    await patches(api, 1)
    since = api.conditions["PeerUnreachable"]["lastTransitionTime"]
    clock.seconds = 60
    reporter.tell(PEER, Finding(Verdict.PROBLEM, BAD.message + " at all"))
    await patches(api, 2)
    assert api.conditions["PeerUnreachable"]["lastTransitionTime"] == since
    assert api.conditions["PeerUnreachable"]["message"].endswith("at all")
    clock.seconds = 120
    reporters().tell(PEER, BAD)  # started again: the fault is the same one
    await patches(api, 3)
    assert api.conditions["PeerUnreachable"]["lastTransitionTime"] == since
    assert api.conditions["PeerUnreachable"]["lastHeartbeatTime"] == "2026-05-01T12:02:00Z"


async def test_an_api_server_that_refuses_is_asked_again(api: NodeApi, reporters: Reporters) -> None:
    api.refusals = [503, 403]
    reporters().tell(PEER, BAD)
    await patches(api, 1)
    assert len([request for request in api.requests if request[0] == "PATCH"]) == 3


async def test_a_patch_whose_answer_was_lost_is_one_transition(
    api: NodeApi, reporters: Reporters, clock: Clock
) -> None:
    api.refusals = [504]
    reporters().tell(PEER, BAD)
    await patches(api, 1)
    clock.seconds = 5
    await patches(api, 2)
    assert [entry["lastTransitionTime"] for patch in api.patches for entry in patch] == ["2026-05-01T12:00:00Z"] * 2


async def test_the_last_word_is_that_nobody_looks(api: NodeApi, reporters: Reporters) -> None:
    reporter = reporters()
    reporter.tell(PEER, FINE)
    await patches(api, 1)
    await reporter.retire()
    assert api.conditions["PeerUnreachable"]["status"] == "Unknown"
    assert api.conditions["PeerUnreachable"]["reason"] == "CannotTell"
    assert "was stopped" in api.conditions["PeerUnreachable"]["message"]


async def test_the_token_is_read_anew_for_each_request(api: NodeApi, tmp_path: Path) -> None:
    token = tmp_path / "token"
    status = NodeStatus(Access(api.url, token), "node-a")
    for content in ("one\n", "two\n"):
        token.write_text(content)
        await asyncio.to_thread(status.conditions)
    assert [request[3] for request in api.requests] == ["Bearer one", "Bearer two"]
    token.unlink()
    with pytest.raises(ApiError, match="No such file"):
        await asyncio.to_thread(status.conditions)
