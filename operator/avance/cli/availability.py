"""How available each VM was in this year, from the ledger that its status keeps.

The time that counts begins with the year (UTC) or with the ProtectedVM, whichever is later. An outage that lasts is
counted up to now; what nobody observed is counted nowhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from avance.api.protected_vm import Outage, ProtectedVM
from avance.core.ledger import Ledger, year_so_far
from avance.core.model import ActionView
from avance.core.outage_phases import Part, parts

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
    parts: tuple[dict[Part, float], ...] = ()
    """Where the time of each of them went; empty where that is not on record."""

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


def availability(key: str, vm: ProtectedVM, now: float, actions: Iterable[ActionView] = ()) -> Availability:
    """From the status of a ProtectedVM; where the time went is told by the recorded actions."""
    known, created, began = vm.status.downtime, vm.metadata.creation_timestamp, vm.status.outage_since
    ledger = Ledger(known.year, known.planned_seconds, known.unplanned_seconds) if known else None
    year = datetime(datetime.fromtimestamp(now, UTC).year, 1, 1, tzinfo=UTC).timestamp()
    outages = tuple(each for each in vm.status.outages if each.until is None or each.until.timestamp() >= year)
    planned_now = bool(outages and outages[-1].until is None and outages[-1].planned)
    so_far = year_so_far(
        ledger, created.timestamp() if created else None, began.timestamp() if began else None, planned_now, now
    )
    recorded = tuple(actions)
    return Availability(
        vm=key,
        observed=so_far.observed,
        planned=so_far.planned,
        unplanned=so_far.unplanned,
        outages=outages,
        parts=tuple(_parts(key, outage, now, recorded) for outage in outages),
    )


def _parts(key: str, outage: Outage, now: float, actions: tuple[ActionView, ...]) -> dict[Part, float]:
    until = outage.until.timestamp() if outage.until else now
    return parts(key, outage.incident, outage.since.timestamp(), until, actions) if outage.incident else {}


@dataclass(frozen=True, slots=True)
class Cause:
    """The latest outages of one cause, of all VMs together; seconds."""

    name: str
    planned: bool
    outages: int
    seconds: float
    parts: dict[Part, float]
    """Where the time went, as far as the actions on record tell."""


def by_cause(found: Iterable[Availability], now: float) -> tuple[Cause, ...]:
    """What cost most comes first."""
    causes: dict[tuple[str, bool], Cause] = {}
    for each in found:
        for outage, spent in zip(each.outages, each.parts, strict=True):
            key = (outage.cause or "not known", outage.planned)
            old = causes.get(key, Cause(*key, 0, 0.0, {}))
            lasted = (outage.until.timestamp() if outage.until else now) - outage.since.timestamp()
            together = {
                part: old.parts.get(part, 0.0) + spent.get(part, 0.0) for part in Part if part in {**old.parts, **spent}
            }
            causes[key] = Cause(*key, old.outages + 1, old.seconds + lasted, together)
    return tuple(sorted(causes.values(), key=lambda cause: (cause.planned, -cause.seconds, cause.name)))
