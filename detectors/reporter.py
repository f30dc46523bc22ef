"""Findings into conditions of the Node: at once when they change, and a heartbeat every five minutes.

The transition time moves when the status does, and only then: not with a new message, and not because the reporter was
started again. The operator counts a fault for each transition time that it sees.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import logging
from collections.abc import Callable

from detectors.finding import Finding, Verdict
from detectors.kinds import Kind
from detectors.node_status import ApiError, NodeStatus

HEARTBEAT = 300.0
"""Seconds, as node-problem-detector has it."""
RETRY = 0.5
"""Seconds between tries while the API server does not take a report."""

_STATUS = {Verdict.FINE: "False", Verdict.PROBLEM: "True", Verdict.UNKNOWN: "Unknown"}
_CANT_TELL = "CannotTell"
_LOG = logging.getLogger(__name__)


class Reporter:
    """Tell it findings with `tell()`; `run()` delivers the newest of each kind."""

    def __init__(self, node: NodeStatus, now: Callable[[], datetime.datetime] | None = None) -> None:
        self._node = node
        self._now = now or (lambda: datetime.datetime.now(datetime.UTC))
        self._told: dict[Kind, Finding] = {}
        self._delivered: dict[Kind, Finding] = {}
        self._known: dict[str, tuple[str, str]] | None = None
        """Status and transition time of each condition, once they were read."""
        self._changed = asyncio.Event()

    def tell(self, kind: Kind, finding: Finding) -> None:
        if self._told.get(kind) != finding:
            _LOG.info("%s: %s %s", kind.condition, finding.verdict.name, finding.message)
            self._told[kind] = finding
            self._changed.set()

    async def run(self) -> None:
        """Until it is cancelled. An API server that is away or refuses is asked again and again."""
        heartbeat = False
        while True:
            try:
                await self._deliver(everything=heartbeat)
            except ApiError as error:
                _LOG.warning("not reported: %s", error)
                self._known = None  # a patch whose answer was lost may have been written
                await asyncio.sleep(RETRY)
                continue
            heartbeat = False
            try:
                await asyncio.wait_for(self._changed.wait(), HEARTBEAT)
            except TimeoutError:
                heartbeat = True

    async def retire(self) -> None:
        """The last word: nobody looks any more, so nothing that was said holds. One try."""
        for kind in self._told:
            self._told[kind] = Finding(Verdict.UNKNOWN, "the detector was stopped on this node: is its pod running?")
        with contextlib.suppress(ApiError):
            await self._deliver(everything=False)

    async def _deliver(self, *, everything: bool) -> None:
        self._changed.clear()
        telling = {
            kind: finding for kind, finding in self._told.items() if everything or self._delivered.get(kind) != finding
        }
        if not telling:
            return
        if self._known is None:
            seen = await asyncio.to_thread(self._node.conditions)
            self._known = {
                type_: (entry.get("status", ""), entry.get("lastTransitionTime") or "") for type_, entry in seen.items()
            }
        conditions = [self._condition(kind, finding, self._known) for kind, finding in telling.items()]
        await asyncio.to_thread(self._node.patch, conditions)
        self._delivered |= telling
        self._known |= {entry["type"]: (entry["status"], entry["lastTransitionTime"]) for entry in conditions}

    def _condition(self, kind: Kind, finding: Finding, known: dict[str, tuple[str, str]]) -> dict[str, str]:
        now = self._now().strftime("%Y-%m-%dT%H:%M:%SZ")
        status = _STATUS[finding.verdict]
        before, since = known.get(kind.condition, ("", ""))
        reasons = {Verdict.FINE: kind.healthy_reason, Verdict.PROBLEM: kind.problem_reason}
        return {
            "type": kind.condition,
            "status": status,
            "reason": reasons.get(finding.verdict, _CANT_TELL),
            "message": finding.message,
            "lastHeartbeatTime": now,
            "lastTransitionTime": since if since and status == before else now,
        }
