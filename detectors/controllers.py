"""Arrays of RAID controllers, told by the vendors' programs: storcli and perccli, ssacli.

Which controllers there are, /sys says: one whose program is missing is a doubt, never a sound array.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from functools import partial
from typing import Any

from detectors.arrays import LOST
from detectors.finding import CantTellError, Fault, collect
from detectors.host import Host

_RAID_CLASS = "0x0104"
_INTEL = "0x8086"
"""Its RAID controllers hand their disks to md."""
_STORCLI = ("storcli64", "storcli", "storcli2", "perccli64", "perccli", "perccli2")
_DRIVE_STATES = {"Failed": "failed", "Offln": "offline", "UBad": "failed", "Msng": "missing", "Rbld": "rebuilding"}
_VOLUME_STATES = {"Dgrd": "degraded", "Pdgd": "degraded", "OfLn": LOST, "Rec": "rebuilding"}
_LOGICAL = re.compile(r"^\s*logicaldrive (\S+) \((.+)\)\s*$", re.MULTILINE)
_PHYSICAL = re.compile(r"^\s*physicaldrive (\S+) \((.+)\)\s*$", re.MULTILINE)


def faults(host: Host) -> list[Fault]:
    """Degraded arrays and failed members of all RAID controllers. Raises CantTellError."""
    looks: dict[str, Callable[[], list[Fault]]] = {}
    for vendor in sorted(_vendors(host) - {_INTEL}):
        program, read = _program(vendor)
        looks[program] = partial(read, host, program)
    return collect(looks.values())


def _vendors(host: Host) -> set[str]:
    """PCI vendors of the RAID controllers."""
    vendors = set()
    for device in (host.root / "sys/bus/pci/devices").glob("*"):
        where = device.relative_to(host.root)
        try:
            if host.read(f"{where}/class").startswith(_RAID_CLASS):
                vendors.add(host.read(f"{where}/vendor"))
        except OSError:
            continue
    return vendors


def _program(vendor: str) -> tuple[str, Callable[[Host, str], list[Fault]]]:
    if vendor == "0x1000":
        return next((program for program in _STORCLI if shutil.which(program)), _STORCLI[0]), _broadcom
    if vendor in ("0x103c", "0x9005"):
        return "ssacli", _hpe
    return vendor, _unknown


def _unknown(_: Host, vendor: str) -> list[Fault]:
    raise CantTellError(f"no program is known for RAID controllers of PCI vendor {vendor}")


def _broadcom(host: Host, program: str) -> list[Fault]:
    volumes = _rows(host.json(program, "/call/vall", "show", "J"), "Virtual Drives", program)
    drives = _rows(host.json(program, "/call/eall/sall", "show", "J"), "Drive Information", program)
    found = []
    for controller, row in volumes:
        state = _VOLUME_STATES.get(str(row.get("State")))
        if state:
            number = str(row.get("DG/VD", "-")).rsplit("/", 1)[-1]
            detail = f"the {row.get('TYPE', 'array')} array is {row['State']}"
            found.append(Fault(f"c{controller}-v{number}", state, detail))
    for controller, row in drives:
        state = _DRIVE_STATES.get(str(row.get("State")))
        if state:
            place = str(row.get("EID:Slt", "-")).replace(":", "-").strip()
            detail = f"the drive in enclosure and slot {row.get('EID:Slt')} is {row['State']}"
            found.append(Fault(f"c{controller}-{place}", state, detail, str(row.get("Model", "-")).strip()))
    return found


def _rows(document: Any, table: str, program: str) -> list[tuple[int, dict[str, Any]]]:
    """The rows of one table with the controller's number. Raises CantTellError, also when no controller answers."""
    rows = []
    try:
        for controller in document["Controllers"]:
            status = controller["Command Status"]
            if status["Status"] != "Success" and "No VD" not in str(status.get("Description")):
                raise CantTellError(f"{program} could not ask a controller: {status.get('Description')}")
            number = int(status.get("Controller", 0))
            rows += [(number, dict(row)) for row in (controller.get("Response Data") or {}).get(table, ())]
    except (KeyError, TypeError, ValueError, AttributeError):
        raise CantTellError(f"{program} tells of its controllers in a way that is not understood") from None
    return rows


def _hpe(host: Host, program: str) -> list[Fault]:
    output = host.run(program, "ctrl", "all", "show", "config")
    arrays, drives = _LOGICAL.findall(output.text), _PHYSICAL.findall(output.text)
    if output.code or not (arrays or drives):
        raise CantTellError(f"{program} tells of no drive: {output.said}")
    found = []
    for name, words in arrays:
        state = _hpe_state(words)
        if state:
            lost = LOST if state == "failed" else state
            found.append(Fault(f"logicaldrive-{name}", lost, f"the logical drive is {_status(words)}"))
    for name, words in drives:
        state = _hpe_state(words)
        if state:
            found.append(Fault(f"physicaldrive-{name}", state, f"the drive in {name} is {_status(words)}"))
    return found


def _status(words: str) -> str:
    """What follows the size, without percentages: they move."""
    fields = [field.strip() for field in words.split(",")]
    fields = [field for field in fields if "complete" not in field.lower() and field.lower() != "spare"]
    return fields[-1]


def _hpe_state(words: str) -> str:
    status = _status(words).lower()
    if status == "ok":
        return ""
    if "predictive" in status:
        return "failing"
    if "fail" in status:
        return "failed"
    if "rebuild" in status or "recovering" in status:
        return "rebuilding"
    return "degraded" if "interim" in status or "expan" not in status else ""
