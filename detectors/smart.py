"""Failing disks: SMART of SATA and SAS disks by smartctl, of NVMe disks by nvme, and what the kernel has given up."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from detectors.blocks import in_software_array, numbers_of
from detectors.finding import CantTellError, Fault
from detectors.host import Host

_BAD_COMMAND_LINE, _OPEN_FAILED, _FAILING, _BELOW_THRESHOLD = 1, 2, 8, 16
"""Bits of smartctl's exit status."""
_NVME_WARNINGS = {
    1: "its spare blocks are used up",
    4: "its reliability is degraded by errors",
    8: "it takes no more writes",
    16: "its volatile memory backup has failed",
    32: "its persistent memory region has failed",
}
"""Bits of an NVMe disk's critical warning. Bit 2, too hot, is no failure of the disk."""
_GIVEN_UP = ("offline", "transport-offline", "deleted")


@dataclass(frozen=True, slots=True)
class FailingDisk:
    fault: Fault
    redundant: bool
    """It is in an array, so that only redundancy is lost with it."""


Look = Callable[[], list[FailingDisk]]


def looks(host: Host) -> list[Look]:
    """One look for each disk; each may raise CantTellError."""
    each: list[Look] = [partial(_given_up, host)]
    nvme = sorted(path.name for path in (host.root / "sys/class/nvme").glob("nvme[0-9]*"))
    each += [partial(_nvme, host, name) for name in nvme]
    others = [path for path in (host.root / "sys/block").glob("sd*") if not _removable(host, path.name)]
    if others:
        try:
            each += _scan(host)
        except CantTellError as doubt:
            each.append(partial(_doubt, str(doubt)))
    elif not nvme:
        each.append(partial(_doubt, "this node has no SATA, SAS or NVMe disk that could tell of its health"))
    return each


def _doubt(why: str) -> list[FailingDisk]:
    raise CantTellError(why)


def _removable(host: Host, device: str) -> bool:
    """A stick, or a drive that a management controller plays: no part of the server."""
    return host.number(f"sys/block/{device}/removable") == 1


def _given_up(host: Host) -> list[FailingDisk]:
    """Disks that the kernel talks to no more."""
    found = []
    for disk in sorted((host.root / "sys/block").glob("sd*")):
        try:
            state = host.read(f"sys/block/{disk.name}/device/state")
        except OSError:
            continue
        if state in _GIVEN_UP:
            fault = Fault(disk.name, "failed", "the kernel has taken it offline", *numbers_of(host, disk.name))
            found.append(FailingDisk(fault, in_software_array(host, disk.name)))
    return found


def _scan(host: Host) -> list[Look]:
    document = host.json("smartctl", "--json", "--scan-open")
    try:
        devices = [(str(device["name"]), str(device["type"])) for device in document.get("devices", ())]
    except (KeyError, TypeError, AttributeError):
        raise CantTellError("smartctl --scan-open lists the disks in a way that is not understood") from None
    devices = [
        (name, type_) for name, type_ in devices if type_ != "nvme" and not _removable(host, name.removeprefix("/dev/"))
    ]
    if not devices:
        raise CantTellError("smartctl finds none of the disks: it needs /dev and the capability SYS_RAWIO")
    return [partial(_smart, host, name, type_) for name, type_ in devices]


def _smart(host: Host, name: str, type_: str) -> list[FailingDisk]:
    document = host.json("smartctl", "--json", "--info", "--health", "--attributes", "--device", type_, name)
    try:
        code = int(document["smartctl"]["exit_status"])
        said = "; ".join(str(message["string"]) for message in document["smartctl"].get("messages", ()))
        passed = document.get("smart_status", {}).get("passed")
        part = str(document.get("model_name") or document.get("scsi_model_name") or "-")
        serial = str(document.get("serial_number") or "-")
        supported = document.get("smart_support", {}).get("available", True)
    except (KeyError, TypeError, AttributeError, ValueError):
        raise CantTellError(f"smartctl tells of {name} in a way that is not understood") from None
    if passed is False or code & (_FAILING | _BELOW_THRESHOLD):
        detail = (
            "its SMART health test says that it fails" if passed is False else "an attribute is below its threshold"
        )
        device = name.removeprefix("/dev/")
        behind_controller = "," in type_
        component = f"{device}-{type_}".replace("/", "-").replace(",", "-") if behind_controller else device
        fault = Fault(component, "failing", detail, part, serial)
        return [FailingDisk(fault, behind_controller or in_software_array(host, device))]
    if code & (_BAD_COMMAND_LINE | _OPEN_FAILED):
        raise CantTellError(f"smartctl cannot open {name}: {said or 'it does not say why'}")
    if passed is None and supported:
        raise CantTellError(f"{name} does not answer whether it is healthy: {said or 'no SMART status'}")
    return []


def _nvme(host: Host, name: str) -> list[FailingDisk]:
    part, serial = (_sysfs(host, f"sys/class/nvme/{name}/{field}") or "-" for field in ("model", "serial"))
    redundant = any(in_software_array(host, disk.name) for disk in (host.root / "sys/block").glob(f"{name}n*"))
    if _sysfs(host, f"sys/class/nvme/{name}/state") == "dead":
        return [FailingDisk(Fault(name, "failed", "the kernel has given it up", part, serial), redundant)]
    log = host.json("nvme", "smart-log", f"/dev/{name}", "--output-format=json")
    warning = _warning(log)
    if warning is None:
        raise CantTellError(f"`nvme smart-log /dev/{name}` tells no critical warning: the disk or nvme-cli is too old")
    said = [words for bit, words in _NVME_WARNINGS.items() if warning & bit]
    return [FailingDisk(Fault(name, "failing", ", ".join(said), part, serial), redundant)] if said else []


def _warning(log: Any) -> int | None:
    """The critical warning: a number, or an object around it in newer versions."""
    value = log.get("critical_warning") if isinstance(log, dict) else None
    value = value.get("value") if isinstance(value, dict) else value
    return value if isinstance(value, int) else None


def _sysfs(host: Host, path: str) -> str:
    try:
        return re.sub(r"\s+", " ", host.read(path))
    except OSError:
        return ""
