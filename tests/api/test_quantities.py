"""Quantities mean what they mean to Kubernetes."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avance.api.meta import bytes_of, milli_cpu_of, parse_quantity

UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15, "E": 10**18}
BINARY_UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("128974848", 128974848),
        ("129e6", 129_000_000),
        ("129E6", 129_000_000),
        ("129M", 129_000_000),
        ("123Mi", 123 * 2**20),
        ("1.5Gi", 3 * 2**29),
        (".5Ki", 512),
        ("5.k", 5000),
        ("1E", 10**18),
        ("1e-3", 1),
        ("1m", 1),
        ("1500m", 2),
    ],
)
def test_bytes_round_up(text: str, value: int) -> None:
    assert bytes_of(text) == value


@pytest.mark.parametrize(("text", "value"), [("1", 1000), ("1500m", 1500), ("0.1", 100), ("1u", 1), ("2k", 2_000_000)])
def test_processors_in_thousandths_round_up(text: str, value: int) -> None:
    assert milli_cpu_of(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Gi",
        "4GB",
        "4 Gi",
        " 4Gi",
        "4gi",
        "4K",
        "4Gi\n",
        "1e",
        "1.2.3",
        "--1",
        "0x10",
        "-1",
        "+2Gi",
        "1e999",
        "1" * 19,
        "٤Gi",
        "1e3Mi",
        "NaN",
    ],
)
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="for example 4Gi"):
        parse_quantity(text)


@given(st.integers(0, 10**9), st.sampled_from(sorted((UNITS | BINARY_UNITS).items())))
def test_a_whole_number_of_a_unit_is_exact(number: int, unit: tuple[str, int]) -> None:
    name, size = unit
    assert bytes_of(f"{number}{name}") == number * size


@given(st.decimals(0, 10**12, places=3), st.sampled_from(sorted((UNITS | BINARY_UNITS).items())))
def test_rounding_loses_less_than_one_and_never_rounds_down(number: Decimal, unit: tuple[str, int]) -> None:
    name, size = unit
    exact = Fraction(number) * size
    assert exact <= bytes_of(f"{number:f}{name}") < exact + 1
