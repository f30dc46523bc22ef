"""Draws what a Prometheus has seen of a pair: a few panels of the dashboard, without Grafana."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

Series = dict[str, Any]
"""One series of a query over time, as Prometheus answers it."""

LEFT, RIGHT, WIDTH = 150, 24, 960
BAND, LINE, CHART, GAP = 22, 28, 120, 44
CAPTION = (
    "What a real Prometheus scraped on the lab, where servers boot in seconds, drawn by e2e/monitoring/picture.py; "
    "not Grafana itself."
)
COLOURS = ("#3c7d3c", "#2f5d8a")
"""Of the two servers' curves."""
OF_STATE = {
    "yes": "#3c7d3c", "no": "#b03a2e", "cannot tell": "#d68a1f", "InService": "#3c7d3c", "Degraded": "#9aa83a",
    "Suspect": "#d68a1f", "Unknown": "#8a94a0", "Fencing": "#b03a2e", "Fenced": "#7b241c", "Rejoining": "#2f5d8a",
    "Running": "#3c7d3c", "Restarting": "#d68a1f", "Migrating": "#2f5d8a", "Starting": "#9aa83a",
}  # fmt: skip


@dataclass(frozen=True)
class Bands:
    """What held when: a line for each value of the labels `rows`, coloured by the first of the labels `states`, or by
    its value.
    """

    title: str
    series: list[Series]
    rows: tuple[str, ...]
    states: tuple[str, ...] = ()


@dataclass(frozen=True)
class Curves:
    """Values between 0 and 100 over time, one curve for each of the two values of a label."""

    title: str
    series: list[Series]
    name: str


@dataclass(frozen=True)
class Bars:
    """Measured times beside the longest that they may take, in seconds."""

    title: str
    measured: Mapping[str, float]
    budgets: Mapping[str, float]


def draw(title: str, began: float, ended: float, panels: Iterable[Bands | Curves | Bars]) -> str:
    """An SVG; the times are Unix seconds."""
    lines, y = [_text(LEFT - 130, 28, title, size=17, bold=True), _text(LEFT - 130, 48, CAPTION, grey=True)], 84
    for panel in panels:
        lines.append(_text(LEFT - 130, y, panel.title, bold=True))
        y += 12
        drawing = _Drawing(began, ended, y)
        lines += drawing.of(panel)
        y = drawing.bottom + GAP
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y - 10}" font-family="Helvetica, Arial">'
    return "\n".join([head, f"<title>{escape(title)}</title>", '<rect width="100%" height="100%" fill="#ffffff"/>',
                      *lines, "</svg>", ""])  # fmt: skip


class _Drawing:
    """One panel, from a height downwards."""

    def __init__(self, began: float, ended: float, top: int) -> None:
        self._began, self._ended = began, ended
        self.bottom = top

    def of(self, panel: Bands | Curves | Bars) -> list[str]:
        if isinstance(panel, Bands):
            return [*self._bands(panel), *self._axis()]
        return [*self._curves(panel), *self._axis()] if isinstance(panel, Curves) else list(self._bars(panel))

    def _x(self, at: float) -> float:
        return LEFT + (at - self._began) / (self._ended - self._began) * (WIDTH - LEFT - RIGHT)

    def _axis(self) -> Iterator[str]:
        self.bottom += 4
        for second in range(0, int(self._ended - self._began) + 1, 10):
            x = self._x(self._began + second)
            yield f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{self.bottom}" y2="{self.bottom + 4}" stroke="#8a94a0"/>'
            yield _text(x, self.bottom + 17, f"{second} s", grey=True, anchor="middle")

    def _bands(self, panel: Bands) -> Iterator[str]:
        rows: dict[str, dict[float, str]] = {}
        for series in panel.series:
            row = " ".join(series["metric"][label] for label in panel.rows)
            for at, value in series["values"]:
                word = ", ".join(series["metric"][label] for label in panel.states) or _YES_NO[value]
                rows.setdefault(row, {})[float(at)] = word
        for row, words in sorted(rows.items()):
            yield _text(LEFT - 10, self.bottom + 15, row, anchor="end")
            for begin, end, word in _runs(words):
                x, width = self._x(begin), max(1.0, self._x(min(end, self._ended)) - self._x(begin))
                colour = OF_STATE.get(word.split(",")[0], "#8a94a0")
                yield f'<rect x="{x:.1f}" y="{self.bottom}" width="{width:.1f}" height="{BAND}" fill="{colour}"/>'
                if width > 7 * len(word):
                    yield _text(x + 5, self.bottom + 15, word, size=12, colour="#ffffff")
            self.bottom += LINE

    def _curves(self, panel: Curves) -> Iterator[str]:
        top = self.bottom
        for value in (0, 50, 100):
            y = top + CHART * (1 - value / 100)
            yield f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.0f}" y2="{y:.0f}" stroke="#dfe3e8"/>'
            yield _text(LEFT - 10, y + 4, str(value), grey=True, anchor="end")
        for index, series in enumerate(panel.series):
            points = " ".join(
                f"{self._x(at):.1f},{top + CHART * (1 - float(v) / 100):.1f}" for at, v in series["values"]
            )
            yield f'<polyline points="{points}" fill="none" stroke="{COLOURS[index]}" stroke-width="2"/>'
            yield _text(LEFT - 130, top + 20 + 18 * index, series["metric"][panel.name], colour=COLOURS[index])
        self.bottom += CHART

    def _bars(self, panel: Bars) -> Iterator[str]:
        longest = max(panel.budgets.values())
        for name, seconds in panel.measured.items():
            yield _text(LEFT - 10, self.bottom + 15, name, anchor="end")
            room, budget = (WIDTH - LEFT - RIGHT - 180) / longest, panel.budgets[name]
            yield f'<rect x="{LEFT}" y="{self.bottom}" width="{budget * room:.1f}" height="{BAND}" fill="#e6eaef"/>'
            yield f'<rect x="{LEFT}" y="{self.bottom}" width="{seconds * room:.1f}" height="{BAND}" fill="#2f5d8a"/>'
            said = f"{seconds:.1f} s of {budget:g} s"
            yield _text(LEFT + max(budget, seconds) * room + 8, self.bottom + 15, said)
            self.bottom += LINE


_YES_NO = {"1": "yes", "0": "no", "-1": "cannot tell"}


def _runs(words: Mapping[float, str]) -> Iterator[tuple[float, float, str]]:
    """Begin, end and word of each stretch in which nothing changed; a sample stands until the next one."""
    times = sorted(words)
    begin = times[0]
    for at, following in zip(times, [*times[1:], times[-1] + 1], strict=True):
        if words.get(following) != words[at]:
            yield begin, following, words[at]
            begin = following


def _text(
    x: float, y: float, words: str, *, size: int = 13, bold: bool = False, grey: bool = False, anchor: str = "start",
    colour: str = "#1f2d3d",
) -> str:  # fmt: skip
    weight = ' font-weight="bold"' if bold else ""
    fill = "#5a6572" if grey else colour
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size if not grey else 12}" fill="{fill}"{weight} '
        f'text-anchor="{anchor}">{escape(words)}</text>'
    )
