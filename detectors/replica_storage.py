"""Replicated disks: ReplicaStorageProblem, by `drbdsetup status --json`.

The words after `state=` are those that the operator knows: Consistent, Outdated, Inconsistent, Diskless, Failed,
Disconnected (a sound copy, apart from the other one), Split.
"""

from __future__ import annotations

from typing import Any

from detectors.finding import CantTellError, Fault
from detectors.host import Host
from detectors.settings import Peer

_SOUND = "UpToDate"
_WORSE = {
    "Consistent": "Consistent",
    "Outdated": "Outdated",
    "Inconsistent": "Inconsistent",
    "Failed": "Failed",
    "Diskless": "Diskless",
    "DUnknown": "Unknown",
    "Attaching": "Inconsistent",
    "Detaching": "Diskless",
    "Negotiating": "Inconsistent",
}


def faults(host: Host) -> list[Fault]:
    """Every volume whose copy on this node is no good, or apart from the other one. Raises CantTellError."""
    document = host.json("drbdsetup", "status", "--json")
    if not isinstance(document, list):
        raise CantTellError("`drbdsetup status --json` printed no list of resources: is drbd-utils older than 9?")
    try:
        return [fault for resource in document for fault in _of(resource, host.settings.peer)]
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise CantTellError(f"`drbdsetup status --json` is not understood: {error!r}") from None


def _of(resource: dict[str, Any], peer: Peer | None) -> list[Fault]:
    found = []
    for device in resource["devices"]:
        if device.get("client"):
            continue  # diskless on purpose: a tie-breaker, or a user of the other copies
        name = f"{resource['name']}/{device['volume']}"
        state = str(device["disk-state"])
        if state != _SOUND:
            found.append(Fault(name, _WORSE.get(state, "Inconsistent"), _progress(resource, device["volume"], state)))
        elif apart := _apart(resource["connections"], peer):
            found.append(Fault(name, *apart))
    return found


def _apart(links: list[dict[str, Any]], peer: Peer | None) -> tuple[str, str] | None:
    """Whether a sound copy has lost the other one, and how. A tie-breaker that is away is no matter of this node's."""
    to_peer = [link for link in links if peer and link["name"] == peer.name]
    lost = [link for link in to_peer or links if link["connection-state"] != "Connected"]
    if not lost:
        return None
    names = ", ".join(sorted(str(link["name"]) for link in lost))
    if any(link["connection-state"] == "StandAlone" for link in lost):
        return "Split", f"DRBD has given up the connection to {names}: look at the kernel's log on both nodes"
    return "Disconnected", f"no connection to {names}"


def _progress(resource: dict[str, Any], volume: int, state: str) -> str:
    """How far the copy is, in whole percent of those that it is made from."""
    percents = [
        float(peer["percent-in-sync"])
        for link in resource["connections"]
        for peer in link.get("peer_devices", ())
        if peer["volume"] == volume
        and peer.get("replication-state") == "SyncTarget"
        and peer.get("percent-in-sync") is not None
    ]
    return f"done={int(max(percents))} the copy is being brought up to date" if percents else f"the copy is {state}"
