"""How available each VM was in this year, from the ledger that its status keeps.

The time that counts begins with the year (UTC) or with the ProtectedVM, whichever is later. An outage that lasts is
counted up to now; what nobody observed is counted nowhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from avance.api.protected_vm import Outage, ProtectedVM

HOURS_A_YEAR = 8766.0
"""The mean year of the calendar."""


@dataclass(frozen=True, slots=True)
class Availability:
    """One VM; all times are seconds."""

    vm: str
    observed: float
    planned: float
    """Down because somebody asked for it."""
    unplanned: float
    outages: tuple[Outage, ...]
    """The latest ones of this year, oldest first, the one that lasts included."""

    @property
    def share(self) -> float:
        """0 to 1: what of the time it ran; planned downtime is not held against it."""
        return 1.0 - min(1.0, self.unplanned / self.observed) if self.observed else 1.0


@dataclass(frozen=True, slots=True)
class Class:
    """What a kind of installation is commonly held to reach; docs/report.md says where the figures come from."""

    name: str
    share: float

    @property
    def hours_a_year(self) -> float:
        return (1.0 - self.share) * HOURS_A_YEAR


CLASSES = (
    Class("one ordinary server", 0.99),
    Class("a failover cluster", 0.9995),
    Class("fault-tolerant hardware", 0.99999),
)


def availability(key: str, vm: ProtectedVM, now: float) -> Availability:
    """From the status of a ProtectedVM."""
    year = datetime.fromtimestamp(now, UTC).year
    begin = datetime(year, 1, 1, tzinfo=UTC).timestamp()
    created = vm.metadata.creation_timestamp
    since = max(begin, created.timestamp()) if created else begin
    known = vm.status.downtime
    counted = known if known is not None and known.year == year else None
    outages = tuple(each for each in vm.status.outages if each.until is None or each.until.timestamp() >= begin)
    lasting = _lasting(vm, begin, now)
    planned_now = bool(outages and outages[-1].until is None and outages[-1].planned)
    return Availability(
        vm=key,
        observed=max(0.0, now - since),
        planned=(counted.planned_seconds if counted else 0) + (lasting if planned_now else 0.0),
        unplanned=(counted.unplanned_seconds if counted else 0) + (0.0 if planned_now else lasting),
        outages=outages,
    )


def _lasting(vm: ProtectedVM, begin: float, now: float) -> float:
    began = vm.status.outage_since
    return max(0.0, now - max(begin, began.timestamp())) if began else 0.0
