"""Arrays of the kernel (md), as /proc/mdstat tells of them."""

from __future__ import annotations

import re

from detectors.arrays import LOST
from detectors.blocks import numbers_of
from detectors.finding import CantTellError, Fault
from detectors.host import Host

_ARRAY = re.compile(r"^(md\S*) : (active|inactive|broken)\b([^\n]*)\n((?:[ \t]+\S[^\n]*\n?)*)", re.MULTILINE)
_COUNTS = re.compile(r"\[(\d+)/(\d+)\] \[([U_]+)\]")
_FAILED = re.compile(r"(\S+)\[\d+\](?:\([A-Z]\))*\(F\)")
_DISK = re.compile(r"^(nvme\d+n\d+|mmcblk\d+|[a-z]+)p?\d*$")


def faults(host: Host) -> list[Fault]:
    """Degraded and lost arrays. A kernel without md has none. Raises CantTellError for what is no mdstat."""
    try:
        text = host.read("proc/mdstat") + "\n"
    except FileNotFoundError:
        return []
    except OSError as error:
        raise CantTellError(f"/proc/mdstat cannot be read: {error.strerror}") from None
    if "Personalities" not in text:
        raise CantTellError("/proc/mdstat is not what the kernel writes there: mount the node's /proc")
    arrays = [match.groups() for match in _ARRAY.finditer(text)]
    if len(arrays) != len(re.findall(r"^md\S* :", text, re.MULTILINE)):
        raise CantTellError("/proc/mdstat lists an array in a way that is not understood: look at it")
    return [fault for name, state, members, rest in arrays for fault in _of(host, name, state, members, rest)]


def _of(host: Host, name: str, state: str, members: str, rest: str) -> list[Fault]:
    failed = _FAILED.findall(members)
    part, serial = numbers_of(host, _disk(failed[0])) if failed else ("-", "-")
    if state == "broken" or (state == "inactive" and "(S)" not in members):
        return [Fault(name, LOST, f"the array is {state}", part, serial)]
    if state == "inactive":
        return [Fault(name, LOST, "the array did not start: members are missing", part, serial)]
    counts = _COUNTS.search(rest)
    if counts is None or counts.group(1) == counts.group(2):
        return []
    wanted, present = int(counts.group(1)), int(counts.group(2))
    detail = f"{wanted - present} of {wanted} members are missing" + (
        f", failed: {', '.join(failed)}" if failed else ""
    )
    return [Fault(name, "rebuilding" if "recovery" in rest else "degraded", detail, part, serial)]


def _disk(member: str) -> str:
    """`sda` of `sda1`, `nvme0n1` of `nvme0n1p2`."""
    match = _DISK.match(member)
    return match.group(1) if match else member
