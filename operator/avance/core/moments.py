"""Moments in words, always UTC; a moment is seconds since the epoch."""

from __future__ import annotations

from datetime import UTC, datetime


def clock_time(moment: float) -> str:
    """A time of day: `09:14:07 UTC`."""
    return datetime.fromtimestamp(moment, UTC).strftime("%H:%M:%S UTC")


def day_and_clock(moment: float) -> str:
    """`2026-05-01 09:14:07 UTC`."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
