"""What a VM's ledger comes to in a year: how long it was watched, and how long it was down."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

PLANNED, UNPLANNED = "planned", "unplanned"


@dataclass(frozen=True, slots=True)
class Ledger:
    """The outages of one year (UTC) that have ended, added up; seconds."""

    year: int
    planned: float = 0.0
    """Somebody asked for them."""
    unplanned: float = 0.0


@dataclass(frozen=True, slots=True)
class YearSoFar:
    """Seconds of this year up to now."""

    observed: float
    """Since the VM is there, or the year began."""
    planned: float
    unplanned: float

    @property
    def share(self) -> float:
        """0 to 1: what of the time it ran; planned downtime is not held against it."""
        return 1.0 - min(1.0, self.unplanned / self.observed) if self.observed else 1.0


def year_so_far(
    ledger: Ledger | None, created_at: float | None, down_since: float | None, planned_now: bool, now: float
) -> YearSoFar:
    """With the outage that lasts, if there is one: down since `down_since`, and `planned_now` if somebody wants it."""
    year = datetime.fromtimestamp(now, UTC).year
    began = datetime(year, 1, 1, tzinfo=UTC).timestamp()
    counted = ledger if ledger is not None and ledger.year == year else Ledger(year)
    lasting = max(0.0, now - max(began, down_since)) if down_since is not None else 0.0
    return YearSoFar(
        observed=max(0.0, now - max(began, created_at or began)),
        planned=counted.planned + (lasting if planned_now else 0.0),
        unplanned=counted.unplanned + (0.0 if planned_now else lasting),
    )
