"""What Prometheus sees. Names are avance_<object>_<what>_<unit>; no label has more values than pairs, nodes and VMs."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from avance import __version__
from avance.core.model import ActionView
from avance.core.report import PairReport

_PHASE_BUCKETS = (0.1, 0.25, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600)
_Series = tuple[Gauge, tuple[str, ...]]
_VALUE = {True: 1.0, False: 0.0, None: -1.0}


class Metrics:
    """All metrics of one operator process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.leading = self._gauge("leader", "1 while this operator leads, else 0")
        self._pair = self._gauge("pair_condition", "Condition of a pair: 1 true, 0 false, -1 unknown", "pair", "type")
        self._score = self._gauge("node_health_score", "Health of a node, 0 to 100; 100 is no fault", "pair", "node")
        self._unproven = self._gauge(
            "fence_waiting_seconds",
            "How long a server held to be dead has not been proven off; 0 is none",
            "pair",
            "node",
        )
        self._vm = self._gauge(
            "vm_condition",
            "Condition of a protected VM: 1 true, 0 false, -1 unknown",
            "pair",
            "namespace",
            "vm",
            "type",
        )
        self._actions = self._counter(
            "actions", "Finished actions by type, reason and outcome", "type", "reason", "outcome"
        )
        self._steps = Histogram(
            "avance_step_duration_seconds",
            "How long the steps of actions took; a fence is Close to Release of type Fence",
            ["type", "step"],
            buckets=_PHASE_BUCKETS,
            registry=self.registry,
        )
        self.effects = self._counter("effects", "Things done to the cluster and to BMCs", "effect", "outcome")
        self.plan_seconds = Histogram("avance_plan_duration_seconds", "One look at one pair", registry=self.registry)
        self.failed_passes = self._counter("failed_passes", "Looks at a pair that ended in an error", "pair")
        self.watch_events = self._counter("watch_events", "Changes that were seen", "kind")
        self._gauge("build_info", "Always 1; the version is a label", "version").labels(__version__).set(1)
        self._shown: dict[str, set[_Series]] = {}

    def show(self, pair: str, report: PairReport) -> None:
        """What a report says, as gauges; series of nodes and VMs that are gone are dropped."""
        series: dict[_Series, float] = {}
        for condition in report.conditions:
            series[self._pair, (pair, condition.type)] = _VALUE[condition.holds]
        for node in report.nodes:
            series[self._score, (pair, node.name)] = node.score.value
            series[self._unproven, (pair, node.name)] = node.unproven_seconds
        for vm in report.vms:
            for condition in vm.conditions:
                series[self._vm, (pair, *vm.key.split("/"), condition.type)] = _VALUE[condition.holds]
        for (gauge, labels), value in series.items():
            gauge.labels(*labels).set(value)
        self._drop(self._shown.get(pair, set()) - series.keys())
        self._shown[pair] = set(series)

    def forget(self, pair: str) -> None:
        """A pair that is served no more must not look as if it were all right."""
        self._drop(self._shown.pop(pair, set()))

    def finished(self, action: ActionView, outcome: str, ended_at: float) -> None:
        """Count an action that has just ended, and the time that each of its steps took."""
        self._actions.labels(action.type, action.reason, outcome).inc()
        ends = [step.started_at for step in action.steps[1:]] + [ended_at]
        for step, end in zip(action.steps, ends, strict=False):
            self._steps.labels(action.type, step.name).observe(max(0.0, end - step.started_at))

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        return Gauge(f"avance_{name}", meaning, labels, registry=self.registry)

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(f"avance_{name}", meaning, labels, registry=self.registry)

    @staticmethod
    def _drop(series: set[_Series]) -> None:
        for gauge, labels in series:
            gauge.remove(*labels)
