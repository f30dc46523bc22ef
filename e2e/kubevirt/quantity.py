"""Kubernetes quantities of memory."""

from decimal import Decimal, InvalidOperation

_BINARY = {f"{letter}i": Decimal(2) ** (10 * power) for power, letter in enumerate("KMGTPE", start=1)}
_DECIMAL = {letter: Decimal(10) ** (3 * power) for power, letter in enumerate("kMGTPE", start=1)}
_SUFFIXES = {**_BINARY, "m": Decimal("0.001"), **_DECIMAL, "": Decimal(1)}


def parse_bytes(quantity: str | int) -> int:
    """Whole bytes of a quantity such as 1Gi, 512M or 1073741824. Raises ValueError when it is none."""
    text = str(quantity)
    suffix = next(suffix for suffix in _SUFFIXES if text.endswith(suffix))
    try:
        return int(Decimal(text.removesuffix(suffix)) * _SUFFIXES[suffix])
    except InvalidOperation as error:
        raise ValueError(f"{text!r} is not a quantity: write it like 512Mi or 4Gi") from error
