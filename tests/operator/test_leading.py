"""A new leader waits for an API server that does not answer yet, and nothing of it ends in silence."""

import asyncio
from typing import Any

import pytest

from avance.kube.client import Kube
from avance.operator import leading, patience
from avance.operator.leading import Leading
from avance.operator.metrics import Metrics
from avance.operator.resync import resync
from tests.kubevirt.recorder import recording
from tests.operator.objects import World
from tests.operator.test_pair_loop import Leadership, sent, until

WHO = "POST /apis/authentication.k8s.io/v1/selfsubjectreviews"
NODES = "GET /api/v1/nodes"
AWAY: tuple[int, dict[str, Any]] = (503, {"reason": "ServiceUnavailable", "message": "not now"})


class Lease(Leadership):
    """As far as a term needs it."""

    epoch = 1


def term(kube: Kube) -> Leading:
    world = World()
    lease: Any = Lease()

    async def fill() -> None:
        await patience.patiently(lambda: resync(kube, world.store, lambda _: None))

    return Leading(kube, world.store, world.clock, Metrics(), lease, "avance-system", "test", fill)


async def test_a_leader_asks_again_when_the_api_server_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "PAUSE_SECONDS", 0.01)
    answers = {WHO: AWAY, NODES: AWAY}
    async with recording(answers) as (recorder, kube):
        serving = asyncio.create_task(term(kube).run())
        await until(lambda: [what for what, _ in recorder.sent].count(WHO) > 1)
        answers[WHO] = (200, {"status": {"userInfo": {"username": "somebody"}}})
        await until(lambda: [what for what, _ in recorder.sent].count(NODES) > 1)
        assert WHO in sent(recorder)
        assert not serving.done()
        serving.cancel()
        await asyncio.wait({serving})


async def test_a_leader_that_may_not_ask_ends() -> None:
    async with recording({WHO: (403, {"reason": "Forbidden", "message": "no"})}) as (_, kube):
        with pytest.raises(Exception, match="Forbidden"):
            await term(kube).run()


async def test_when_what_runs_beside_the_loops_breaks_the_leader_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: Any) -> None:
        raise KeyError("what nobody foresaw")

    monkeypatch.setattr(leading, "resync_for_ever", broken)
    async with recording({WHO: (200, {"status": {"userInfo": {"username": "somebody"}}})}) as (_, kube):
        with pytest.raises(KeyError):
            async with asyncio.timeout(5):
                await term(kube).run()
