"""Series come and go with the pairs, nodes and VMs that they are about."""

from dataclasses import replace

from avance.core.report import report
from avance.operator.metrics import Metrics
from tests.core.views import NOW, pair, running


def series(metrics: Metrics) -> set[str]:
    """Names and labels of every gauge of a pair."""
    return {
        f"{sample.name} {' '.join(sample.labels.values())}"
        for family in metrics.registry.collect()
        for sample in family.samples
        if "pair" in sample.labels and family.type == "gauge"
    }


def test_a_vm_that_is_gone_has_no_series_any_more() -> None:
    metrics, view = Metrics(), pair(vms=(running("db"), running("web")))
    metrics.show("pair", report(view, NOW))
    assert {"avance_vm_condition pair default db Protected", "avance_node_health_score pair node-a"} <= series(metrics)
    metrics.show("pair", report(replace(view, vms=view.vms[1:]), NOW))
    assert not any(" db " in each for each in series(metrics))


def test_a_pair_that_is_gone_has_no_series_any_more() -> None:
    metrics = Metrics()
    for name in ("north", "south"):
        metrics.show(name, report(pair(vms=(running(),)), NOW))
    metrics.forget("north")
    assert series(metrics)
    assert all(" south" in each for each in series(metrics))
