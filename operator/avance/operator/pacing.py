"""Lets a thousand pairs share one process without holding up what cannot wait: renewals of the leader's Lease.

A look at a pair is a few milliseconds of computing in which nothing else of the process runs. When every pair wants one
at the same moment (at the start, after a resync) they take turns, and between two of them whatever else is due gets its
turn too. Status writes are many and can wait, so only a few pairs write theirs at a time; what is done about a fault is
never limited.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

STATUS_WRITERS = 2
"""Pairs that write their statuses at the same time, each up to one for every VM: enough to keep an API server busy."""


class Pacing:
    """Shared by the loops of all pairs."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._writers = asyncio.Semaphore(STATUS_WRITERS)

    @asynccontextmanager
    async def computing(self) -> AsyncIterator[None]:
        """Compute in turn; what is inside must not wait for anything."""
        async with self._turn:
            yield
            await asyncio.sleep(0)

    @asynccontextmanager
    async def telling(self) -> AsyncIterator[None]:
        """Write statuses when it is this pair's turn."""
        async with self._writers:
            yield
