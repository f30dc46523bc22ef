"""Effects are done in order, one set at a time, and not again before they are due."""

import asyncio
from typing import Any

import pytest

from avance.api import AvancePair
from avance.core.effects import CloseNode, Effect, MarkOutOfService, PowerOff
from avance.kube.errors import Unavailable
from avance.kube.lease import LeadershipLost
from avance.operator.effect_runner import LONGEST_PAUSE_SECONDS, EffectRunner
from avance.operator.effects import EffectFailed
from avance.operator.metrics import Metrics
from tests.operator.objects import START, HandClock, pair

CLOSE, MARK, OFF = CloseNode("node-a"), MarkOutOfService("node-a"), PowerOff("node-a", "uuid")
PAIR = AvancePair.parse(pair())


class Bench:
    """A runner whose effects do as they are told, and what it did."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.done: list[Effect] = []
        self.failures: list[str] = []
        self.woken = 0
        self.error: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.runner = EffectRunner(self._perform, self.clock, Metrics(), self._failed, self._wake)

    async def settle(self) -> None:
        """Until what is under way has ended."""
        tasks = [order.task for order in self.runner._orders.values() if order.task is not None]
        await asyncio.gather(*tasks, return_exceptions=True)

    async def order(self, *effects: Effect, owner: str = "fence-1") -> float | None:
        due = self.runner.order(PAIR, owner, effects)
        await self.settle()
        return due

    async def _perform(self, _: AvancePair, effect: Effect) -> None:
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        self.done.append(effect)

    async def _failed(self, owner: str, *_: Any) -> None:
        self.failures.append(owner)

    def _wake(self) -> None:
        self.woken += 1


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def test_effects_are_done_in_their_order_and_the_pair_is_woken(bench: Bench) -> None:
    assert await bench.order(MARK, CLOSE) is None
    assert bench.done == [MARK, CLOSE]
    assert bench.woken == 1


async def test_the_same_effects_are_not_repeated_before_they_are_due(bench: Bench) -> None:
    await bench.order(OFF)
    bench.clock.go_on(OFF.repeat_after - 1)
    assert await bench.order(OFF) == START + OFF.repeat_after
    assert bench.done == [OFF]
    bench.clock.go_on(1)
    assert await bench.order(OFF) is None
    assert bench.done == [OFF, OFF]


async def test_a_set_is_due_when_its_slowest_effect_is(bench: Bench) -> None:
    await bench.order(CLOSE, OFF)
    bench.clock.go_on(CLOSE.repeat_after)
    assert await bench.order(CLOSE, OFF) == START + OFF.repeat_after


async def test_other_effects_are_done_at_once(bench: Bench) -> None:
    await bench.order(OFF)
    await bench.order(MARK)
    assert bench.done == [OFF, MARK]


async def test_nothing_is_begun_while_something_of_the_same_action_is_under_way(bench: Bench) -> None:
    bench.gate.clear()
    bench.runner.order(PAIR, "fence-1", (OFF,))
    await asyncio.sleep(0)
    assert bench.runner.order(PAIR, "fence-1", (MARK,)) is None
    bench.gate.set()
    await bench.settle()
    assert bench.done == [OFF]


async def test_actions_do_not_wait_for_each_other(bench: Bench) -> None:
    await bench.order(OFF, owner="fence-1")
    await bench.order(OFF, owner="fence-2")
    assert bench.done == [OFF, OFF]


@pytest.mark.parametrize(
    "error", [EffectFailed("no"), Unavailable(0, "Timeout", "no answer"), KeyError("what nobody foresaw")]
)
async def test_what_fails_is_told_and_tried_again_after_growing_pauses(bench: Bench, error: Exception) -> None:
    bench.error = error
    pauses = []
    for _ in range(6):
        await bench.order(OFF)
        due = await bench.order(OFF)
        assert due is not None
        pauses.append(due - bench.clock.now())
        bench.clock.go_on(pauses[-1])
    assert pauses[:3] == [2, 4, 8]
    assert max(pauses) == pauses[-1] == LONGEST_PAUSE_SECONDS
    assert bench.failures == ["fence-1"] * 6


async def test_an_effect_that_leadership_ended_under_is_no_failure(bench: Bench) -> None:
    bench.error = LeadershipLost("another leads")
    await bench.order(OFF)
    assert bench.failures == []


async def test_a_success_ends_the_row_of_failures(bench: Bench) -> None:
    for outcome in (EffectFailed("no"), EffectFailed("no"), None, EffectFailed("no")):
        bench.error = outcome
        await bench.order(OFF)
        due = await bench.order(OFF)
        assert due is not None
        bench.clock.go_on(due - bench.clock.now())
    assert bench.clock.now() - START == 2 + 4 + OFF.repeat_after + 2


async def test_other_effects_are_not_punished_for_a_failure(bench: Bench) -> None:
    bench.error = EffectFailed("no")
    await bench.order(OFF)
    bench.error = None
    await bench.order(MARK)
    assert bench.done == [MARK]


async def test_after_a_failure_the_rest_of_the_set_is_not_done(bench: Bench) -> None:
    bench.error = EffectFailed("the node is not closed")
    await bench.order(CLOSE, OFF)
    assert bench.done == []


async def test_what_an_action_had_done_is_forgotten_with_it(bench: Bench) -> None:
    await bench.order(OFF)
    bench.runner.keep_only(set())
    await bench.order(OFF)
    assert bench.done == [OFF, OFF]


async def test_what_is_under_way_is_let_finish_when_its_action_ends(bench: Bench) -> None:
    bench.gate.clear()
    bench.runner.order(PAIR, "fence-1", (OFF,))
    await asyncio.sleep(0)
    bench.runner.keep_only(set())
    bench.gate.set()
    await bench.settle()
    assert bench.done == [OFF]


async def test_closing_stops_what_is_under_way(bench: Bench) -> None:
    bench.gate.clear()
    bench.runner.order(PAIR, "fence-1", (OFF,))
    await asyncio.sleep(0)
    await bench.runner.close()
    bench.gate.set()
    await asyncio.sleep(0)
    assert bench.done == []
