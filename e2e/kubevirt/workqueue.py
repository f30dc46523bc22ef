"""A work queue of keys: each key is handled by one task at a time, again when it changed meanwhile, later when it
failed.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from e2e.controlplane.client import ApiError

log = logging.getLogger(__name__)

K = TypeVar("K", bound=Hashable)

_CONFLICT_RETRY_S = 0.02
_FIRST_RETRY_S = 0.05
_LONGEST_RETRY_S = 1.0


class WorkQueue(Generic[K]):
    """Level-triggered: `handle(key)` looks at the present state and is called again until it succeeds."""

    def __init__(self, name: str, handle: Callable[[K], Awaitable[None]]) -> None:
        self._name = name
        self._handle = handle
        self._running: dict[K, asyncio.Task[None]] = {}
        self._dirty: set[K] = set()
        self._timers: dict[K, asyncio.TimerHandle] = {}
        self._failures: dict[K, int] = {}
        self._paused = True

    def start(self) -> None:
        """Begins, or goes on after `pause`, with everything that was added meanwhile."""
        self._paused = False
        for key in list(self._dirty):
            self.add(key)

    def pause(self) -> None:
        """Handles nothing more until `start`; what is under way ends where it is."""
        self._paused = True
        for key, task in self._running.items():
            task.cancel()
            self._dirty.add(key)

    async def stop(self) -> None:
        """Ends for good."""
        self.pause()
        for timer in self._timers.values():
            timer.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    def add(self, key: K, delay: float = 0.0) -> None:
        """Asks for `key` to be handled, `delay` seconds from now; of several pending delays the shortest counts."""
        if delay > 0:
            self._add_later(key, delay)
            return
        self._dirty.add(key)
        if not self._paused and key not in self._running:
            self._dirty.discard(key)
            self._running[key] = asyncio.create_task(self._run(key), name=f"{self._name}:{key}")

    def _add_later(self, key: K, delay: float) -> None:
        loop = asyncio.get_running_loop()
        pending = self._timers.get(key)
        if pending is not None:
            if not pending.cancelled() and pending.when() <= loop.time() + delay:
                return
            pending.cancel()
        self._timers[key] = loop.call_later(delay, self._fire, key)

    def _fire(self, key: K) -> None:
        self._timers.pop(key, None)
        self.add(key)

    async def _run(self, key: K) -> None:
        try:
            await self._handle(key)
            self._failures.pop(key, None)
        except ApiError as error:
            self._retry(key, error, conflict=error.status == 409)
        except (OSError, TimeoutError) as error:
            self._retry(key, error)
        except Exception as error:  # a bug must be seen and must not end the controller
            log.exception("%s %s", self._name, key)
            self._retry(key, error)
        finally:
            self._running.pop(key, None)
            if key in self._dirty and not self._paused:
                self.add(key)

    def _retry(self, key: K, error: Exception, conflict: bool = False) -> None:
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        delay = _CONFLICT_RETRY_S if conflict and failures < 10 else _FIRST_RETRY_S * 2 ** min(failures, 10)
        if not conflict:
            log.debug("%s %s: %s", self._name, key, error)
        self.add(key, min(delay, _LONGEST_RETRY_S))
