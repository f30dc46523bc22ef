"""The plug-in as node-problem-detector runs it: exit codes, one line, and no health by accident."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from detectors.finding import MESSAGE_LIMIT, CantTellError, Fault, Finding, Verdict, collect, conclude
from detectors.kinds import PLUGINS, SENSES, WATCHED
from detectors.settings import Limits, Peer, PublicInterface, Settings, SettingsError, load
from e2e.hardware import components
from tests.detectors.node import Node

DETECT = Path(__file__).parents[2] / "detectors" / "bin" / "detect"


def detect(*arguments: str, program: Path = DETECT, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, program, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
        env={**os.environ, **environment},
    )


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    return {"AVANCE_DETECTORS_SETTINGS": str(tmp_path / "none.json"), "AVANCE_DETECTORS_MEMORY": str(tmp_path / "m")}


def test_the_exit_code_and_the_one_line(node: Node, settings: dict[str, str]) -> None:
    node.program("ipmitool", ('"sdr type Fan"', "ipmi-fan-healthy.txt"))
    fine = detect("FanProblem", **settings)
    assert (fine.returncode, fine.stdout) == (0, "no FanProblem detected\n")
    node.program("ipmitool", ('"sdr type Fan"', "ipmi-fan-failed.txt"))
    bad = detect("FanProblem", **settings)
    assert bad.returncode == 1
    assert bad.stdout.startswith("component=Fan1A state=failed ")
    assert bad.stdout.count("\n") == 1
    node.remove("ipmitool")
    unknown = detect("FanProblem", **settings)
    assert (unknown.returncode, unknown.stdout.split()[0]) == (2, "ipmitool")
    assert not fine.stderr + bad.stderr + unknown.stderr


def test_a_slow_tool_leaves_time_to_say_so(node: Node, settings: dict[str, str]) -> None:
    node.script("ipmitool", "exec /bin/sleep 30")
    slow = detect("FanProblem", "0.3", **settings)
    assert slow.returncode == 2
    assert "did not answer in time" in slow.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [((), "no plug-in senses ''"), (("Fan",), "use one of PowerSupplyProblem"), (("FanProblem", "soon"), "'soon'")],
)
def test_a_wrong_call_is_unknown_and_says_what_to_do(
    arguments: tuple[str, ...], words: str, settings: dict[str, str]
) -> None:
    wrong = detect(*arguments, **settings)
    assert wrong.returncode == 2
    assert words in wrong.stdout


def test_a_plug_in_that_is_itself_broken_is_unknown(tmp_path: Path, settings: dict[str, str]) -> None:
    broken = tmp_path / "detectors"
    shutil.copytree(DETECT.parents[1], broken, ignore=shutil.ignore_patterns("__pycache__"))
    (broken / "fans.py").write_text("import nothing_of_that_name\n")
    failed = detect("FanProblem", program=broken / "bin" / "detect", **settings)
    assert failed.returncode == 2, "Python's own exit code would be read as a failed fan"
    assert "the plug-in itself failed: ModuleNotFoundError" in failed.stdout


def test_the_words_are_those_of_the_operators_lab() -> None:
    ours = {kind.condition: (kind.healthy_reason, kind.problem_reason) for kind in (*PLUGINS, *WATCHED)}
    theirs = {kind.condition: (kind.healthy_reason, kind.problem_reason) for kind in components.KINDS.values()}
    assert ours == theirs
    assert {kind.healthy_message for kind in SENSES} <= {kind.healthy_message for kind in components.KINDS.values()}


# --- messages -----------------------------------------------------------------------------------------------------


def test_a_message_never_holds_half_a_component() -> None:
    many = [Fault(f"disk-{number:03}", "failed", "x" * 100) for number in range(100)]
    finding = conclude(lambda: many, "fine")
    assert finding.verdict is Verdict.PROBLEM
    assert len(finding.message.encode()) <= MESSAGE_LIMIT
    told = finding.message.count("component=")
    assert finding.message.endswith(f"(and {100 - told} more)")
    for text in finding.message.split("; "):
        assert text.startswith("component=disk-")
        assert "x" * 100 in text


def test_a_doubt_of_any_length_fits() -> None:
    def doubt() -> list[Fault]:
        raise CantTellError("ö" * 5000)

    assert len(conclude(doubt, "fine").message.encode()) <= MESSAGE_LIMIT


def test_names_with_blanks_and_separators_do_not_break_the_convention() -> None:
    fault = Fault("Power Supply 1; bay", "failed", "one; component=two\nthree", " MZ 7L3 ", "")
    assert str(fault) == (
        "component=Power-Supply-1-bay state=failed part=MZ-7L3 serial=- detail=one, component=two three"
    )


def test_the_order_of_the_components_does_not_depend_on_the_tool() -> None:
    one, two = Fault("a", "failed", "x"), Fault("b", "failed", "x")
    assert conclude(lambda: [two, one], "fine") == conclude(lambda: [one, two], "fine")


def test_a_doubt_counts_only_without_a_fault() -> None:
    def doubt() -> list[Fault]:
        raise CantTellError("no answer")

    assert collect([doubt, lambda: [Fault("a", "failed", "x")]]) == [Fault("a", "failed", "x")]
    with pytest.raises(CantTellError, match=r"^no answer$"):
        collect([list, doubt, doubt])
    assert conclude(doubt, "fine") == Finding(Verdict.UNKNOWN, "no answer")


# --- settings -----------------------------------------------------------------------------------------------------


def test_settings_of_this_node(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_text(
        """{"limits": {"missed_probes": 3}, "replica_storage": true, "nodes": {"node-a": {
             "peer": {"name": "node-b", "private_interface": "bond1", "private_address": "10.0.0.2",
                      "public_address": "192.0.2.12"},
             "public_interfaces": [{"name": "bond0", "gateway": "192.0.2.1"}, {"name": "eno3"}]}}}"""
    )
    assert load(file, "node-a") == Settings(
        "node-a",
        Peer("node-b", "bond1", "10.0.0.2", "192.0.2.12"),
        (PublicInterface("bond0", "192.0.2.1"), PublicInterface("eno3")),
        replica_storage=True,
        limits=Limits(missed_probes=3),
    )
    assert load(file, "node-c").peer is None
    assert load(tmp_path / "none", "node-a") == Settings("node-a")


@pytest.mark.parametrize("text", ["", "[]", '{"limits": {"missed": 3}}', '{"nodes": {"node-a": {}}}', '{"nodes": []}'])
def test_settings_that_cannot_be_used_are_unknown_to_all(tmp_path: Path, text: str) -> None:
    file = tmp_path / "settings.json"
    file.write_text(text)
    with pytest.raises(SettingsError, match="install the chart again"):
        load(file, "node-a")
    wrong = detect("FanProblem", AVANCE_DETECTORS_SETTINGS=str(file), NODE_NAME="node-a")
    assert wrong.returncode == 2
    assert "is no file of settings" in wrong.stdout
