"""What the store keeps of an object: all of it but who owns which field, with equal words in memory once.

Thousands of VMs differ in a few words. Parsed anew with every watch event, the keys and the words that all of them
share are most of what they take: 12 KiB a VirtualMachine instead of 6, and as much again for the managed fields.
"""

from __future__ import annotations

import sys
from typing import Any

Object = dict[str, Any]

LONGEST_WORD = 64
"""Characters. Longer texts are seldom the same in two objects."""


def compact(obj: Object, *, writers: bool = False) -> Object:
    """A copy of its own, which nothing changes any more. `writers`: who owns fields is kept, not which ones."""
    metadata = {key: value for key, value in obj["metadata"].items() if key != "managedFields"}
    owners = obj["metadata"].get("managedFields") if writers else None
    if owners:
        metadata["managedFields"] = [{key: each[key] for key in each if key != "fieldsV1"} for each in owners]
    kept: Object = _shared({**obj, "metadata": metadata})
    return kept


def _shared(value: Any) -> Any:
    kind = type(value)
    if kind is str:
        return sys.intern(value) if len(value) <= LONGEST_WORD else value
    if kind is dict:
        return {sys.intern(key): _shared(each) for key, each in value.items()}
    if kind is list:
        return [_shared(each) for each in value]
    return value
