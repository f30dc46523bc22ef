"""What a node's management controller (BMC) says about the node's power, and whose power it speaks of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PowerReading:
    """One answer, or failure to answer, of a BMC."""

    state: str
    """The BMC's own word, verbatim: "On", "Off", "PoweringOff", …; empty when it could not be read."""
    system_uuid: str
    """UUID of the system that the BMC says it controls; empty when unknown."""
    observed_at: float
    """Epoch seconds of the caller's clock just before the BMC was asked: the state is at least this fresh."""
    error: str
    """Empty when the state was read; else a sentence that says what failed and what to do."""
    source: str
    """Address of the BMC."""

    @property
    def is_off(self) -> bool:
        """Only the exact word `Off`, read without error, proves that a node is off."""
        return self.state == "Off" and not self.error


def same_system(a: str, b: str) -> bool:
    """Whether two system UUIDs (a BMC's and a Node's) name the same machine; an empty one never matches.

    SMBIOS stores the first three fields little-endian, and firmware, BMCs and kernels disagree on swapping them.
    """
    left, right = _hex_digits(a), _hex_digits(b)
    return bool(left) and bool(right) and (left == right or _swapped(left) == right)


def _hex_digits(uuid: str) -> str:
    """The 32 hexadecimal digits in lower case, or empty if it isn't a UUID that identifies anything."""
    digits = uuid.strip().lower().replace("-", "")
    is_uuid = len(digits) == 32 and all(digit in "0123456789abcdef" for digit in digits)
    # All zeros and all ones are what firmware reports when nobody has set a UUID.
    return digits if is_uuid and len(set(digits)) > 1 else ""


def _swapped(digits: str) -> str:
    fields = bytes.fromhex(digits)
    return (fields[3::-1] + fields[5:3:-1] + fields[7:5:-1] + fields[8:]).hex()
