"""Power supplies, fans, temperatures and processors, by what ipmitool prints."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from avance.core.faults import NodeCondition, active_faults
from avance.core.policy import HealthPolicy
from detectors.finding import Verdict
from tests.detectors.node import Node

KINDS = {
    "PowerSupplyProblem": ("Power Supply", "ipmi-power-supply"),
    "FanProblem": ("Fan", "ipmi-fan"),
    "TemperatureProblem": ("Temperature", "ipmi-temperature"),
    "CPUProblem": ("Processor", "ipmi-processor"),
}


def give(node: Node, condition: str, recorded: str) -> None:
    sensor, prefix = KINDS[condition]
    node.program("ipmitool", (f'"sdr type {sensor}"', f"{prefix}-{recorded}.txt"), ('"fru print"', "ipmi-fru.txt"))


@pytest.mark.parametrize("condition", KINDS)
def test_healthy(node: Node, condition: str) -> None:
    give(node, condition, "healthy")
    finding = node.look(condition)
    assert (finding.verdict, finding.message) == (Verdict.FINE, f"no {condition} detected")


@pytest.mark.parametrize(
    ("condition", "recorded", "message"),
    [
        (
            "PowerSupplyProblem",
            "no-input",
            "component=PS2 state=no-input part=0GDPF3A01 serial=CNLOD0031A0AB2 detail=Power Supply AC lost",
        ),
        (
            "PowerSupplyProblem",
            "failed",
            "component=Power-Supply-1 state=failed part=865414-B21 serial=5WBXT0CLLB51R7 detail=Failure detected; "
            "component=Power-Supply-2 state=misconfigured part=- serial=- detail=Config Error: Vendor Mismatch",
        ),
        (
            "PowerSupplyProblem",
            "out-of-range",
            "component=PSU1 state=no-input part=- serial=- detail=AC out-of-range",
        ),
        (
            "PowerSupplyProblem",
            "one-bay-empty",
            "component=PS-Redundancy state=redundancy-lost part=- serial=- "
            "detail=the management controller says that redundancy is lost",
        ),
        (
            "FanProblem",
            "failed",
            "component=Fan1A state=failed part=- serial=- detail=its speed is beyond a critical threshold",
        ),
        (
            "FanProblem",
            "discrete",
            "component=Fan-2 state=failed part=- serial=- detail=Transition to Critical from less severe",
        ),
        (
            "TemperatureProblem",
            "hot",
            "component=Inlet-Temp state=too-hot part=- serial=- detail=beyond a critical threshold; "
            "component=Temp state=too-hot part=- serial=- detail=beyond a critical threshold",
        ),
        ("CPUProblem", "failed", "component=CPU2 state=failed part=- serial=- detail=IERR"),
    ],
)
def test_each_failure_is_told_in_the_words_of_the_convention(
    node: Node, condition: str, recorded: str, message: str
) -> None:
    give(node, condition, recorded)
    finding = node.look(condition)
    assert finding.verdict is Verdict.PROBLEM
    assert finding.message == message
    seen = active_faults("node-a", [NodeCondition(condition, "True", 0.0, 0.0, finding.message)], HealthPolicy())
    words = [
        f"component={fault.component} state={{}} part={fault.part} serial={fault.serial} detail={fault.message}"
        for fault in seen
    ]
    assert len(words) == message.count("component=")
    for word in words:
        head, tail = word.split("{}")
        assert head in message
        assert tail in message


def test_a_reading_that_moves_changes_no_message(node: Node) -> None:
    give(node, "TemperatureProblem", "hot")
    first = node.look("TemperatureProblem")
    node.script(
        "ipmitool", 'echo "Inlet Temp | 05h | cr | 7.1 | 49 degrees C"; echo "Temp | 0Eh | cr | 3.1 | 99 degrees C"'
    )
    assert node.look("TemperatureProblem") == first


def test_without_an_inventory_the_fault_is_told_all_the_same(node: Node) -> None:
    node.program("ipmitool", ('"sdr type Power Supply"', "ipmi-power-supply-no-input.txt"))
    finding = node.look("PowerSupplyProblem")
    assert finding.message == "component=PS2 state=no-input part=- serial=- detail=Power Supply AC lost"


@pytest.mark.parametrize("condition", KINDS)
def test_a_missing_tool_is_not_taken_for_health(node: Node, condition: str) -> None:
    finding = node.look(condition)
    assert finding.verdict is Verdict.UNKNOWN
    assert finding.message == "ipmitool is missing: use the avance-detectors image, or put it there"


@pytest.mark.parametrize("condition", KINDS)
def test_a_management_controller_that_is_not_there(node: Node, condition: str) -> None:
    node.script("ipmitool", "echo 'Could not open device at /dev/ipmi0: No such file or directory' >&2; exit 1")
    finding = node.look(condition)
    assert finding.verdict is Verdict.UNKNOWN
    assert "Could not open device at /dev/ipmi0" in finding.message
    assert "load the kernel modules ipmi_si and ipmi_devintf" in finding.message


@pytest.mark.parametrize("output", ["", "$$$ what is this | and that", "<html>502 Bad Gateway</html>"])
@pytest.mark.parametrize("condition", KINDS)
def test_garbage_is_not_taken_for_health(node: Node, condition: str, output: str) -> None:
    node.script("ipmitool", f"echo '{output}'")
    finding = node.look(condition)
    assert finding.verdict is Verdict.UNKNOWN
    assert "lists no" in finding.message


def test_bytes_that_are_no_text(node: Node) -> None:
    node.script("ipmitool", "/usr/bin/head -c 2000 /dev/urandom")
    assert node.look("FanProblem").verdict is Verdict.UNKNOWN


def test_a_slow_tool_is_cut_off_with_all_that_it_started(node: Node) -> None:
    node.budget = 1.5  # enough for the tool to start what it leaves behind
    node.script("ipmitool", f"/bin/sleep 30 & echo $! > {node.directory}/child; wait")
    before = node.host().deadline
    finding = node.look("FanProblem")
    assert finding.verdict is Verdict.UNKNOWN
    assert "`ipmitool sdr type Fan` did not answer in time" in finding.message
    assert node.host().deadline - before < 5, "the plug-in itself was slow"
    child = Path("/proc", (node.directory / "child").read_text().strip(), "stat")
    until = time.monotonic() + 5
    while child.exists() and child.read_text().rsplit(")", 1)[1].split()[0] in "RSD":
        assert time.monotonic() < until, "what the tool started was left behind"
        time.sleep(0.02)


def test_sensors_that_cannot_be_read(node: Node) -> None:
    node.program("ipmitool", ('"sdr type Power Supply"', "ipmi-nothing-readable.txt"))
    finding = node.look("PowerSupplyProblem")
    assert finding.verdict is Verdict.UNKNOWN
    assert "no Power Supply sensor of the management controller can be read" in finding.message
