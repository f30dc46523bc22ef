"""How the story is told: with colours on a terminal, as plain lines otherwise."""

import sys
import textwrap
import time
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from e2e.demo.tables import Table

_READING_WIDTH = 110
_PLAIN_WIDTH = 200
"""Tables are not wrapped in a log or a pipe."""


class Narrator:
    """Prints; times count from the beginning of the present step."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or _console()
        self._began = time.monotonic()

    def step(self, number: int, of: int, title: str) -> None:
        """A chapter begins."""
        self._began = time.monotonic()
        self._console.print(f"\n[bold cyan]{number}/{of}  {escape(title)}[/]")

    def say(self, text: str) -> None:
        """Words to the reader."""
        wrapped = textwrap.fill(text, min(_READING_WIDTH, self._console.width - 4))
        self._console.print(f"\n{escape(textwrap.indent(wrapped, '  '))}")

    def deed(self, text: str) -> None:
        """Something is done to the lab."""
        self._console.print(f"\n[bold yellow]{self._clock()}  >> {escape(text)}[/]")

    def news(self, text: str) -> None:
        """Something was seen."""
        self._console.print(f"[dim]{self._clock()}[/]     {escape(text)}")

    def met(self, text: str, seconds: float, limit: float) -> None:
        """An expectation came true."""
        self._console.print(f"[green]{self._clock()}  ok {escape(text)}[/] [dim]({seconds:.1f} of {limit:g} s)[/]")

    def missed(self, text: str, why: str) -> None:
        """An expectation did not come true."""
        self._console.print(f"[bold red]{self._clock()}  NO {escape(text)}[/]\n           {escape(why)}")

    def passed(self) -> None:
        """The chapter ends well."""
        self._console.print(f"[green]   passed after {time.monotonic() - self._began:.1f} s[/]")

    def command(self, arguments: Sequence[str], output: str) -> None:
        """A command and what it printed."""
        shown = " ".join(f"'{each}'" if {" ", "{"} & set(each) else each for each in arguments)
        self._console.print(f"\n[bold]  $ kubectl {escape(shown)}[/]")
        self.block(output)

    def block(self, text: str) -> None:
        """Lines as they are, a little to the right."""
        for line in text.rstrip().splitlines():
            self._console.print(f"    {escape(line)}")

    def table(self, table: Table) -> None:
        """A table of what was measured."""
        terminal = self._console.is_terminal
        drawn = RichTable(*table.columns, box=box.SIMPLE if terminal else None, pad_edge=False)
        for row in table.rows:
            drawn.add_row(*map(escape, row))
        self._console.print(f"\n[bold]{escape(table.title)}[/]\n")
        self._console.print(drawn, soft_wrap=False)

    def end(self, text: str) -> None:
        """The last line."""
        self._console.print(f"\n{text}", markup=False)

    def _clock(self) -> str:
        return f"{time.monotonic() - self._began:6.1f} s"


def _console() -> Console:
    terminal = sys.stdout.isatty()
    return Console(highlight=False, soft_wrap=True, width=None if terminal else _PLAIN_WIDTH)
