"""Ask until the API server answers: ending instead would leave the same question to a successor."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from avance.kube.errors import Unavailable

log = logging.getLogger(__name__)
T = TypeVar("T")

PAUSE_SECONDS = 1.0


async def patiently(request: Callable[[], Awaitable[T]]) -> T:
    """The answer, however long the API server is away; every other error is raised."""
    while True:
        try:
            return await request()
        except Unavailable as error:
            log.warning("the API server does not answer yet: %s", error)
            await asyncio.sleep(PAUSE_SECONDS)
