"""The scenario format: what is wrong is said in words, with what to write instead."""

import json
import re
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest

from avance.core.policy import PairPolicy
from avance.simulator import simulate
from avance.simulator.events import EVENTS
from avance.simulator.expectations import EXPECTATIONS
from avance.simulator.scenario import load, parse, run

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "scenarios.md"


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "opens with `shows:`"),
        ({"when": []}, "opens with `shows:`"),
        ({"shows": "x", "then then": []}, "unknown key then then"),
        ({"shows": "x", "when": ["node-a crashes"]}, "has no time in front"),
        ({"shows": "x", "when": [{"soon": "node-a crashes"}]}, "'soon' is no time: write 30 s or 5 min"),
        ({"shows": "x", "when": [{"5 s": "node-a explodes"}]}, "is no event; the closest is"),
        ({"shows": "x", "when": [{"5 s": "node-c crashes"}]}, "there is no server node-c"),
        ({"shows": "x", "when": [{"5 s": "the guest of ftp crashes"}]}, "there is no VM of that name"),
        (
            {"shows": "x", "when": [{"5 s": "the BMC of node-a sings"}]},
            "is no event; the closest is 'the BMC of NODE MODE'",
        ),
        ({"shows": "x", "then": [{"soon": "every VM runs"}]}, "by 30 s, at 30 s"),
        ({"shows": "x", "then": [{"by 5 s": "every VM dances"}]}, "is no expectation; the closest is 'every VM runs'"),
        ({"shows": "x", "then": [{"at 1 s": "ftp runs"}]}, "there is no VM of that name"),
        ({"shows": "x", "then": [{"at 1 s": "there are 2 Dance actions"}]}, "is no expectation"),
        ({"shows": "x", "vms": [{"name": "a", "color": "red"}]}, "a VM has no color; it has: name"),
        ({"shows": "x", "vms": [{"name": "a", "memory": "4 gigs"}]}, "write 4Gi"),
        ({"shows": "x", "vms": [{"name": "a", "priority": "Top"}]}, "High, Medium or Low"),
        ({"shows": "x", "vms": [{"name": "a", "runs on": "node-x"}]}, "there is no server node-x"),
        ({"shows": "x", "pair": {"weather": 1}}, "a pair has no weather"),
        ({"shows": "x", "pair": {"health": {"marge": 1}}}, "health has no marge"),
        ({"shows": "x", "pair": {"servers": [{"name": "a"}]}}, "a pair has two servers"),
        ({"shows": "x", "pair": {"servers": ["a", "b"]}}, "`servers` is a list of entries such as {name: server-1"),
        ({"shows": "x", "pair": {"servers": [{"name": "a", "ram": 1}, {"name": "b"}]}}, "a server has no ram; it has"),
        ({"shows": "x", "pair": {"servers": [{"name": "a"}, {"name": "a"}]}}, "two things are called a"),
        ({"shows": "x", "pair": ["a"]}, "`pair` is written {lag"),
        ({"shows": "x", "pair": {"mode": "observe"}}, "mode is one of Automatic, Observe, not 'observe'"),
        ({"shows": "x", "pair": {"health": 5}}, "health is written {setting: value}; it has:"),
        ({"shows": "x", "pair": {"health": {"margin": "ten"}}}, "health.margin is a number, not 'ten'"),
        ({"shows": "x", "pair": {"recovery": {"powerOn": "yes"}}}, "recovery.power_on is true or false, not 'yes'"),
        ({"shows": "x", "pair": {"recovery": {"stabilisationSeconds": "soon"}}}, "'soon' is no time"),
        ({"shows": "x", "vms": ["web"]}, "`vms` is a list of entries such as {name: vm-1"),
        ({"shows": "x", "vms": [{"memory": "4Gi"}]}, "`vms` is a list of entries such as {name: vm-1"),
        ({"shows": "x", "vms": [{"name": "a"}, {"name": "a"}]}, "two things are called a"),
        ({"shows": "x", "vms": [{"name": "node-a"}]}, "two things are called node-a"),
        ({"shows": "x", "vms": [{"name": "a b"}]}, "'a b' is no name for a VM"),
        ({"shows": "x", "vms": [{"name": "a", "prefers": "node-x"}]}, "there is no server node-x for a to prefer"),
        ({"shows": "x", "vms": [{"name": "a", "cores": 0.5}]}, "cores of a is a whole number, not '0.5'"),
        ({"shows": "x", "vms": [{"name": "a", "running": "maybe"}]}, "running of a is true or false, not 'maybe'"),
        ({"shows": "x", "when": "now"}, "'now' has no time in front"),
        ({"shows": "x", "when": [{"5 s": None}]}, "at 5 s there stands no sentence"),
        ({"shows": "x", "when": [{"5 s": {"a": "b"}}]}, "a sentence at 5 s has a colon in it"),
        ({"shows": "x", "then": [{"from 9 s to 5 s": "every VM runs"}]}, "'from 9 s to 5 s' ends before it begins"),
        ({"shows": "x", "ends": "5 s", "then": [{"at 9 s": "no VM runs"}]}, "to be true at 9 s, but it ends at 5 s"),
        ({"shows": "x", "ends": "5 s", "when": [{"9 s": "node-a crashes"}]}, "to happen or to be true at 9 s"),
        ({"shows": "x", "then": [{"always": "there are no Fence actions on ftp"}]}, "neither a server nor a VM ftp"),
        ({"shows": "x", "table": {"rules": ["hope"]}}, "there is no safety rule 'hope'"),
    ],
)
def test_a_mistake_is_explained(document: Any, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        parse("x", document)


def test_an_expectation_that_does_not_come_true_fails_with_its_sentence() -> None:
    document = {
        "shows": "What a failure looks like.",
        "when": [{"5 s": "node-a crashes"}],
        "then": [
            {"by 6 s": "every VM runs on node-b"},
            {"always": "every VM runs"},
            {"at 1 s": "no VM runs"},
            {"from 2 s to 4 s": "every VM runs on node-a"},
        ],
        "ends": "10 s",
    }
    failures = run(parse("x", document)).failures
    assert failures == (
        "at 1 s: no VM runs (not so at 1 s)",
        "always: every VM runs (not so at 5.25 s)",
        "by 6 s: every VM runs on node-b (not so by then)",
    )


def test_what_people_write_is_understood() -> None:
    document = {
        "shows": "Units, names and spellings as they come.",
        "pair": {"recovery": {"stabilisationSeconds": "5 s", "power_on": True}},
        "vms": [{"name": "sql-01", "memory": "1.5Gi"}, {"name": "web-2", "memory": "512Mi", "runs on": "node-b"}],
        "when": {"90s": ["Node-b loses its power.".replace("Node", "node"), "Somebody cordons node-b"]},
        "then": {"at the end": ["no VM runs on node-b", "there are at most 1 Fence actions", "sql-01 runs"]},
        "ends": "0.1 h",
    }
    scenario = parse("x", document)
    assert (scenario.policy.recovery.stabilisation_seconds, scenario.ends, scenario.events[0][0]) == (5, 360, 90)
    assert run(scenario).failures == ()


def test_of_a_directory_every_scenario_is_played(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("b", "a"):
        (tmp_path / f"{name}.yaml").write_text("shows: It works.\nends: 1 s\n")
    (tmp_path / "notes.txt").write_text("no scenario")
    assert simulate([tmp_path], json=True) == 0
    assert [json.loads(line)["scenario"] for line in capsys.readouterr().out.splitlines()] == ["a", "b"]


def test_every_setting_is_documented_with_its_default() -> None:
    text, policy = DOCUMENTATION.read_text(), PairPolicy()
    groups = [getattr(policy, each.name) for each in fields(policy) if is_dataclass(getattr(policy, each.name))]
    settings = [(each.name, getattr(group, each.name)) for group in groups for each in fields(group)]
    written = {name: value for name, value in settings if isinstance(value, (bool, int, float))}
    told = {name: str(value).lower() if isinstance(value, bool) else f"{value:.10g}" for name, value in written.items()}
    assert [f"`{name}` ({value})" for name, value in told.items() if f"`{name}` ({value})" not in text] == []


def test_simulate_prints_a_timeline_and_its_status_says_how_it_went(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad, wrong = tmp_path / "good.yaml", tmp_path / "bad.yaml", tmp_path / "wrong.yaml"
    good.write_text("shows: It works.\nwhen: [{5 s: node-b reboots}]\nthen: [{always: every VM runs}]\n")
    bad.write_text("shows: It does not.\nthen: [{at the end: no VM runs}]\n")
    wrong.write_text("shows: It is no scenario.\nthen: [{at the end: all is well}]\n")
    assert simulate([good]) == 0
    assert "0:05.00  event     node-b reboots" in capsys.readouterr().out
    assert simulate([good, bad]) == 1
    assert "FAILED  at the end: no VM runs" in capsys.readouterr().out
    assert simulate([good, wrong]) == 2
    assert "wrong.yaml" in capsys.readouterr().err
    assert simulate([good], json=True) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["passed"]
    assert printed["timeline"][0] == {"at": 5.0, "who": "event", "what": "node-b reboots"}


@pytest.mark.parametrize("language", [EVENTS, EXPECTATIONS], ids=["events", "expectations"])
def test_every_sentence_is_documented(language: Any) -> None:
    text = DOCUMENTATION.read_text().replace("\\|", "|")
    missing = [sentence for sentence in language.words if sentence not in text]
    assert not missing


def test_the_example_of_the_documentation_is_one(tmp_path: Path) -> None:
    example = DOCUMENTATION.read_text().split("```yaml\n")[1].split("```")[0]
    path = tmp_path / "example.yaml"
    path.write_text(example)
    assert run(load(path)).failures == ()
