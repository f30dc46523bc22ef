"""`python -m bench.sampler FILE ARGUMENT...`: run `avance ARGUMENT...` and write where its main thread spends its time.

A thread looks at the main thread's stack every few milliseconds: it slows nothing down, and what it has seen is written
every second, so that even a process that ends at once leaves it behind. Each line: seconds, function, file.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from pathlib import Path
from types import FrameType

from avance.cli import main as avance

PERIOD_S = 0.005
WRITE_EVERY = 200


class Sampler(threading.Thread):
    """Counts functions on the stack (`within`) and at its top (`itself`)."""

    def __init__(self, file: Path) -> None:
        super().__init__(daemon=True)
        self._file = file
        self._main = threading.main_thread().ident or 0
        self._within: Counter[str] = Counter()
        self._itself: Counter[str] = Counter()

    def run(self) -> None:
        looks = 0
        clock = time.pthread_getcpuclockid(self._main)
        before = time.clock_gettime(clock)
        while True:
            time.sleep(PERIOD_S)
            now = time.clock_gettime(clock)
            # Only processor time counts: a thread that waits is at the same place in every look.
            self._look(sys._current_frames().get(self._main), round((now - before) * 1e6))
            before, looks = now, looks + 1
            if looks % WRITE_EVERY == 0:
                self._write()

    def _look(self, frame: FrameType | None, microseconds: int) -> None:
        if frame is None or microseconds == 0:
            return
        self._itself[_name(frame)] += microseconds
        seen = set()
        while frame is not None:
            seen.add(_name(frame))
            frame = frame.f_back
        for name in seen:
            self._within[name] += microseconds

    def _write(self) -> None:
        parts = (("within", self._within), ("itself", self._itself))
        lines = [
            f"{title} {count / 1e6:8.2f} s  {name}" for title, found in parts for name, count in found.most_common(80)
        ]
        self._file.write_text("\n".join(lines) + "\n")


def _name(frame: FrameType) -> str:
    code = frame.f_code
    return f"{code.co_qualname}  {'/'.join(Path(code.co_filename).parts[-3:])}"


def main() -> int:
    file, *arguments = sys.argv[1:]
    Sampler(Path(file)).start()
    return avance(arguments)


if __name__ == "__main__":
    sys.exit(main())
