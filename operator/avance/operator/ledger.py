"""The availability ledger of a VM, in its status: the outage that lasts, the latest ones, and what they add up to.

It is kept in the API, so it outlives the operator. An outage is counted once, when it ends, in the year in which it
ends; what nobody observed is not in it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from avance.api.protected_vm import ProtectedVMStatus
from avance.core.ledger import Ledger
from avance.core.outage import Outage
from avance.operator.clock import from_api, to_api

Object = dict[str, Any]

OUTAGES_KEPT = 16
"""The latest ones, with their causes; the sums of a year hold all of them."""


def ledger(previous: Object, outage: Outage | None, now: float) -> Object:
    """The fields `outageSince`, `outages` and `downtime` of the status."""
    began: str | None = previous.get("outageSince")
    outages: list[Object] = list(previous.get("outages") or ())
    downtime = previous.get("downtime")
    if outage is not None:
        since = began or to_api(outage.since)
        return {"outageSince": since, "outages": _with(outages, since, outage), "downtime": downtime}
    if began is None:
        return {"outages": outages or None, "downtime": downtime}
    ended = _ended(outages, began, now)
    return {"outages": ended, "downtime": _added(downtime, ended[-1], now)}


def ledger_of(status: ProtectedVMStatus) -> Ledger | None:
    """What the status says of the outages that have ended; None before the first."""
    known = status.downtime
    return Ledger(known.year, known.planned_seconds, known.unplanned_seconds) if known else None


def _with(outages: list[Object], since: str, outage: Outage) -> list[Object]:
    """The present outage as the newest; its cause is that of the last thing that was done about it."""
    known = outages.pop() if outages and outages[-1]["since"] == since else {}
    told = {"cause": outage.cause, "incident": outage.incident, "planned": outage.planned or None}
    present = {"since": since} | {**known, **{field: value for field, value in told.items() if value}}
    return [*outages, present][-OUTAGES_KEPT:]


def _ended(outages: list[Object], began: str, now: float) -> list[Object]:
    lasting = outages.pop() if outages and outages[-1]["since"] == began else {"since": began}
    seconds = max(0, round(now - from_api(began)))
    return [*outages, {**lasting, "until": to_api(now), "seconds": seconds}]


def _added(downtime: Object | None, outage: Object, now: float) -> Object:
    year = datetime.fromtimestamp(now, UTC).year
    known = downtime if downtime and downtime["year"] == year else {"year": year}
    account = "plannedSeconds" if outage.get("planned") else "unplannedSeconds"
    return {**known, account: known.get(account, 0) + outage["seconds"]}
