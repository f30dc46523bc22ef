"""What the chart gives to Prometheus and Grafana, as the real helm renders it and the real promtool reads it."""

import asyncio
import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from e2e.controlplane import ensure_binaries
from e2e.monitoring.programs import prometheus_programs
from e2e.tests.chart import CHART, NAMESPACE, Helm, HelmError, of_kind, only
from e2e.tests.programs import had

RULES, MONITOR, DASHBOARDS = (f"metrics.{part}.enabled=true" for part in ("rules", "serviceMonitor", "dashboards"))


@pytest.fixture(scope="module")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    return Helm(asyncio.run(ensure_binaries()).helm, tmp_path_factory.mktemp("helm"))


def test_nothing_that_needs_the_prometheus_operator_is_installed_unasked(helm: Helm) -> None:
    kinds = {document["kind"] for document in helm.template()}
    assert not kinds & {"PrometheusRule", "ServiceMonitor", "ConfigMap"}


def test_the_rules_arrive_as_prometheus_reads_them(helm: Helm, tmp_path: Path) -> None:
    rendered = only(helm.template("--set", f"{RULES},metrics.rules.labels.release=mine"), "PrometheusRule")
    assert rendered["metadata"]["namespace"] == NAMESPACE
    assert rendered["metadata"]["labels"]["release"] == "mine"
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump(rendered["spec"]))
    subprocess.run([had(prometheus_programs) / "promtool", "check", "rules", file], check=True, capture_output=True)
    texts = [rule["annotations"]["description"] for group in rendered["spec"]["groups"] for rule in group["rules"]
             if "alert" in rule]  # fmt: skip
    assert any("{{ $labels.pair }}" in text for text in texts), "Prometheus' own templates have to stay"


def test_every_alert_links_the_runbook_where_it_is_kept(helm: Helm) -> None:
    arguments = f"{RULES},metrics.rules.runbooks=https://wiki.example/avance/"
    rendered = only(helm.template("--set", arguments), "PrometheusRule")
    for group in rendered["spec"]["groups"]:
        for rule in group["rules"]:
            if "alert" in rule:
                assert rule["annotations"]["runbook_url"] == f"https://wiki.example/avance/{rule['alert']}.md"


def test_the_monitor_finds_the_service_and_keeps_the_namespaces_of_the_vms(helm: Helm) -> None:
    objects = helm.template("--set", f"{MONITOR},metrics.serviceMonitor.interval=5s")
    monitor = only(objects, "ServiceMonitor")["spec"]
    (endpoint,) = monitor["endpoints"]
    (service,) = (one for one in of_kind(objects, "Service") if one["metadata"]["name"].endswith("-metrics"))
    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert endpoint["port"] in [port["name"] for port in service["spec"]["ports"]]
    assert (endpoint["honorLabels"], endpoint["interval"]) == (True, "5s")


def test_a_monitor_without_a_service_is_refused(helm: Helm) -> None:
    with pytest.raises(HelmError, match="needs metrics"):
        helm.template("--set", f"{MONITOR},metrics.service.enabled=false")


def test_dashboards_arrive_whole_where_the_sidecar_looks(helm: Helm) -> None:
    maps = of_kind(helm.template("--set", f"{DASHBOARDS},metrics.dashboards.namespace=grafana"), "ConfigMap")
    pages = {name: json.loads(text) for found in maps for name, text in found["data"].items()}
    assert pages.keys() == {f"avance-{name}.json" for name in ("fleet", "pair", "vm", "operator")}
    assert {found["metadata"]["namespace"] for found in maps} == {"grafana"}
    assert {found["metadata"]["labels"]["grafana_dashboard"] for found in maps} == {"1"}
    assert len({page["uid"] for page in pages.values()}) == 4
    assert any("{{node}}" in target["legendFormat"] for panel in pages["avance-pair.json"]["panels"]
               for target in panel["targets"]), "Grafana's own templates have to stay"  # fmt: skip


def test_what_the_documentation_sets_is_installed(helm: Helm) -> None:
    page = (CHART.parents[1] / "docs" / "monitoring.md").read_text()
    settings = re.findall(r"--set (\S+)", page.split("```console")[1].split("```")[0])
    kinds = {document["kind"] for document in helm.template(*(word for each in settings for word in ("--set", each)))}
    assert {"PrometheusRule", "ServiceMonitor", "ConfigMap"} <= kinds
