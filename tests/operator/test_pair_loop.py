"""One thing that goes wrong holds up nothing else: not in the pass, not in the pair, not in the process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from avance.fencing.credentials import FenceAgents
from avance.kube.client import Kube
from avance.kube.lease import LeadershipLost
from avance.kube.resources import AVANCE_ACTIONS, AVANCE_PAIRS, LEASES, NODES
from avance.operator.adopting import Adopting
from avance.operator.edits import EditWatch
from avance.operator.effects import Effects
from avance.operator.events import EventPoster
from avance.operator.instance_types import InstanceTypes
from avance.operator.journal import Journal
from avance.operator.metrics import Metrics
from avance.operator.pacing import Pacing
from avance.operator.pair_loop import PairLoop
from avance.operator.postman import Postman
from avance.operator.power import PowerWatch
from avance.operator.storage import StorageWatch
from avance.operator.surroundings import SurroundingsWatch
from tests.kubevirt.recorder import Recorder, recording
from tests.operator.objects import NOTED, PAIR, World, condition, lease, metadata, node, pair

Object = dict[str, Any]
ACTIONS = "/apis/avance.dev/v1alpha1/avanceactions"
STATUS_OF_PAIR = f"PATCH /apis/avance.dev/v1alpha1/avancepairs/{PAIR}/status"
INVALID = (422, {"reason": "Invalid", "message": "no"})


class Leadership:
    """Leads until it is told that it does not."""

    lost = False

    @asynccontextmanager
    async def guard(self) -> AsyncIterator[None]:
        if self.lost:
            raise LeadershipLost("another leads")
        yield


class Bench:
    """The loop of one pair, in front of a server that answers as it is told."""

    def __init__(self, kube: Kube) -> None:
        self.world, self.metrics, self.leadership = World(), Metrics(), Leadership()
        store, clock = self.world.store, self.world.clock
        adopting = Adopting(kube, store, clock, lambda obj, reason, message: None)
        postman = Postman(kube, "avance-system", clock, lambda _: None)
        effects = Effects(kube, store, self.world.observer, FenceAgents(kube, "avance-system"), postman, adopting)
        self.loop = PairLoop(
            PAIR,
            kube=kube,
            store=store,
            observer=self.world.observer,
            journal=Journal(kube, store, clock, "somebody", "test", 1),
            effects=effects,
            power=PowerWatch(effects, clock, lambda _: None, {}),
            storage=StorageWatch(kube, "avance-system", store, clock, lambda _: None),
            events=EventPoster(kube, "test"),
            metrics=self.metrics,
            clock=clock,
            leadership=self.leadership,
            pacing=Pacing(),
            surroundings=SurroundingsWatch(store, clock),
            postman=postman,
            edits=EditWatch(store, stamped=True),
            types=InstanceTypes(kube, clock),
        )

    def failed_passes(self) -> float:
        return self.metrics.registry.get_sample_value("avance_failed_passes_total", {"pair": PAIR}) or 0.0

    @asynccontextmanager
    async def running(self) -> AsyncIterator["asyncio.Task[None]"]:
        task = asyncio.create_task(self.loop.run())
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.wait({task})


async def until(said: Any) -> None:
    async with asyncio.timeout(5):
        while not said():
            await asyncio.sleep(0.01)


def sent(recorder: Recorder) -> set[str]:
    return {what for what, _ in recorder.sent}


def call_home() -> Object:
    spec = {"pairRef": {"name": PAIR}, "type": "CallHome", "target": {"kind": "Node", "name": "node-b"},
            "reason": "FanProblem", "message": "send a fan", "incident": "fan-node-b-1"}  # fmt: skip
    return {"metadata": metadata("callhome-node-b", creationTimestamp=NOTED), "spec": spec}


async def test_an_edit_that_is_refused_a_record_fails_no_look() -> None:
    async with recording({f"POST {ACTIONS}": INVALID, STATUS_OF_PAIR: (200, pair())}) as (recorder, kube):
        bench = Bench(kube)
        bench.world.quiet_pair()
        async with bench.running():
            await until(lambda: {f"POST {ACTIONS}", STATUS_OF_PAIR} <= sent(recorder))
        assert bench.failed_passes() == 0
        status = next(body for what, body in recorder.sent if what == STATUS_OF_PAIR)["status"]
        assert status["recorded"] == [], "it is still to be told"


async def test_an_intent_that_cannot_be_written_holds_up_neither_open_actions_nor_the_status() -> None:
    answers = {f"POST {ACTIONS}": INVALID, STATUS_OF_PAIR: (200, pair())}
    async with recording(answers) as (recorder, kube):
        bench = Bench(kube)
        bench.world.quiet_pair()
        bench.world.put(NODES, node("node-a", condition("PowerSupplyProblem", "True", "component=PSU2")))
        bench.world.put(AVANCE_ACTIONS, call_home())
        async with bench.running() as task:
            await until(bench.failed_passes)
            assert not task.done()
        assert {f"POST {ACTIONS}", f"PATCH {ACTIONS}/callhome-node-b/status", STATUS_OF_PAIR} <= sent(recorder)


async def test_what_nobody_foresaw_in_one_pair_does_not_end_its_loop(caplog: pytest.LogCaptureFixture) -> None:
    async with recording({}) as (recorder, kube):
        bench = Bench(kube)
        bench.world.quiet_pair()
        odd = node("node-a")
        odd["status"]["allocatable"]["memory"] = "much"
        bench.world.put(NODES, odd)
        async with bench.running() as task:
            await until(bench.failed_passes)
            assert not task.done()
            assert "nobody foresaw" in caplog.text
            bench.world.put(NODES, node("node-a"))
            bench.loop.wake()
            await until(lambda: STATUS_OF_PAIR in sent(recorder))


async def test_a_loop_ends_with_the_leadership() -> None:
    async with recording({}) as (_, kube):
        bench = Bench(kube)
        bench.world.quiet_pair()
        bench.leadership.lost = True
        with pytest.raises(LeadershipLost):
            await bench.loop.run()


async def test_the_series_of_a_deleted_pair_go_with_it() -> None:
    async with recording({}) as (recorder, kube):
        bench = Bench(kube)
        bench.world.put(LEASES, lease("node-a"))
        obj = bench.world.put(AVANCE_PAIRS, pair())
        async with bench.running() as task:
            await until(lambda: STATUS_OF_PAIR in sent(recorder))
            bench.world.store.drop(AVANCE_PAIRS, obj)
            bench.loop.wake()
            await asyncio.wait({task}, timeout=5)
        ready = {"pair": PAIR, "type": "Ready"}
        assert bench.metrics.registry.get_sample_value("avance_pair_condition", ready) is None
