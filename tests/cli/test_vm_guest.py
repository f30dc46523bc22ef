"""What `avance vm create` makes of a Windows guest, of instance types and of installation media."""

from pathlib import Path
from typing import Any

import pytest

from avance.api.protected_vm import ProtectedVM
from avance.cli.command_line import parser
from avance.cli.exits import Failure
from avance.cli.vm_manifest import protected_vm

Object = dict[str, Any]


def made(*arguments: str) -> list[Object]:
    chosen = parser().parse_args(["vm", "create", "shop/win", "--pair", "shop", *arguments])
    objects = protected_vm(chosen, "shop", "")
    ProtectedVM.parse({**objects[-1], "metadata": {**objects[-1]["metadata"], "uid": "u", "resourceVersion": "1"}})
    return objects


def spec(*arguments: str) -> Object:
    found: Object = made(*arguments)[-1]["spec"]
    return found


def test_windows_gets_the_firmware_and_the_tpm_that_it_asks_for() -> None:
    guest = spec("--windows", "--image", "windows-2022")["guest"]
    assert guest == {
        "os": "Windows",
        "firmware": {"uefi": True, "secureBoot": True, "persistent": True},
        "tpm": "Persistent",
    }
    assert spec("--windows", "--image", "windows-2022", "--preference", "windows.2k22")["guest"] == {
        "os": "Windows",
        "preference": {"name": "windows.2k22"},
    }


def test_linux_boots_as_it_is_told() -> None:
    assert "guest" not in spec("--image", "debian")
    assert spec("--image", "debian", "--uefi")["guest"] == {"firmware": {"uefi": True}}
    secure = spec("--image", "debian", "--secure-boot", "--tpm", "Ephemeral")["guest"]
    assert secure == {"firmware": {"uefi": True, "secureBoot": True}, "tpm": "Ephemeral"}


def test_an_instance_type_stands_in_place_of_cores_and_memory() -> None:
    assert {"cores", "memory"} & spec("--image", "debian", "--instance-type", "u1.large").keys() == set()
    assert spec("--image", "debian")["cores"] == 2
    with pytest.raises(Failure, match="leave out --cores and --memory"):
        spec("--image", "debian", "--instance-type", "u1.large", "--cores", "4")


def test_an_iso_boots_while_the_first_disk_is_empty() -> None:
    disks = spec("--windows", "--iso", "claim:win11", "--drivers", "registry.example/virtio:1", "--disk", "64Gi")[
        "disks"
    ]
    assert disks == [
        {"name": "root", "capacity": "64Gi", "blank": {}, "bootOrder": 1},
        {"name": "iso", "cdrom": True, "claim": {"name": "win11"}, "bootOrder": 2},
        {"name": "drivers", "cdrom": True, "containerImage": "registry.example/virtio:1"},
    ]


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("https://images.example/w.iso", {"http": {"url": "https://images.example/w.iso"}, "capacity": "10Gi"}),
        ("https://images.example/w.iso,6Gi", {"http": {"url": "https://images.example/w.iso"}, "capacity": "6Gi"}),
        (
            "docker://registry.example/w:1",
            {"registryImage": {"url": "docker://registry.example/w:1"}, "capacity": "10Gi"},
        ),
    ],
)
def test_where_an_iso_comes_from(text: str, source: Object) -> None:
    iso = spec("--iso", text)["disks"][1]
    assert iso == {"name": "iso", "cdrom": True, "bootOrder": 2, **source}


def test_windows_without_drivers_gets_devices_that_need_none() -> None:
    found = spec("--windows", "--iso", "claim:win11", "--disk", "64Gi", "--disk", "10Gi,bus=scsi")
    assert [disk.get("bus") for disk in found["disks"]] == ["sata", "scsi", None]
    assert found["networks"][0]["model"] == "e1000e"


@pytest.mark.parametrize(
    ("media", "key"), [(("--iso", "claim:w"), "autounattend.xml"), (("--image", "w"), "unattend.xml")]
)
def test_answers_from_a_file_become_a_secret(tmp_path: Path, media: tuple[str, str], key: str) -> None:
    file = tmp_path / "answers.xml"
    file.write_text("<unattend/>")
    secret, vm = made("--windows", *media, "--sysprep", str(file))
    assert secret["stringData"] == {key: "<unattend/>"}
    assert vm["spec"]["guest"]["sysprep"] == {"secretName": secret["metadata"]["name"]}


def test_answers_can_be_in_a_secret_already() -> None:
    (vm,) = made("--windows", "--image", "w", "--sysprep", "secret:answers")
    assert vm["spec"]["guest"]["sysprep"] == {"secretName": "answers"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--iso", "win.iso"), "claim:<name>"),
        (("--iso", "claim:win,6Gi"), "a claim has its own size"),
        (("--image", "w", "--sysprep", "secret:a"), "add --windows"),
        (("--image", "w", "--windows", "--sysprep", "/nowhere.xml"), "No such file"),
    ],
)
def test_what_makes_no_sense_is_refused_with_advice(arguments: tuple[str, ...], words: str) -> None:
    with pytest.raises(Failure, match=words):
        spec(*arguments)


def test_a_file_that_is_no_answer_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "answers.xml"
    file.write_text("hello")
    with pytest.raises(Failure, match="no answer file"):
        spec("--windows", "--image", "w", "--sysprep", str(file))
