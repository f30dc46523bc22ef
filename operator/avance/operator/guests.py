"""From a VirtualMachineInstance to the signs of its guest: does it answer, and since when does it not?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from avance.core.guest import GuestSigns, HealthCheck, read_signs

Object = dict[str, Any]

PROBE_FAILED = "ContainersNotReady"
"""Reason of an instance's Ready condition while its readiness probe fails."""


def signs_of(vmi: Object) -> Iterator[tuple[str, str]]:
    """The signs whose age counts, with their present values."""
    status = vmi.get("status", {})
    yield "phase", str(status.get("phase", ""))
    yield "agent", str(_is(vmi, "AgentConnected"))
    yield "probe", str(_probe_failed(vmi))
    yield "paused", str(_is(vmi, "Paused"))
    yield "frozen", str(status.get("fsFreezeStatus", ""))
    yield "node", str(status.get("nodeName", ""))


def guest_signs(vmi: Object, since: Mapping[str, float], check: HealthCheck | None) -> GuestSigns:
    """`since`: when the present value of each sign was seen first."""
    status = vmi.get("status", {})
    return read_signs(
        check,
        running=status.get("phase") == "Running",
        ready=_is(vmi, "Ready"),
        probe_failed=_probe_failed(vmi),
        agent=_is(vmi, "AgentConnected"),
        frozen=bool(status.get("fsFreezeStatus")),
        since=since,
    )


def _probe_failed(vmi: Object) -> bool:
    ready = _condition(vmi, "Ready")
    return ready.get("status") == "False" and ready.get("reason") == PROBE_FAILED


def _is(vmi: Object, type_: str) -> bool:
    return _condition(vmi, type_).get("status") == "True"


def _condition(vmi: Object, type_: str) -> Object:
    conditions = vmi.get("status", {}).get("conditions") or ()
    return next((condition for condition in conditions if condition["type"] == type_), {})
