"""Draws a recorded session as an SVG that plays it, a scene after the other, without any script."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from rich.text import Text

from e2e.recording.session import COLUMNS, Scene

LINE, COLUMN, MARGIN, HEAD = 17, 7.82, 16, 58
SECONDS_A_SCENE, SECONDS_A_LINE = 3.0, 0.25
INK, PAPER, GREY, PROMPT = "#d8dee9", "#1d2330", "#7b8496", "#8fbc6a"
COLOURS = {1: "#e06c75", 2: "#8fbc6a", 3: "#e5c07b"}
"""The three that the command line uses (red, green, yellow), by their ANSI numbers."""


def draw(title: str, caption: str, scenes: Sequence[Scene], rows: int) -> str:
    """`rows`: lines of a scene that are shown; what is longer says so."""
    width, height = round(2 * MARGIN + COLUMNS * COLUMN), HEAD + (rows + 3) * LINE + MARGIN
    lengths = [SECONDS_A_SCENE + SECONDS_A_LINE * min(rows, scene.printed.count("\n")) for scene in scenes]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="13">',
        f"<title>{escape(title)}</title>",
        f"<style>text{{white-space:pre}}{''.join(_rules(lengths))}</style>",
        f'<rect width="100%" height="100%" rx="8" fill="{PAPER}"/>',
        _text(1, title, bold=True),
        _text(2, caption, colour=GREY),
        *(_scene(number, scene, rows) for number, scene in enumerate(scenes)),
        "</svg>",
        "",
    ]
    return "\n".join(parts)


def _rules(lengths: Sequence[float]) -> Iterator[str]:
    """Each scene is seen in its own time; without animations the first one is."""
    whole, began = sum(lengths), 0.0
    for number, length in enumerate(lengths):
        first, last = 100 * began / whole, 100 * (began + length) / whole
        yield f".s{number}{{opacity:{int(number == 0)};animation:k{number} {whole:.1f}s step-end infinite}}"
        before = "0%{opacity:0}" if number else ""
        after = f"{last:.2f}%{{opacity:0}}" if last < 100 else ""
        yield f"@keyframes k{number}{{{before}{first:.2f}%{{opacity:1}}{after}}}"
        began += length


def _scene(number: int, scene: Scene, rows: int) -> str:
    """A remark in grey, the prompt, and what was printed."""
    lines = [_text(4, f"# {scene.at:.0f} s: {scene.remark}" if scene.remark else f"# {scene.at:.0f} s", colour=GREY)]
    lines.append(f'{_open(5)}<tspan fill="{PROMPT}">$ </tspan>{escape(scene.typed)}</text>')
    printed = list(_as_a_terminal_breaks(scene.printed))
    if len(printed) > rows:
        printed[rows - 1 :] = [Text(f"… and {len(printed) - rows + 1} lines more")]
    lines += [f"{_open(6 + at)}{_spans(line)}</text>" for at, line in enumerate(printed) if line.plain.strip()]
    return f'<g class="s{number}">\n' + "\n".join(lines) + "\n</g>"


def _as_a_terminal_breaks(printed: str) -> Iterator[Text]:
    """Lines that are longer than the terminal is wide go on in the next one."""
    for line in printed.rstrip("\n").split("\n") if printed else ():
        text = Text.from_ansi(line)
        yield from text.divide(range(COLUMNS, len(text), COLUMNS))


def _spans(line: Text) -> str:
    console = Console(width=COLUMNS, color_system="standard", force_terminal=True)
    return "".join(map(_span, line.render(console)))


def _span(segment: Segment) -> str:
    text, style = escape(segment.text.rstrip("\n")), segment.style or Style()
    colour = COLOURS.get(style.color.number or 0) if style.color else None
    looks = (f' fill="{colour}"' if colour else "") + (' font-weight="bold"' if style.bold else "")
    return f"<tspan{looks}>{text}</tspan>" if looks and text else text


def _text(row: int, text: str, colour: str = INK, bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return f"{_open(row, colour)}<tspan{weight}>{escape(text)}</tspan></text>"


def _open(row: int, colour: str = INK) -> str:
    return f'<text x="{MARGIN}" y="{MARGIN + row * LINE}" fill="{colour}" xml:space="preserve">'
