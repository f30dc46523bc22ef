"""docs/detectors.md: what it shows is accepted, and what it lists is what there is."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import yaml

from detectors.kinds import PLUGINS, WATCHED
from detectors.settings import Limits

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "detectors.md").read_text()


def test_the_values_that_it_shows_are_accepted() -> None:
    (block,) = re.findall(r"^```yaml\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    values = yaml.safe_load(block)
    assert values["detectors"]["enabled"]
    jsonschema.validate(values, json.loads((ROOT / "helm" / "avance" / "values.schema.json").read_text()))


def test_every_condition_has_its_line() -> None:
    listed = set(re.findall(r"^\| `(\w+)` \|", TEXT, re.MULTILINE)) - {"watch"}
    assert listed == {kind.condition for kind in (*PLUGINS, *WATCHED)}


def test_the_intervals_and_limits_are_those_of_the_files() -> None:
    said = dict(re.findall(r"^\| `(\w+)` \|.*?\| ([\d.]+ (?:s|min)) \|", TEXT, re.MULTILINE))
    for file in (ROOT / "detectors" / "npd").glob("*.json"):
        document = json.loads(file.read_text())
        interval = document["pluginConfig"]["invoke_interval"].removesuffix("0s") or "0s"
        words = (
            interval.replace("m", " min")
            if "m" in interval
            else document["pluginConfig"]["invoke_interval"].replace("s", " s")
        )
        assert said[document["conditions"][0]["type"]] == words
    limits = Limits()
    assert f"{limits.corrected_errors_per_day} or more corrected ones" in TEXT
    assert f"{limits.network_errors_per_minute} or more errors a minute" in TEXT
    assert said["PeerUnreachable"] == f"{limits.probe_seconds} s"
    assert limits.missed_probes == 5
    assert "five probes in a row" in TEXT


def test_every_path_that_it_names_is_there() -> None:
    for path in re.findall(r"(?<![\w/.-])(detectors/[\w/.]+\w)", TEXT):
        if path != "detectors/npd" and not path.endswith(".yaml"):
            assert (ROOT / path).exists(), path
