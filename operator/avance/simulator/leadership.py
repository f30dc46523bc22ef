"""Who may act: the leader's Lease of the real operator on the virtual clock, and the processes that compete for it.

A leader counts its time from its last renewal and stops a margin before the Lease runs out; a candidate takes over when
the Lease has stood still for its whole duration. A process that stands still notices when it goes on, at the latest
before its next deed: it has lost the leadership and ends.
"""

from __future__ import annotations

from dataclasses import dataclass

DURATION_SECONDS = 6.0
RENEW_SECONDS = 1.5
MARGIN_SECONDS = 1.5


@dataclass
class Lease:
    """The object in the API."""

    renewed_at: float
    """Also when a candidate has last seen it change."""
    epoch: int = 0
    """Which leader this is; each one's is greater than its predecessor's."""

    def free(self, now: float) -> bool:
        return now >= self.renewed_at + DURATION_SECONDS


class Leadership:
    """One process' knowledge of its own leadership."""

    def __init__(self, lease: Lease, now: float) -> None:
        """Takes the Lease."""
        lease.epoch, lease.renewed_at = lease.epoch + 1, now
        self.epoch = lease.epoch
        self._lease = lease
        self._renewed_at = now

    def keep(self, now: float, *, reaches_api: bool) -> None:
        """Renew when it is time to; a renewal that does not get through prolongs nothing."""
        due = now >= self._renewed_at + RENEW_SECONDS
        if due and reaches_api and self.holds(now) and self._lease.epoch == self.epoch:
            self._renewed_at = self._lease.renewed_at = now

    def holds(self, now: float) -> bool:
        """It certainly leads."""
        return now < self._renewed_at + DURATION_SECONDS - MARGIN_SECONDS
