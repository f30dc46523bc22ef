"""The stream of one live migration between two QEMU processes over the private link.

It takes `copy_base + copy_per_gib * GiB` seconds of flowing time. It stands still while the link is down or
migrations are made to stall, and then KubeVirt's own timeouts end it: without progress for progressTimeout, or in
all completionTimeoutPerGiB a GiB.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from e2e.kubevirt.configuration import Timings
from e2e.kubevirt.guests import Guest, Guests, State

_STEP_S = 0.1
ABORTED = "Live migration has been aborted"


@dataclass
class Weather:
    """What disturbs migrations now. `mode` is normal, fail or stall."""

    link_up: Callable[[], bool]
    mode: str = "normal"


@dataclass(frozen=True)
class Limits:
    """Seconds after which virt-launcher aborts by itself; 0 means never."""

    progress: float
    completion: float


class Stream:
    """Runs as a task from its creation; `failure` is set before `on_end` is called, and stays empty after a success."""

    def __init__(
        self,
        guests: Guests,
        source: Guest,
        target: Guest,
        gib: float,
        limits: Limits,
        timings: Timings,
        weather: Weather,
    ) -> None:
        self.failure = ""
        self._guests, self._source, self._target = guests, source, target
        self._limits, self._timings, self._weather = limits, timings, weather
        self._needed = timings.copy_base + timings.copy_per_gib * gib
        self._abort = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def ended(self) -> bool:
        """Whether it is over, either way."""
        return self._task is not None and self._task.done()

    def start(self, on_end: Callable[[], None]) -> None:
        """Begins to copy."""
        self._task = asyncio.create_task(self._run())
        self._task.add_done_callback(lambda _: on_end())

    def abort(self) -> None:
        """Asks the source QEMU to give up; too late after the cut-over."""
        self._abort.set()

    def cancel(self) -> None:
        """The stand-in stops: nothing more happens to these guests."""
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        begin = last_progress = loop.time()
        copied = 0.0
        while copied < self._needed:
            before = loop.time()
            await self._pause(min(_STEP_S, self._needed - copied))
            now = loop.time()
            if self._abort.is_set():
                self.failure = ABORTED
                return
            if not await self._both_live():
                return
            if self._weather.mode == "fail" and copied > self._needed / 2:
                self.failure = "Live migration failed: the migration stream reported an error"
                return
            if self._weather.link_up() and self._weather.mode != "stall":
                copied, last_progress = copied + now - before, now
            if self._timed_out(now - begin, now - last_progress):
                return
        self._guests.cut_over(self._source, self._target)

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._abort.wait()
        except TimeoutError:
            pass

    async def _both_live(self) -> bool:
        if self._source.state is State.ENDED:
            self.failure = "the source ended"
        elif self._target.state is State.ENDED:
            await asyncio.sleep(self._timings.socket_break)
            self.failure = "Live migration failed: the connection to the target was lost"
        return not self.failure

    def _timed_out(self, elapsed: float, without_progress: float) -> bool:
        if self._limits.progress and without_progress > self._limits.progress:
            self.failure = f"Live migration stuck for {without_progress:.0f} sec and has been aborted"
        elif self._limits.completion and elapsed > self._limits.completion:
            self.failure = f"Live migration is not completed after {elapsed:.0f} sec and has been aborted"
        return bool(self.failure)
