"""The lists in docs/monitoring.md: metrics, read off the operator, and alerts, read off rules and runbooks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from avance.operator.metrics import Metrics

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "monitoring.md"
RULES = ROOT / "helm" / "avance" / "files" / "rules" / "avance.yaml"
RUNBOOKS = ROOT / "docs" / "runbooks"


def filled_in(page: str) -> str:
    """The page with the lists between their marks as they have to be. Raises ValueError if a mark is missing."""
    for name, lines in (("metrics", _metrics()), ("alerts", _alerts()), ("records", _records())):
        found = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end of {name} -->)", re.DOTALL)
        if not found.search(page):
            raise ValueError(f"{PAGE.name} has no marks for {name}")
        text = "\n".join(lines)
        page = found.sub(lambda marks, text=text: f"{marks[1]}{text}\n{marks[2]}", page)  # type: ignore[misc]
    return page


def _metrics() -> Iterator[str]:
    yield from ("| Metric | Type | Labels | What it says |", "| --- | --- | --- | --- |")
    for metric in Metrics().described:
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        yield f"| `{metric.name}` | {metric.type} | {labels} | {metric.meaning} |"


def _alerts() -> Iterator[str]:
    yield from ("| Alert | Severity | After | What it means |", "| --- | --- | --- | --- |")
    for rule in _rules("alert"):
        text = (RUNBOOKS / f"{rule['alert']}.md").read_text().split("\n\n")[1]
        sentence = re.split(r"(?<=\.)\s", re.sub(r"\]\(", "](runbooks/", text.replace("\n", " ")))[0]
        link = f"[{rule['alert']}](runbooks/{rule['alert']}.md)"
        yield f"| {link} | {rule['labels']['severity']} | {rule.get('for', 'at once')} | {sentence} |"


def _records() -> Iterator[str]:
    yield from ("| Recorded | Is |", "| --- | --- |")
    for rule in _rules("record"):
        yield f"| `{rule['record']}` | `{' '.join(rule['expr'].split())}` |"


def _rules(kind: str) -> Iterator[dict[str, Any]]:
    for group in yaml.safe_load(RULES.read_text())["groups"]:
        yield from (rule for rule in group["rules"] if kind in rule)
