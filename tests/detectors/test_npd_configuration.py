"""The configuration files, by the rules of node-problem-detector v1.36 and by stricter ones of ours.

NPD ignores keys that it does not know, and takes a condition as False until its plug-in has spoken, unless told not to.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from detectors.finding import MESSAGE_LIMIT
from detectors.kinds import PLUGINS

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "detectors" / "npd").glob("*.json"))
INSTALLED = Path("/opt/avance-detectors")
"""Where the image has the folder `detectors`."""

KEYS = {"plugin", "pluginConfig", "source", "conditions", "rules", "metricsReporting"}
GLOBAL: dict[str, type] = {
    "invoke_interval": str,
    "timeout": str,
    "max_output_length": int,
    "concurrency": int,
    "enable_message_change_based_condition_update": bool,
    "skip_initial_status": bool,
}
RULE: dict[str, type] = {
    "type": str, "condition": str, "reason": str, "path": str, "args": list, "timeout": str,
}  # fmt: skip
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
NPD_READS_AT_MOST = 4096


def seconds(text: str) -> float:
    """A duration as Go writes it. Raises ValueError."""
    if not re.fullmatch(r"(\d+(\.\d+)?(ms|s|m|h))+", text):
        raise ValueError(f"{text!r} is no duration of Go")
    return sum(float(number) * _UNITS[unit] for number, unit in re.findall(r"([\d.]+)(ms|s|m|h)", text))


def checked(document: dict[str, Any], installed: Path = INSTALLED, here: Path = ROOT) -> dict[str, Any]:
    """The document, if NPD would take it as it is meant. Raises AssertionError."""
    assert document.keys() == KEYS, "a key that NPD ignores, or one that is missing"
    assert document["plugin"] == "custom"
    assert isinstance(document["source"], str)
    assert document["source"]
    settings = document["pluginConfig"]
    assert {name: type(value) for name, value in settings.items()} == GLOBAL
    assert settings["concurrency"] >= 1
    assert seconds(settings["invoke_interval"]) > 0
    assert MESSAGE_LIMIT <= settings["max_output_length"] <= NPD_READS_AT_MOST
    presets = {preset["type"]: preset for preset in document["conditions"]}
    assert all(preset.keys() == {"type", "reason", "message"} for preset in presets.values())
    for rule in document["rules"]:
        assert {name: type(value) for name, value in rule.items()} == RULE
        assert rule["type"] == "permanent", "a temporary problem is an Event only"
        assert rule["condition"] in presets, "NPD refuses a permanent problem without a preset condition"
        assert 0 < seconds(rule["timeout"]) <= seconds(settings["timeout"]), "NPD refuses a longer one"
        program = here / Path(rule["path"]).relative_to(installed)
        assert os.access(program, os.X_OK), "NPD refuses a path that does not exist"
        for reason in (rule["reason"], presets[rule["condition"]]["reason"]):
            assert re.fullmatch(r"[A-Z][A-Za-z]+", reason)
    return document


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_npd_takes_it(file: Path) -> None:
    checked(json.loads(file.read_text()))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_it_means_what_it_should(file: Path) -> None:
    document = json.loads(file.read_text())
    settings = document["pluginConfig"]
    (preset,), (rule,) = document["conditions"], document["rules"]
    assert settings["skip_initial_status"], "nothing is fine before somebody has looked"
    assert settings["enable_message_change_based_condition_update"], "a second part that fails has to be told"
    (kind,) = [kind for kind in PLUGINS if kind.condition == rule["condition"]]
    assert (preset["reason"], preset["message"], rule["reason"]) == (
        kind.healthy_reason, kind.healthy_message, kind.problem_reason,
    )  # fmt: skip
    condition, budget = rule["args"]
    assert condition == kind.condition
    assert float(budget) < seconds(rule["timeout"]), "the plug-in's own word comes first: it says what was slow"
    assert seconds(rule["timeout"]) <= seconds(settings["invoke_interval"])


def test_each_condition_has_one_file_and_each_source_its_name() -> None:
    documents = [json.loads(file.read_text()) for file in FILES]
    told = sorted(preset["type"] for document in documents for preset in document["conditions"])
    assert told == sorted(kind.condition for kind in PLUGINS)
    assert [document["source"] for document in documents] == [f"avance-{file.stem}" for file in FILES]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("plugin",), "filelog"),
        (("pluginConfig", "timeout"), "25"),
        (("pluginConfig", "timeout"), "1s"),
        (("pluginConfig", "invoke_interval"), "0s"),
        (("pluginConfig", "max_output_length"), 80),
        (("pluginConfig", "max_output_length"), "2048"),
        (("pluginConfig", "interval"), "30s"),
        (("rules", 0, "type"), "perm"),
        (("rules", 0, "condition"), "FansProblem"),
        (("rules", 0, "path"), "/opt/avance-detectors/detectors/bin/nothing"),
        (("rules", 0, "timeout"), "26s"),
        (("condition",), "FanProblem"),
    ],
)
def test_the_rules_refuse_what_npd_would_refuse_or_ignore(path: tuple[str | int, ...], value: Any) -> None:
    document = json.loads((ROOT / "detectors" / "npd" / "fans.json").read_text())
    place: Any = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises((AssertionError, ValueError)):
        checked(document)
