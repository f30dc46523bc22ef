"""Memory, by the counts of EDAC."""

from __future__ import annotations

import pytest

from detectors.finding import Verdict
from tests.detectors.node import Node

DIMM = "sys/devices/system/edac/mc/mc0/dimm{}/"
DAY = 86400


def dimm(node: Node, number: int, corrected: int | str, uncorrected: int = 0, label: str = "") -> None:
    node.write(DIMM.format(number) + "dimm_ce_count", corrected)
    node.write(DIMM.format(number) + "dimm_ue_count", uncorrected)
    node.write(DIMM.format(number) + "dimm_label", label)


def test_a_few_corrected_errors_are_no_fault(node: Node) -> None:
    for corrected in (0, 3, 23):
        dimm(node, 0, corrected)
        node.uptime += 3600
        assert node.look("MemoryProblem").verdict is Verdict.FINE


def test_many_corrected_errors_within_a_day(node: Node) -> None:
    dimm(node, 0, 1000, label="CPU_SrcID#0_MC#0_Chan#0_DIMM#0")
    dimm(node, 1, 5)
    assert node.look("MemoryProblem").verdict is Verdict.FINE, "they may be years old"
    node.uptime += 3600
    dimm(node, 0, 1024, label="CPU_SrcID#0_MC#0_Chan#0_DIMM#0")
    finding = node.look("MemoryProblem")
    assert finding.message == (
        "component=CPU_SrcID#0_MC#0_Chan#0_DIMM#0 state=correctable-errors part=- serial=- "
        "detail=24 or more corrected errors within a day"
    )
    for _ in range(26):
        node.uptime += 3600
        last = node.look("MemoryProblem")
    assert last.verdict is Verdict.FINE, "a day without new ones"


def test_slow_growth_is_no_fault_however_long(node: Node) -> None:
    for day in range(60):
        dimm(node, 0, day * 5)
        node.uptime += DAY
        assert node.look("MemoryProblem").verdict is Verdict.FINE


def test_counts_of_an_earlier_life_are_forgotten(node: Node) -> None:
    node.write("proc/sys/kernel/random/boot_id", "one")
    dimm(node, 0, 0)
    assert node.look("MemoryProblem").verdict is Verdict.FINE
    node.write("proc/sys/kernel/random/boot_id", "two")
    dimm(node, 0, 500)
    assert node.look("MemoryProblem").verdict is Verdict.FINE


def test_an_error_that_could_not_be_corrected(node: Node) -> None:
    dimm(node, 0, 0)
    dimm(node, 3, 0, uncorrected=1)
    finding = node.look("MemoryProblem")
    assert finding.verdict is Verdict.PROBLEM
    assert finding.message.startswith("component=mc0-dimm3 state=uncorrectable-errors ")


def test_a_driver_that_counts_by_controller_only(node: Node) -> None:
    node.write("sys/devices/system/edac/mc/mc0/ce_count", 0)
    node.write("sys/devices/system/edac/mc/mc0/ue_count", 2)
    assert node.look("MemoryProblem").message.startswith("component=mc0 state=uncorrectable-errors ")


def test_no_driver_is_a_doubt(node: Node) -> None:
    finding = node.look("MemoryProblem")
    assert finding.verdict is Verdict.UNKNOWN
    assert "load its EDAC driver" in finding.message


def test_garbage_is_a_doubt(node: Node) -> None:
    dimm(node, 0, "many")
    finding = node.look("MemoryProblem")
    assert finding.verdict is Verdict.UNKNOWN
    assert "dimm0" in finding.message


@pytest.mark.parametrize("broken", ["", "{", '{"boot": "", "samples": 3}', '{"boot": "", "samples": [["a", "b"]]}'])
def test_a_broken_memory_file_is_begun_anew(node: Node, broken: str) -> None:
    memory = node.host().memory
    memory.mkdir()
    (memory / "memory-mc0-dimm0.json").write_text(broken)
    dimm(node, 0, 7)
    assert node.look("MemoryProblem").verdict is Verdict.FINE
