"""Tells a person how a long build goes: a live bar on a terminal, a plain line every few seconds otherwise."""

import time
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

PLAIN_INTERVAL_S = 5.0


class BuildProgress:
    """Shows which program is being built, for how long, and how many of about how many packages are compiled."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("packages"),
            TimeElapsedColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._bar: TaskID | None = None
        self._what = ""
        self._total = self._compiled = 0
        self._started = self._last_line = 0.0

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def say(self, text: str) -> None:
        """One line that stays."""
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def begin(self, what: str, total: int) -> None:
        """A program's build starts; `total` is the number of its packages (those cached are not compiled)."""
        self._what, self._total, self._compiled = what, total, 0
        self._started, self._last_line = time.monotonic(), 0.0
        self._bar = self._bars.add_task(f"building {what}", total=total)
        self.tick()

    def compiled(self) -> None:
        """One more package is done."""
        self._compiled += 1
        if self._bar is not None:
            self._bars.advance(self._bar)

    def tick(self) -> None:
        """To be called about once a second: prints the plain line when it is due."""
        now = time.monotonic()
        if not self._console.is_terminal and now - self._last_line >= PLAIN_INTERVAL_S:
            self._last_line = now
            elapsed = now - self._started
            self.say(
                f"building {self._what}: {elapsed:.0f} s, {self._compiled} of at most {self._total} packages compiled"
            )

    def end(self) -> None:
        """The program is built."""
        if self._bar is not None:
            self._bars.update(self._bar, completed=self._total)
            self._bars.remove_task(self._bar)
        self.say(f"built {self._what} in {time.monotonic() - self._started:.0f} s")
