"""Sensors of the server's management controller, as `ipmitool sdr type <type>` prints them.

A line is `name | number | status | entity | reading`, for instance
`Fan1 | 30h | ok | 7.1 | 5880 RPM` or `PS2 Status | C9h | ok | 10.2 | Presence detected, Power Supply AC lost`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from detectors.finding import CantTellError, Fault
from detectors.host import Host

UNREADABLE = ("ns", "na")
CRITICAL = ("cr", "nr")
"""Beyond a critical or a non-recoverable threshold. `nc`, non-critical, is a warning and no fault."""
_REDUNDANCY_LOST = ("redundancy lost", "redundancy degraded", "non-redundant")
_NO_READING = ("no reading", "disabled", "not readable", "not present", "")
_LINE = re.compile(r"^([^|]+?)\s*\|\s*[0-9A-Fa-f]{1,2}h\s*\|\s*(\w{2,3})\s*\|\s*(\d+\.\d+)\s*\|\s*(.*?)\s*$")


@dataclass(frozen=True, slots=True)
class Sensor:
    name: str
    status: str
    reading: str

    @property
    def component(self) -> str:
        """`PS1` of `PS1 Status`."""
        return re.sub(r"[\s_-]+(status|state|presence|health)$", "", self.name, flags=re.IGNORECASE)

    @property
    def readable(self) -> bool:
        return self.status not in UNREADABLE and self.reading.lower() not in _NO_READING


def sensors(host: Host, type_: str) -> list[Sensor]:
    """All sensors of one type that can be read. Raises CantTellError if there is none.

    A sensor without a reading stands for an empty bay on most servers, so it is passed over as long as others are read.
    """
    output = host.run("ipmitool", "sdr", "type", type_)
    found = [Sensor(*match.group(1, 2, 4)) for match in map(_LINE.match, output.text.splitlines()) if match]
    if readable := [sensor for sensor in found if sensor.readable]:
        return readable
    if found:
        raise CantTellError(f"no {type_} sensor of the management controller can be read: look at `ipmitool sdr elist`")
    if output.code:
        raise CantTellError(
            f"ipmitool cannot ask the management controller: {output.said}. It needs /dev/ipmi0: load the kernel "
            "modules ipmi_si and ipmi_devintf on the node"
        )
    raise CantTellError(f"the management controller lists no {type_} sensor, but says: {output.said}")


def redundancy_faults(found: Iterable[Sensor]) -> list[Fault]:
    """What a sensor of redundancy says; worth a word only where no single part is known to have failed."""
    return [
        Fault(sensor.component, "redundancy-lost", "the management controller says that redundancy is lost")
        for sensor in found
        if sensor.reading.lower().startswith(_REDUNDANCY_LOST)
    ]


def stated_faults(found: Iterable[Sensor], states: dict[str, str]) -> list[Fault]:
    """Faults of discrete sensors: `states` has how ipmitool's words begin, in lower case, and the state for each."""
    faults = []
    for sensor in found:
        said = [
            (state, part) for part in sensor.reading.split(", ") for word, state in states.items() if _says(part, word)
        ]
        if said:
            faults.append(Fault(sensor.component, said[0][0], ", ".join(part for _, part in said)))
    return faults


def _says(part: str, word: str) -> bool:
    return part.strip().lower().startswith(word)


def threshold_faults(found: Iterable[Sensor], state: str, detail: str) -> list[Fault]:
    """Faults of sensors with thresholds; the reading itself is left out, because it moves."""
    return [Fault(sensor.component, state, detail) for sensor in found if sensor.status in CRITICAL]


def with_parts(host: Host, faults: Iterable[Fault]) -> list[Fault]:
    """The faults with the part and serial numbers that the inventory (FRU) has; without them where it has none."""
    faults = list(faults)
    if not faults:
        return []
    try:
        inventory = _inventory(host.run("ipmitool", "fru", "print").text)
    except CantTellError:
        return faults
    named = []
    for fault in faults:
        part, serial = next(
            (numbers for name, numbers in inventory.items() if _same(name, fault.component)), (fault.part, fault.serial)
        )
        named.append(Fault(fault.component, fault.state, fault.detail, part, serial))
    return named


def _inventory(text: str) -> dict[str, tuple[str, str]]:
    """Part and serial number of each FRU, by its name."""
    found = {}
    for block in re.split(r"^FRU Device Description\s*:\s*", text, flags=re.MULTILINE)[1:]:
        name = block.splitlines()[0].split(" (ID")[0].strip()
        part = re.search(r"^\s*(?:Product|Board) Part Number\s*:\s*(\S.*?)\s*$", block, re.MULTILINE)
        serial = re.search(r"^\s*(?:Product|Board) Serial\s*:\s*(\S.*?)\s*$", block, re.MULTILINE)
        if part or serial:
            found[name] = (part.group(1) if part else "-", serial.group(1) if serial else "-")
    return found


def _same(one: str, other: str) -> bool:
    """`Power Supply 1`, `Power_Supply_1` and `power supply 1` are one."""
    first, second = (re.sub(r"[\W_]+", "", name).lower() for name in (one, other))
    return first == second
