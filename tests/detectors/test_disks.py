"""Disks and arrays, by smartctl, nvme, /proc/mdstat and the programs of RAID controllers."""

from __future__ import annotations

import pytest

from detectors.finding import Verdict
from tests.detectors.node import RECORDED, Node


def sata_and_sas(node: Node, sda: str = "smartctl-ata-healthy.json") -> None:
    for disk in ("sda", "sdb"):
        node.write(f"sys/block/{disk}/device/state", "running")
    node.program(
        "smartctl",
        ('"--json --scan-open"', "smartctl-scan.json"),
        ("*/dev/sda", sda),
        ("*/dev/sdb", "smartctl-scsi-healthy.json"),
    )


def nvme(node: Node, log: str = "nvme-healthy.json") -> None:
    node.write("sys/class/nvme/nvme0/model", "SAMSUNG MZQL21T9HCJR-00A07           ")
    node.write("sys/class/nvme/nvme0/serial", "S64GNE0R601234  ")
    node.write("sys/class/nvme/nvme0/state", "live")
    node.write("sys/block/nvme0n1/size", 3750748848)
    node.program("nvme", ('"smart-log /dev/nvme0 --output-format=json"', log))


def controller(node: Node, vendor: str) -> None:
    node.write("sys/bus/pci/devices/0000:17:00.0/class", "0x010400")
    node.write("sys/bus/pci/devices/0000:17:00.0/vendor", vendor)


def storcli(node: Node, volumes: str = "healthy", drives: str = "healthy", name: str = "storcli64") -> None:
    controller(node, "0x1000")
    node.program(
        name,
        ('"/call/vall show J"', f"storcli-volumes-{volumes}.json"),
        ('"/call/eall/sall show J"', f"storcli-drives-{drives}.json"),
    )


def ssacli(node: Node, recorded: str) -> None:
    controller(node, "0x9005")
    node.program("ssacli", ('"ctrl all show config"', f"ssacli-{recorded}.txt"))


def mdstat(node: Node, recorded: str) -> None:
    node.write("proc/mdstat", (RECORDED / f"mdstat-{recorded}.txt").read_text())


# --- disks --------------------------------------------------------------------------------------------------------


def test_healthy_disks_of_all_kinds(node: Node) -> None:
    sata_and_sas(node)
    nvme(node)
    mdstat(node, "healthy")
    assert node.look("DiskProblem").verdict is Verdict.FINE
    assert node.look("RaidProblem").verdict is Verdict.FINE


@pytest.mark.parametrize(
    ("recorded", "detail"),
    [
        ("smartctl-ata-failing.json", "its SMART health test says that it fails"),
        ("smartctl-ata-below-threshold.json", "an attribute is below its threshold"),
    ],
)
def test_a_failing_disk(node: Node, recorded: str, detail: str) -> None:
    sata_and_sas(node, recorded)
    finding = node.look("DiskProblem")
    assert finding.verdict is Verdict.PROBLEM
    assert finding.message == (
        f"component=sda state=failing part=SAMSUNG-MZ7L3960HCJR-00A07 serial=S662NE0R501234 detail={detail}"
    )
    assert node.look("RaidProblem").verdict is Verdict.FINE


def test_a_failing_disk_within_an_array_costs_redundancy_only(node: Node) -> None:
    sata_and_sas(node, "smartctl-ata-failing.json")
    (node.root / "sys/block/sda/sda2/holders/md127").mkdir(parents=True)
    assert node.look("DiskProblem").verdict is Verdict.FINE
    finding = node.look("RaidProblem")
    assert finding.verdict is Verdict.PROBLEM
    assert finding.message.startswith("component=sda state=failing ")


def test_a_failing_disk_behind_a_controller_costs_redundancy_only(node: Node) -> None:
    node.write("sys/block/sda/device/state", "running")
    storcli(node)
    node.program(
        "smartctl",
        ('"--json --scan-open"', "smartctl-scan-megaraid.json"),
        ('*"megaraid,8 /dev/bus/0"', "smartctl-scsi-failing.json"),
    )
    assert node.look("DiskProblem").verdict is Verdict.FINE
    assert node.look("RaidProblem").message == (
        "component=bus-0-megaraid-8 state=failing part=SEAGATE-ST1200MM0099 serial=WFK1ABCD0000K9 "
        "detail=its SMART health test says that it fails"
    )


def test_a_disk_that_the_kernel_has_given_up(node: Node) -> None:
    sata_and_sas(node)
    node.write("sys/block/sdb/device/state", "offline")
    node.write("sys/block/sdb/device/model", "ST1200MM0099")
    finding = node.look("DiskProblem")
    assert finding.message == (
        "component=sdb state=failed part=ST1200MM0099 serial=- detail=the kernel has taken it offline"
    )


@pytest.mark.parametrize(
    ("log", "detail"),
    [
        ("nvme-failing.json", "its reliability is degraded by errors, it takes no more writes"),
        ("nvme-failing-verbose.json", "its spare blocks are used up"),
    ],
)
def test_a_failing_nvme_disk(node: Node, log: str, detail: str) -> None:
    nvme(node, log)
    assert node.look("DiskProblem").message == (
        f"component=nvme0 state=failing part=SAMSUNG-MZQL21T9HCJR-00A07 serial=S64GNE0R601234 detail={detail}"
    )


def test_an_nvme_disk_that_is_only_warm_has_not_failed(node: Node) -> None:
    nvme(node, "nvme-hot.json")
    assert node.look("DiskProblem").verdict is Verdict.FINE


def test_a_dead_nvme_disk(node: Node) -> None:
    nvme(node)
    node.write("sys/class/nvme/nvme0/state", "dead")
    assert "component=nvme0 state=failed " in node.look("DiskProblem").message


def test_the_volume_of_a_controller_has_no_smart_and_is_no_doubt(node: Node) -> None:
    sata_and_sas(node, "smartctl-virtual-disk.json")
    assert node.look("DiskProblem").verdict is Verdict.FINE


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (None, "smartctl is missing"),
        ("echo nonsense", "printed no JSON but: nonsense"),
        ("echo '[1, 2]'", "in a way that is not understood"),
        ("echo '{}'", "smartctl finds none of the disks"),
    ],
)
def test_smartctl_that_tells_nothing(node: Node, script: str | None, words: str) -> None:
    sata_and_sas(node)
    if script is None:
        node.remove("smartctl")
    else:
        node.script("smartctl", script)
    finding = node.look("DiskProblem")
    assert finding.verdict is Verdict.UNKNOWN
    assert words in finding.message


def test_one_disk_that_cannot_be_opened_is_a_doubt(node: Node) -> None:
    sata_and_sas(node, "smartctl-cannot-open.json")
    finding = node.look("DiskProblem")
    assert finding.verdict is Verdict.UNKNOWN
    assert "smartctl cannot open /dev/sda" in finding.message
    assert "Permission denied" in finding.message


def test_a_fault_is_told_whatever_else_cannot_be_told(node: Node) -> None:
    sata_and_sas(node, "smartctl-cannot-open.json")
    nvme(node, "nvme-failing.json")
    assert node.look("DiskProblem").verdict is Verdict.PROBLEM


def test_without_smartctl_a_failing_nvme_disk_is_told_all_the_same(node: Node) -> None:
    sata_and_sas(node)
    nvme(node, "nvme-failing.json")
    node.remove("smartctl")
    assert node.look("DiskProblem").message.startswith("component=nvme0 ")


def test_a_drive_that_a_management_controller_plays_is_no_disk(node: Node) -> None:
    sata_and_sas(node, "smartctl-cannot-open.json")
    node.write("sys/block/sda/removable", 1)
    assert node.look("DiskProblem").verdict is Verdict.FINE


@pytest.mark.parametrize("log", ["echo '{}'", "echo '[]'", "echo; exit 1", 'echo \'{"critical_warning": "x"}\''])
def test_nvme_that_tells_nothing(node: Node, log: str) -> None:
    nvme(node)
    node.script("nvme", log)
    assert node.look("DiskProblem").verdict is Verdict.UNKNOWN


def test_a_slow_disk_is_a_doubt(node: Node) -> None:
    nvme(node)
    node.budget = 0.3
    node.script("nvme", "exec /bin/sleep 30")
    finding = node.look("DiskProblem")
    assert finding.verdict is Verdict.UNKNOWN
    assert "did not answer in time" in finding.message


def test_no_disk_at_all_is_a_doubt(node: Node) -> None:
    assert node.look("DiskProblem").verdict is Verdict.UNKNOWN


# --- arrays of the kernel -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("recorded", ["healthy", "none"])
def test_sound_software_arrays(node: Node, recorded: str) -> None:
    mdstat(node, recorded)
    assert node.look("RaidProblem").verdict is Verdict.FINE


def test_a_kernel_without_md_has_no_arrays(node: Node) -> None:
    assert node.look("RaidProblem").verdict is Verdict.FINE


def test_a_degraded_software_array(node: Node) -> None:
    mdstat(node, "degraded")
    node.write("sys/block/sdb/device/model", "MZ7L3960HCJR-00A")
    finding = node.look("RaidProblem")
    assert finding.verdict is Verdict.PROBLEM
    assert finding.message == (
        "component=md127 state=degraded part=MZ7L3960HCJR-00A serial=- detail=1 of 2 members are missing, failed: sdb2"
    )


def test_a_rebuild_is_told_without_its_progress(node: Node) -> None:
    mdstat(node, "rebuilding")
    assert node.look("RaidProblem").message == (
        "component=md127 state=rebuilding part=- serial=- detail=1 of 2 members are missing"
    )


def test_an_array_that_serves_no_more_is_a_lost_disk(node: Node) -> None:
    nvme(node)
    mdstat(node, "lost")
    assert node.look("RaidProblem").verdict is Verdict.FINE
    assert node.look("DiskProblem").message == (
        "component=md5 state=lost part=- serial=- detail=the array did not start: members are missing"
    )


@pytest.mark.parametrize("text", ["", "garbage", "Personalities : [raid1]\nmd0 : sideways raid1 sda1[0]\n"])
def test_an_mdstat_that_is_none(node: Node, text: str) -> None:
    node.write("proc/mdstat", text)
    finding = node.look("RaidProblem")
    assert finding.verdict is Verdict.UNKNOWN
    assert "/proc/mdstat" in finding.message


# --- RAID controllers ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["storcli64", "perccli64"])
def test_a_sound_controller(node: Node, name: str) -> None:
    storcli(node, name=name)
    assert node.look("RaidProblem").verdict is Verdict.FINE


def test_a_degraded_volume_and_its_failed_drive(node: Node) -> None:
    storcli(node, volumes="degraded", drives="failed")
    assert node.look("RaidProblem").message == (
        "component=c0-252-1 state=failed part=MZ7L3960HCJR0D3 serial=- detail=the drive in enclosure and slot 252:1 is "
        "Failed; component=c0-v238 state=degraded part=- serial=- detail=the RAID10 array is Dgrd"
    )


def test_a_lost_volume_is_a_lost_disk(node: Node) -> None:
    nvme(node)
    storcli(node, volumes="lost")
    assert node.look("RaidProblem").verdict is Verdict.FINE
    assert "component=c0-v238 state=lost " in node.look("DiskProblem").message


@pytest.mark.parametrize(
    ("recorded", "components"),
    [
        ("healthy", {}),
        ("degraded", {"logicaldrive-1": "degraded", "physicaldrive-1I:3:2": "failed"}),
        ("rebuilding", {"logicaldrive-1": "rebuilding", "physicaldrive-1I:3:2": "rebuilding"}),
        ("predictive", {"physicaldrive-1I:3:2": "failing"}),
    ],
)
def test_a_smart_array(node: Node, recorded: str, components: dict[str, str]) -> None:
    ssacli(node, recorded)
    finding = node.look("RaidProblem")
    assert finding.verdict is (Verdict.PROBLEM if components else Verdict.FINE)
    told = {}
    for text in finding.message.split("; ") if components else ():
        words = dict(word.split("=", 1) for word in text.split(" detail=")[0].split())
        told[words["component"]] = words["state"]
    assert told == components
    assert "%" not in finding.message


def test_a_lost_smart_array(node: Node) -> None:
    nvme(node)
    ssacli(node, "lost")
    assert "component=logicaldrive-1 state=lost " in node.look("DiskProblem").message


@pytest.mark.parametrize(
    ("vendor", "words"),
    [
        ("0x1000", "storcli64 is missing"),
        ("0x103c", "ssacli is missing"),
        ("0x17d3", "no program is known for RAID controllers of PCI vendor 0x17d3"),
    ],
)
def test_a_controller_that_nobody_can_ask_is_a_doubt(node: Node, vendor: str, words: str) -> None:
    mdstat(node, "healthy")
    controller(node, vendor)
    finding = node.look("RaidProblem")
    assert finding.verdict is Verdict.UNKNOWN
    assert words in finding.message


def test_a_controller_of_intel_leaves_its_arrays_to_the_kernel(node: Node) -> None:
    controller(node, "0x8086")
    mdstat(node, "healthy")
    assert node.look("RaidProblem").verdict is Verdict.FINE


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo Segmentation fault", "printed no JSON"),
        ("echo '{\"Controllers\": 3}'", "not understood"),
        ("echo '{}'", "not understood"),
    ],
)
def test_a_program_of_a_controller_that_tells_nothing(node: Node, script: str, words: str) -> None:
    controller(node, "0x1000")
    node.script("storcli64", script)
    finding = node.look("RaidProblem")
    assert finding.verdict is Verdict.UNKNOWN
    assert words in finding.message


def test_a_program_that_finds_no_controller_where_there_is_one(node: Node) -> None:
    controller(node, "0x1000")
    node.program("storcli64", ("*", "storcli-no-controller.json"), code=1)
    finding = node.look("RaidProblem")
    assert finding.verdict is Verdict.UNKNOWN
    assert "No Controller found" in finding.message


@pytest.mark.parametrize("script", ["exit 1", "echo 'Error: No controllers detected.'; exit 1", "echo"])
def test_ssacli_that_tells_nothing(node: Node, script: str) -> None:
    controller(node, "0x103c")
    node.script("ssacli", script)
    assert node.look("RaidProblem").verdict is Verdict.UNKNOWN
