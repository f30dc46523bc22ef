"""Text for people: tables, and colours where a terminal shows them."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Sequence

GOOD, BAD, DOUBTFUL, STRONG = "32", "31", "33", "1"
"""Colours, by what they say."""

Paint = Callable[[str, str], str]
"""Text and colour to what is written."""

_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


def plain(text: str, colour: str) -> str:
    """No colour at all."""
    return text


def coloured(text: str, colour: str) -> str:
    """As a terminal takes it."""
    return f"\x1b[{colour}m{text}\x1b[0m" if text else text


def paint() -> Paint:
    """Colours on a terminal only, and not where $NO_COLOR (no-color.org) or a dumb terminal says no."""
    wanted = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return coloured if wanted else plain


def one_line(text: str) -> str:
    """What somebody else has written, without the characters that a terminal obeys."""
    return "".join(each if each.isprintable() else " " for each in text)


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines with aligned columns; the last column is not padded."""
    widths = [max(len(_ESCAPES.sub("", cell)) for cell in column) for column in zip(*rows, strict=True)]
    return ["  ".join(_padded(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _padded(cell: str, width: int) -> str:
    return cell + " " * (width - len(_ESCAPES.sub("", cell)))


def length(seconds: float) -> str:
    """`0.4 s`, `42 s`, `3 min 41 s`, `2 h 5 min`, `4 d 3 h`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"
