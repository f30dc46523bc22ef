"""What Prometheus sees. Names are avance_<object>_<what>_<unit>; no label has more values than pairs, nodes and VMs."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from avance import __version__
from avance.core.model import ActionView, PairView
from avance.core.phase_times import BUDGETS
from avance.core.report import PairReport
from avance.operator.pair_series import KINDS, Sample, pair_series

PREFIX = "avance_"
_PHASE_BUCKETS = (0.1, 0.25, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600)
_DELAY_BUCKETS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
_TICK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Described:
    """A metric as the reference in the documentation has it."""

    name: str
    type: str
    meaning: str
    labels: tuple[str, ...]


class PairSeries(Collector):
    """The gauges of all pairs, each pair's as its last look left them: what is gone has no series any more."""

    def __init__(self) -> None:
        self._of_pair: dict[str, tuple[Sample, ...]] = {}

    def show(self, pair: str, samples: Iterable[Sample]) -> None:
        """Replace everything that is shown of a pair."""
        self._of_pair[pair] = tuple(samples)

    def forget(self, pair: str) -> None:
        """Show nothing of a pair."""
        self._of_pair.pop(pair, None)

    def collect(self) -> list[GaugeMetricFamily]:
        """As Prometheus asks for them, from another thread perhaps."""
        families = {
            kind: GaugeMetricFamily(PREFIX + kind.name, kind.meaning, labels=list(kind.labels)) for kind in KINDS
        }
        for samples in list(self._of_pair.values()):
            for sample in samples:
                families[sample.kind].add_metric(list(sample.labels), sample.value)
        return list(families.values())


class Metrics:
    """All metrics of one operator process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.described = [Described(PREFIX + kind.name, "gauge", kind.meaning, kind.labels) for kind in KINDS]
        """All that are of avance itself."""
        ProcessCollector(registry=self.registry)
        self._pairs = PairSeries()
        self.registry.register(self._pairs)
        self._gauge("build_info", "Always 1; the version is a label", "version").labels(__version__).set(1)
        self.leading = self._gauge("leader", "1 while this operator leads, else 0")
        self._lease_age = self._gauge(
            "lease_age_seconds",
            "How long ago this operator last saw the leader's Lease renewed, by itself or another; NaN before it has",
        )
        self._silence = self._gauge(
            "watch_silence_seconds",
            "Since this operator has heard of any node; each renews its Lease every 10 s. NaN before it has",
        )
        self._followed: tuple[tuple[Gauge, Callable[[], float]], ...] = ()
        self.follow(lambda: math.nan, lambda: math.nan)
        self.watch_events = self._counter("watch_events", "Changes that were seen", "kind")
        self.failed_passes = self._counter("failed_passes", "Looks at a pair that ended in an error", "pair")
        self.effects = self._counter("effects", "Things done to the cluster and to BMCs", "effect", "outcome")
        self._actions = self._counter(
            "actions", "Finished actions by type, reason and outcome", "type", "reason", "outcome"
        )
        self._add_times()

    def _add_times(self) -> None:
        """How long things take."""
        self.plan_seconds = self._histogram("plan_duration_seconds", "One look at one pair", _DELAY_BUCKETS)
        self.wait_seconds = self._histogram(
            "look_wait_seconds", "From the change that asked for a look at a pair to that look", _DELAY_BUCKETS
        )
        self._delay = self._histogram(
            "event_loop_delay_seconds",
            "How late the process got round to what was due",
            _DELAY_BUCKETS,
        )
        self._steps = self._histogram(
            "step_duration_seconds",
            "How long the steps of actions took; a fence is Close to Release of type Fence",
            _PHASE_BUCKETS,
            "type",
            "step",
        )
        budgets = self._gauge(
            "phase_budget_seconds", "What a phase may take; Migration: for each GiB of the VM's memory", "phase"
        )
        for phase, seconds in BUDGETS.items():
            budgets.labels(str(phase)).set(seconds)

    def begin(self, pair: str) -> None:
        """Count its errors from 0: a series that begins with an error shows no increase."""
        self.failed_passes.labels(pair)

    def show(self, view: PairView, told: PairReport, now: float) -> None:
        """What a look found, as gauges; series of nodes and VMs that are gone are dropped."""
        self._pairs.show(view.name, pair_series(view, told, now))

    def forget(self, pair: str) -> None:
        """A pair that is served no more must not look as if it were all right."""
        self._pairs.forget(pair)
        self.failed_passes.remove(pair)

    def finished(self, action: ActionView, outcome: str, ended_at: float) -> None:
        """Count an action that has just ended, and the time that each of its steps took."""
        self._actions.labels(action.type, action.reason, outcome).inc()
        ends = [step.started_at for step in action.steps[1:]] + [ended_at]
        for step, end in zip(action.steps, ends, strict=False):
            self._steps.labels(action.type, step.name).observe(max(0.0, end - step.started_at))

    def follow(self, lease_age: Callable[[], float], silence: Callable[[], float]) -> None:
        """Ask these at every scrape. Both are seconds, NaN while there is nothing to tell."""
        self._followed = ((self._lease_age, lease_age), (self._silence, silence))

    async def exposition(self) -> bytes:
        """What Prometheus gets. A thousand pairs are 100,000 lines: nothing else waits until they are written."""
        for gauge, ask in self._followed:
            gauge.set(ask())
        return await asyncio.to_thread(generate_latest, self.registry)

    async def measure_delay(self) -> None:
        """Try again and again how late the process wakes up, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _TICK_SECONDS
            await asyncio.sleep(_TICK_SECONDS)
            self._delay.observe(max(0.0, loop.time() - due))

    def _describe(self, name: str, type_: str, meaning: str, labels: tuple[str, ...]) -> None:
        self.described.append(Described(PREFIX + name, type_, meaning, labels))

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        self._describe(name, "gauge", meaning, labels)
        return Gauge(PREFIX + name, meaning, labels, registry=self.registry)

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        self._describe(f"{name}_total", "counter", meaning, labels)
        return Counter(PREFIX + name, meaning, labels, registry=self.registry)

    def _histogram(self, name: str, meaning: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        self._describe(name, "histogram", meaning, labels)
        return Histogram(PREFIX + name, meaning, labels, buckets=buckets, registry=self.registry)
