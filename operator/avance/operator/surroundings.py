"""How the cluster around a pair is doing, and this operator in it: what tells a storm from the fault of one server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from avance.core.kubevirt_health import KubeVirtHealth
from avance.core.migration_settings import MigrationSettings
from avance.core.model import PairView
from avance.core.restraint import StormRecord, storm_cause
from avance.core.surroundings import Surroundings
from avance.kube.resources import NODES
from avance.operator.clock import Clock, from_api
from avance.operator.store import Store

Object = dict[str, Any]

COUNT_SECONDS = 2.0
"""How old the count of silent nodes may be: there may be thousands of them, and as many pairs that ask."""
LONG_GONE_SECONDS = 300.0
"""A node that has not been Ready for so long belongs to no storm: somebody has switched it off, or lives with it."""


class SurroundingsWatch:
    """One term of leadership's view of everything around the pairs."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        migrations: Callable[[str], MigrationSettings | None] = lambda pair: None,
        kubevirt: Callable[[], KubeVirtHealth | None] = lambda: None,
    ) -> None:
        self._migrations = migrations
        self._kubevirt = kubevirt
        self._store = store
        self._clock = clock
        self.in_charge_since = clock.now()
        self._storms: dict[str, StormRecord] = {}
        self._writes_fail_since: dict[str, float] = {}
        self._silent: dict[float, tuple[float, frozenset[str]]] = {}

    def around(self, pair: Object, view: PairView, now: float) -> PairView:
        """The view with its surroundings; remembers storms."""
        name = view.name
        own = {node.name for node in view.nodes}
        silent = self._silent_nodes(view.policy.detection.lease_silence_seconds, now)
        surroundings = Surroundings(
            in_charge_since=self.in_charge_since,
            migrations=self._migrations(name),
            kubevirt=self._kubevirt(),
            other_nodes=self._store.count(NODES) - len(own),
            silent_nodes=len(silent - own),
            writes_fail_since=self._writes_fail_since.get(name),
        )
        known = self._storms.get(name) or StormRecord(raging=_was_stormy(pair))
        record = known.after(storm_cause(replace(view, surroundings=surroundings), now), now)
        self._storms[name] = record
        return replace(view, surroundings=replace(surroundings, storm_seen_at=record.seen_at))

    def write_failed(self, pair: str) -> None:
        """The API server did not answer a write of the pair's records."""
        self._writes_fail_since.setdefault(pair, self._clock.now())

    def write_answered(self, pair: str) -> None:
        """A look at the pair could be finished, with all that it had to write."""
        self._writes_fail_since.pop(pair, None)

    def forget(self, pair: str) -> None:
        """The pair is deleted."""
        self._storms.pop(pair, None)
        self._writes_fail_since.pop(pair, None)

    def _silent_nodes(self, threshold: float, now: float) -> frozenset[str]:
        counted_at, silent = self._silent.get(threshold, (float("-inf"), frozenset()))
        if now - counted_at >= COUNT_SECONDS:
            names = (n["metadata"]["name"] for n in self._store.all(NODES) if self._fell_silent(n, threshold, now))
            silent = frozenset(names)
            self._silent[threshold] = (now, silent)
        return silent

    def _fell_silent(self, node: Object, threshold: float, now: float) -> bool:
        if now - self._store.heard_at(node) < threshold:
            return False
        ready = next((c for c in node.get("status", {}).get("conditions") or () if c["type"] == "Ready"), None)
        if ready is None or ready["status"] == "True":
            return ready is not None
        return now - from_api(ready.get("lastTransitionTime") or "") < LONG_GONE_SECONDS


def _was_stormy(pair: Object) -> bool:
    """What the last leader said: its storm may be the reason why there is a new one."""
    conditions = (pair.get("status") or {}).get("conditions") or ()
    return any(condition["type"] == "Calm" and condition["status"] == "False" for condition in conditions)
