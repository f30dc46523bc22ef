"""Storage of any other kind, by what the detectors on the nodes say of it: the condition ReplicaStorageProblem.

`False` is a sound copy. `True` is a bad one; `state=` in its message says how bad, by a word of `DiskState`, or
`Disconnected` for a sound copy that is apart from the other one. A node that says nothing has a copy that nobody knows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from avance.core.storage import Connection, DiskState, ReplicaView, StorageView, VolumeView

CONDITION = "ReplicaStorageProblem"
_STATE = re.compile(r"\bstate=(\w+)")
_PERCENT = re.compile(r"\bdone=(\d+(?:\.\d+)?)")
_WORDS = {state.value.lower(): state for state in DiskState}


def by_conditions(nodes: Mapping[str, tuple[str, str]]) -> StorageView:
    """From status and message of the condition on each node; every VM has all its disks on that storage."""
    return StorageView((VolumeView("replica storage", tuple(_replica(name, *told) for name, told in nodes.items())),))


def _replica(node: str, status: str, message: str) -> ReplicaView:
    if status == "False":
        return ReplicaView(node, DiskState.UP_TO_DATE, Connection.CONNECTED)
    if status != "True":
        return ReplicaView(node, DiskState.UNKNOWN)
    found = [match.lower() for match in _STATE.findall(message)]
    if found and all(word == "disconnected" for word in found):
        return ReplicaView(node, DiskState.UP_TO_DATE, Connection.DISCONNECTED)
    if "split" in found:
        return ReplicaView(node, DiskState.UP_TO_DATE, Connection.SPLIT)
    order = list(DiskState)
    states = [_WORDS.get(word, DiskState.INCONSISTENT) for word in found] or [DiskState.INCONSISTENT]
    percents = [float(done) for done in _PERCENT.findall(message)]
    return ReplicaView(node, max(states, key=order.index), Connection.UNKNOWN, sync_percent=min(percents, default=None))
