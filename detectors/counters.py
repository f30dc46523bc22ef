"""Counters that only ever grow, such as errors of an interface: what matters is how much they grew of late."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

from detectors.host import Host

_SAMPLES = 24
"""Kept of each counter; the window is looked at no finer than that."""


def increase(host: Host, counter: str, value: int, window: float) -> int:
    """By how much a counter grew within the last `window` seconds, as far as it was watched.

    A counter that fell was set to zero by a driver or a reboot, and is counted from there.
    """
    file = host.memory / f"{counter}.json"
    now = host.clock()
    boot = _boot(host)
    samples = [(at, seen) for at, seen in _load(file, boot) if now - window <= at <= now]
    if samples and value < samples[-1][1]:
        samples = [(now, 0)]
    if not samples:
        samples = [(now, value)]
    elif now - samples[-1][0] >= window / _SAMPLES:
        samples.append((now, value))
    _save(file, boot, samples)
    return value - samples[0][1]


def seen_before(host: Host, thing: str) -> bool:
    """Whether `remember_seen` was called for it since the node was started."""
    return bool(_load(host.memory / f"{thing}.json", _boot(host)))


def remember_seen(host: Host, thing: str) -> None:
    _save(host.memory / f"{thing}.json", _boot(host), [(host.clock(), 1)])


def _boot(host: Host) -> str:
    try:
        return host.read("proc/sys/kernel/random/boot_id")
    except OSError:
        return ""


def _load(file: Path, boot: str) -> list[tuple[float, int]]:
    """What was kept in this life of the node; nothing of an earlier one, or of a file that is broken."""
    try:
        document = json.loads(file.read_text())
        return [(float(at), int(seen)) for at, seen in document["samples"]] if document["boot"] == boot else []
    except (OSError, ValueError, TypeError, KeyError):
        return []


def _save(file: Path, boot: str, samples: list[tuple[float, int]]) -> None:
    """Whole or not at all. A full disk costs the comparison, never the look itself."""
    fresh = file.with_suffix(f".{os.getpid()}")
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_text(json.dumps({"boot": boot, "samples": samples}))
        fresh.replace(file)
