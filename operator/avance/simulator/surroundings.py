"""What is around the pair: the rest of the cluster, and the API for the operator's writes."""

from __future__ import annotations

from dataclasses import dataclass, replace

from avance.core.kubevirt_health import KubeVirtHealth
from avance.core.model import PairView
from avance.core.restraint import StormRecord, storm_cause
from avance.core.surroundings import Surroundings


@dataclass(frozen=True, slots=True)
class Around:
    other_nodes: int = 0
    silent_nodes: int = 0
    takes_writes: bool = True
    """The API server answers the operator's writes."""
    virt_api: bool = True
    virt_controller: bool = True
    control_plane: tuple[str, ...] = ()
    """Nodes that run the control plane; empty when it is somebody else's care."""


class SurroundingsWatch:
    """What one operator process makes of them; `stormy` is what the pair's status says when it begins."""

    def __init__(self, started_at: float, *, stormy: bool) -> None:
        self._in_charge_since = started_at
        self._storms = StormRecord(raging=stormy)
        self._writes_fail_since: float | None = None
        self._kubevirt = KubeVirtHealth()

    def can_write(self, around: Around, now: float) -> bool:
        """Whether a write is answered now; remembers since when none is."""
        failing = now if self._writes_fail_since is None else self._writes_fail_since
        self._writes_fail_since = None if around.takes_writes else failing
        return around.takes_writes

    def around(self, view: PairView, around: Around, now: float) -> PairView:
        """The view with its surroundings."""
        surroundings = Surroundings(
            in_charge_since=self._in_charge_since,
            kubevirt=self._health(around, now),
            other_nodes=around.other_nodes,
            silent_nodes=around.silent_nodes,
            writes_fail_since=self._writes_fail_since,
        )
        self._storms = self._storms.after(storm_cause(replace(view, surroundings=surroundings), now), now)
        surroundings = replace(surroundings, storm_seen_at=self._storms.seen_at)
        return replace(view, surroundings=surroundings, control_plane=around.control_plane)

    def _health(self, around: Around, now: float) -> KubeVirtHealth:
        failure = "" if around.virt_api else "503 Service Unavailable"
        found = KubeVirtHealth(api_failure=failure, controller_silent=not around.virt_controller)
        recovered = found.well and not self._kubevirt.well
        self._kubevirt = replace(found, well_since=now if recovered else self._kubevirt.well_since)
        return self._kubevirt
