"""Keeps the power reading of each node as fresh as the plan wants it, without ever blocking on a BMC that hangs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

from avance.api.fence_node import FenceNode
from avance.api.pair import AvancePair
from avance.core.power import PowerReading
from avance.fencing.agent import FencingError
from avance.operator.clock import Clock
from avance.operator.effects import Effects

log = logging.getLogger(__name__)

NodeKey = tuple[str, str]
"""Pair and node."""


class PowerWatch:
    """The newest answer of each node's BMC, asked for in the background, one question at a time for each."""

    def __init__(
        self, effects: Effects, clock: Clock, wake: Callable[[str], None], readings: dict[NodeKey, PowerReading]
    ) -> None:
        """`readings`: where the answers go."""
        self._effects = effects
        self._clock = clock
        self._wake = wake
        self._readings = readings
        self._asking: dict[NodeKey, asyncio.Task[None]] = {}
        self._asked_at: dict[NodeKey, float] = {}
        self._entries: dict[NodeKey, FenceNode] = {}

    def keep_fresh(self, pair: AvancePair, wanted: Mapping[str, float]) -> float | None:
        """Ask every BMC whose reading is older than wanted; returns when the next one falls due."""
        self._forget_changed(pair)
        now, due = self._clock.now(), []
        for node, max_age in wanted.items():
            key = (pair.metadata.name, node)
            if key in self._asking:
                continue
            next_at = self._asked_at.get(key, 0.0) + max_age
            if next_at <= now:
                self._asked_at[key] = now
                self._asking[key] = asyncio.create_task(self._ask(pair, key))
            else:
                due.append(next_at)
        return min(due, default=None)

    def _forget_changed(self, pair: AvancePair) -> None:
        """What was read through another address or with other credentials says nothing of the present entry."""
        for entry in pair.spec.fencing.nodes:
            key = (pair.metadata.name, entry.name)
            if self._entries.get(key, entry) != entry:
                self._readings.pop(key, None)
                self._asked_at.pop(key, None)
            self._entries[key] = entry

    async def close(self) -> None:
        """Stop asking."""
        tasks: list[asyncio.Task[Any]] = list(self._asking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask(self, pair: AvancePair, key: NodeKey) -> None:
        asked_at = self._clock.now()
        try:
            agent = await self._effects.fence_agent(pair, key[1])
            reading = await agent.status()
        except FencingError as error:
            reading = PowerReading("", "", asked_at, str(error), "")
        except Exception as error:
            # Unforeseen, yet an answer: without one the last reading would stand as if the BMC still said so.
            log.exception("asking the BMC of %s failed", key[1])
            reading = PowerReading("", "", asked_at, f"asking its BMC failed: {error!r}", "")
        finally:
            self._asking.pop(key, None)
        if self._entries.get(key) in pair.spec.fencing.nodes:
            self._readings[key] = reading
        self._wake(pair.metadata.name)
