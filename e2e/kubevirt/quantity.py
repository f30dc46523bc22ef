"""Kubernetes quantities of memory."""

from decimal import Decimal, InvalidOperation

_SUFFIXES = {
    "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60,
    "m": Decimal("0.001"), "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15, "E": 10**18, "": 1,
}  # fmt: skip


def parse_bytes(quantity: str | int) -> int:
    """Whole bytes of a quantity such as 1Gi, 512M or 1073741824. Raises ValueError when it is none."""
    text = str(quantity)
    suffix = next(suffix for suffix in _SUFFIXES if text.endswith(suffix))
    try:
        return int(Decimal(text.removesuffix(suffix)) * _SUFFIXES[suffix])
    except InvalidOperation as error:
        raise ValueError(f"{text!r} is not a quantity: write it like 512Mi or 4Gi") from error
