"""Whose power is it, and is it off?"""

from __future__ import annotations

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from avance.core.power import PowerReading, same_system

uuids = st.uuids().map(str)


@given(uuids)
def test_case_and_smbios_byte_order_do_not_matter(uuid: str) -> None:
    swapped = str(UUID(bytes=UUID(uuid).bytes_le))
    assert same_system(uuid, uuid.upper())
    assert same_system(uuid, swapped)
    assert same_system(swapped.upper(), uuid)


@given(uuids, uuids)
def test_two_systems_differ(one: str, other: str) -> None:
    swapped = str(UUID(bytes=UUID(one).bytes_le))
    assert same_system(one, other) == (other in (one, swapped))


def test_what_identifies_nothing_matches_nothing() -> None:
    for uuid in ("", " ", "unknown", "0" * 32, "f" * 32, "00000000-0000-0000-0000-000000000000", "4c4c4544-0042"):
        assert not same_system(uuid, uuid)


def test_only_off_without_an_error_is_off() -> None:
    assert PowerReading("Off", "u", 0.0, "", "bmc").is_off
    assert not PowerReading("Off", "u", 0.0, "stale", "bmc").is_off
    assert not PowerReading("PoweringOff", "u", 0.0, "", "bmc").is_off
