"""The dashboards are as they would be generated, and every panel says what it shows and in which unit."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from monitoring.__main__ import rendered
from monitoring.pages import PAGES
from tests.monitoring.rules import rules
from tests.monitoring.test_rules import metric_names

Object = dict[str, Any]
PANELS = [(name, panel) for name, page in PAGES.items() for panel in page["panels"]]


def expressions(panel: Object) -> Iterator[str]:
    yield from (target["expr"] for target in panel["targets"])


@pytest.mark.parametrize("path", rendered(), ids=lambda path: path.name)
def test_what_is_committed_is_what_is_generated(path: Any) -> None:
    assert path.read_text() == rendered()[path], "run `make monitoring`"


@pytest.mark.parametrize(("page", "panel"), PANELS, ids=[f"{page}: {panel['title']}" for page, panel in PANELS])
def test_every_panel_says_what_it_shows_and_asks_for_what_there_is(page: str, panel: Object) -> None:
    assert panel["title"]
    assert panel["description"].endswith((".", "?")), page
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["datasource"]["uid"] == "$datasource"
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    for expr in expressions(panel):
        assert set(re.findall(r"\bavance:[a-z0-9_:]+\b", expr)) <= recorded, expr
        plain = set(re.findall(r"(?<![:\w])avance_[a-z0-9_]+\b", expr))
        assert plain <= metric_names() | {f"{name}_bucket" for name in metric_names()}, expr


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_panels_of_a_page_do_not_overlap_and_fit_in(page: Object) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in page["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in page["panels"]}) == len(page["panels"])
    assert page["uid"].startswith("avance-")
    assert page["description"]
