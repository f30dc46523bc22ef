"""The few kinds of panels that the dashboards are made of, as Grafana's JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

WIDTH = 24
SCHEMA_VERSION = 39
DATASOURCE = {"type": "prometheus", "uid": "$datasource"}
GREEN, YELLOW, ORANGE, RED, BLUE, GREY = "green", "yellow", "orange", "red", "blue", "text"


@dataclass(frozen=True)
class Query:
    """One expression, and the name of its curves; {{label}} stands for a label's value."""

    expr: str
    legend: str = ""


@dataclass(frozen=True)
class Panel:
    """One panel. `unit` is one of Grafana's units; `width` is of 24, `height` of 30 pixels each."""

    title: str
    description: str
    kind: str
    unit: str
    queries: tuple[Query, ...]
    width: int = 12
    height: int = 8
    values: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Words and colours for values that stand for something."""
    steps: tuple[tuple[float | None, str], ...] = ((None, GREEN),)
    """From which value on it is shown in which colour."""
    options: Json = field(default_factory=dict)
    transformations: tuple[Json, ...] = ()
    instant: bool = False
    maximum: float | None = None
    custom: Json = field(default_factory=dict)


YES_NO = {"1": ("yes", GREEN), "0": ("no", RED), "-1": ("cannot tell", ORANGE)}


def stat(title: str, description: str, expr: str, unit: str = "none", **more: Any) -> Panel:
    """One number, now."""
    options = {"colorMode": "background", "graphMode": "none", "reduceOptions": {"calcs": ["lastNotNull"]}}
    sound: Json = {"width": 4, "height": 4, "options": options, "instant": True}
    return Panel(title, description, "stat", unit, (Query(expr, more.pop("legend", "")),), **(sound | more))


def curves(title: str, description: str, unit: str, *queries: Query, **more: Any) -> Panel:
    """Values over time."""
    options = {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}}
    custom = {"fillOpacity": 10, "lineWidth": 1, "spanNulls": False}
    return Panel(title, description, "timeseries", unit, queries, options=options, custom=custom, **more)


def states(title: str, description: str, query: Query, **more: Any) -> Panel:
    """What held when, as coloured bars."""
    options = {"showValue": "never", "mergeValues": True, "legend": {"displayMode": "list", "placement": "bottom"}}
    return Panel(title, description, "state-timeline", "none", (query,), options=options, **more)


def table(title: str, description: str, *queries: Query, unit: str = "none", **more: Any) -> Panel:
    """Rows, now."""
    custom = {"cellOptions": {"type": "color-text"}, "filterable": True}
    return Panel(title, description, "table", unit, queries, instant=True, custom=custom, **more)


def matrix(row: str, column: str) -> tuple[Json, ...]:
    """One row and one column for each value of two labels."""
    return ({"id": "groupingToMatrix", "options": {"rowField": row, "columnField": column, "valueField": "Value"}},)


def without(*fields: str) -> Json:
    """Leave columns out."""
    return {"id": "organize", "options": {"excludeByName": dict.fromkeys(("Time", *fields), True)}}


def variable(name: str, label: str, query: str, *, several: bool = False) -> Json:
    """A choice at the top of the page, of what the query finds; `several`: all of them, unless some are chosen."""
    choice: Json = {"current": {"text": "All", "value": "$__all"}, "includeAll": True, "multi": True} if several else {}
    return {
        "name": name, "label": label, "type": "query", "datasource": DATASOURCE, "query": query, "refresh": 2,
        "sort": 1, **choice,
    }  # fmt: skip


def dashboard(name: str, title: str, description: str, variables: Iterable[Json], *panels: Panel) -> Json:
    """The whole page; `name` is its address within Grafana."""
    datasource = {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}
    links = {
        "title": "avance", "type": "dashboards", "tags": ["avance"], "asDropdown": False, "includeVars": True,
        "keepTime": True,
    }  # fmt: skip
    return {
        "uid": f"avance-{name}",
        "title": f"avance / {title}",
        "description": description,
        "tags": ["avance"],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "links": [links],
        "templating": {"list": [datasource, *variables]},
        "panels": list(_laid_out(panels)),
    }


def _laid_out(panels: Iterable[Panel]) -> Iterator[Json]:
    """From left to right, and below the highest of a line when that is full."""
    x = y = height = 0
    for number, panel in enumerate(panels, start=1):
        if x + panel.width > WIDTH:
            x, y, height = 0, y + height, 0
        yield _panel(number, panel) | {"gridPos": {"x": x, "y": y, "w": panel.width, "h": panel.height}}
        x, height = x + panel.width, max(height, panel.height)


def _panel(number: int, panel: Panel) -> Json:
    mappings = [
        {"type": "value", "options": {value: {"text": text, "color": colour, "index": index}}}
        for index, (value, (text, colour)) in enumerate(panel.values.items())
    ]
    defaults: Json = {
        "unit": panel.unit,
        "color": {"mode": "palette-classic" if panel.kind == "timeseries" else "thresholds"},
        "mappings": mappings,
        "thresholds": {"mode": "absolute", "steps": [{"value": at, "color": colour} for at, colour in panel.steps]},
        "custom": panel.custom,
    }
    if panel.maximum is not None:
        defaults |= {"min": 0, "max": panel.maximum}
    return {
        "id": number,
        "title": panel.title,
        "description": panel.description,
        "type": panel.kind,
        "datasource": DATASOURCE,
        "targets": [_target(index, query, panel) for index, query in enumerate(panel.queries)],
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": panel.options,
        "transformations": list(panel.transformations),
    }


def _target(index: int, query: Query, panel: Panel) -> Json:
    return {
        "refId": chr(ord("A") + index),
        "datasource": DATASOURCE,
        "expr": query.expr,
        "legendFormat": query.legend or "__auto",
        "instant": panel.instant,
        "range": not panel.instant,
        "format": "table" if panel.kind == "table" else "time_series",
    }
