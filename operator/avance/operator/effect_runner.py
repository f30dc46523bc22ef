"""Runs the effects of each action in the background, one set at a time, and not again before it is due.

What it remembers is only when it did what: an operator that starts anew may do an effect once more, and every effect is
safe to repeat.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from avance.api.pair import AvancePair
from avance.core.effects import Effect
from avance.fencing.agent import FencingError
from avance.kube.errors import ApiError
from avance.kube.lease import LeadershipLost
from avance.operator.clock import Clock
from avance.operator.effects import EffectFailed
from avance.operator.metrics import Metrics

log = logging.getLogger(__name__)

LONGEST_PAUSE_SECONDS = 10.0
"""Between tries of what fails: a BMC that has recovered must not be waited for while VMs are down."""


@dataclass
class _Order:
    """What one action, or the upkeep of one VM, had done last."""

    effects: tuple[Effect, ...] = ()
    due_at: float = 0.0
    failures: int = 0
    error: str = ""
    task: asyncio.Task[None] | None = field(default=None, repr=False)


class EffectRunner:
    """One per pair. `on_failure(owner)` counts a failed try; `wake()` asks for another look at the pair."""

    def __init__(
        self,
        perform: Callable[[AvancePair, Effect], Awaitable[None]],
        clock: Clock,
        metrics: Metrics,
        on_failure: Callable[[str], Awaitable[None]],
        wake: Callable[[], None],
    ) -> None:
        self._perform = perform
        self._clock = clock
        self._metrics = metrics
        self._on_failure = on_failure
        self._wake = wake
        self._orders: dict[str, _Order] = {}

    def order(self, pair: AvancePair, owner: str, effects: Sequence[Effect]) -> float | None:
        """Have the effects done in this order unless they are under way or not due; returns when they fall due."""
        order = self._orders.setdefault(owner, _Order())
        if order.task is not None and not order.task.done():
            return None
        now, wanted = self._clock.now(), tuple(effects)
        if wanted != order.effects:
            order.due_at, order.failures, order.error = now, 0, ""
        order.effects = wanted  # equal effects may be due again later than the ones before
        if now < order.due_at:
            return order.due_at
        order.task = asyncio.create_task(self._run(pair, owner, order))
        return None

    def failure(self, owner: str, effects: Sequence[Effect]) -> str:
        """Why the last try of just these effects failed; empty if it did not."""
        order = self._orders.get(owner)
        return order.error if order is not None and order.effects == tuple(effects) else ""

    def keep_only(self, owners: set[str]) -> None:
        """Forget what ended; an effect that is under way is let finish."""
        for owner in self._orders.keys() - owners:
            task = self._orders[owner].task
            if task is None or task.done():
                del self._orders[owner]

    async def close(self) -> None:
        """Stop what is under way; a successor repeats it."""
        tasks = [order.task for order in self._orders.values() if order.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, pair: AvancePair, owner: str, order: _Order) -> None:
        try:
            for effect in order.effects:
                await self._do(pair, effect)
            order.failures, order.error = 0, ""
            order.due_at = self._clock.now() + max(effect.repeat_after for effect in order.effects)
        except LeadershipLost as lost:
            log.warning("%s: not done: %s", owner, lost)
        except Exception as error:
            order.failures += 1
            pause = min(LONGEST_PAUSE_SECONDS, 2.0**order.failures)
            order.due_at = self._clock.now() + pause
            order.error = str(error) or type(error).__name__
            # An error that nobody foresaw is told with all that is known of it, and waits its turn like any other.
            unforeseen = None if isinstance(error, EffectFailed | FencingError | ApiError) else error
            log.warning("%s: %s; trying again in %.0f s", owner, order.error, pause, exc_info=unforeseen)
            await self._on_failure(owner)
        finally:
            self._wake()

    async def _do(self, pair: AvancePair, effect: Effect) -> None:
        name = type(effect).__name__
        try:
            await self._perform(pair, effect)
        except Exception:
            self._metrics.effects.labels(name, "failed").inc()
            raise
        self._metrics.effects.labels(name, "done").inc()
        log.info("done: %s", effect)
