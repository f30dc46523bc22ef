"""The names by which scenarios say what they show."""

import re
from pathlib import Path
from typing import Any

import pytest

from avance.simulator.table import FAULTS, RULES, Place, TableError, place

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "scenarios.md"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (None, Place()),
        ({"fault": "server crash", "on": "primary"}, Place("server crash", "primary")),
        ({"fault": "VM failure"}, Place("VM failure", "pair")),
        ({"rules": "tiers"}, Place("", "", ("tiers",))),
        ({"rules": ["tiers", "margin"]}, Place("", "", ("tiers", "margin"))),
    ],
)
def test_a_place_in_the_table(written: Any, meant: Place) -> None:
    assert place(written) == meant


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (["tiers"], "`table` is written {fault"),
        ({"line": 1}, "`table` is written {fault"),
        ({"fault": "earthquake"}, "the fault table has no line 'earthquake'; it has: benign fault"),
        ({"fault": "server crash"}, "'server crash' needs on: backup or on: primary"),
        ({"fault": "server crash", "on": "pair"}, "'server crash' needs on: backup or on: primary"),
        ({"on": "pair"}, "`on` goes with a `fault`"),
        ({"rules": ["hope"]}, "there is no safety rule 'hope'; there are: proof before restart"),
    ],
)
def test_a_wrong_place_is_explained(written: Any, message: str) -> None:
    with pytest.raises(TableError, match=re.escape(message)):
        place(written)


def test_every_name_is_documented() -> None:
    text = " ".join(DOCUMENTATION.read_text().split())
    faults = [f"`{fault}` ({', '.join(sides)})" for fault, sides in FAULTS.items()]
    assert [name for name in [*faults, *(f"`{rule}`" for rule in RULES)] if name not in text] == []
