"""The operator's clock: wall time at its start, and from then on only forward, however the machine's clock is set."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime


class Clock:
    """Seconds since the epoch that never jump, so that a corrected wall clock cannot make every node look silent."""

    def __init__(self, wall: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._offset = wall() - monotonic()

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._monotonic() + self._offset


def to_api(moment: float) -> str:
    """RFC 3339 with microseconds, as the API writes times."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def from_api(text: str) -> float:
    """Seconds since the epoch of an API time; 0 for an empty one."""
    return datetime.fromisoformat(text).timestamp() if text else 0.0
