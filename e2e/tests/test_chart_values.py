"""The chart's values as the real helm takes them: wrong ones are refused by name, right ones make a difference."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from e2e.controlplane import ensure_binaries
from e2e.tests import test_chart_detectors
from e2e.tests.chart import CHART, Helm, HelmError


@pytest.fixture(scope="module")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    return Helm(asyncio.run(ensure_binaries()).helm, tmp_path_factory.mktemp("helm"))


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        ("replica=3", "'replica' not allowed"),
        ("replicas=two", "'/replicas': got string, want integer"),
        ("replicas=-1", "'/replicas': minimum"),
        ("image.name=x", "'/image': additional properties 'name' not allowed"),
        ("image.digest=latest", "'/image/digest'"),
        ("image.repository=registry.example/avance:1.2", "'/image/repository': 'registry.example/avance:1.2' does not"),
        ("image.repository=avance:1.2", "'/image/repository'"),
        ("storage.provider=linstor", "'/storage/provider': value must be one of 'None', 'Linstor'"),
        ("nodeSelector.pair=true", "'/nodeSelector/pair': got boolean, want string"),
        ("image.pullPolicy=Sometimes", "'/image/pullPolicy': value must be one of"),
        ("crds.install=true", "'/crds': additional properties 'install' not allowed"),
        ("crds.keep=maybe", "'/crds/keep': got string, want boolean"),
        ("rbac.secretNames=bmc", "'/rbac/secretNames': got string, want array"),
        ("resources.limit.memory=1Gi", "'/resources': additional properties 'limit' not allowed"),
        ("resources.limits.memory=much", "'/resources/limits/memory'"),
        ("tolerations[0].operator=Exist", "'/tolerations/0/operator': value must be one of"),
        ("metrics.enabled=true", "'/metrics': additional properties 'enabled' not allowed"),
        ("affinity.pod=x", "'/affinity': additional properties 'pod' not allowed"),
        ("networkPolicy.egress.bmcs[0].cidr=10.0.9.7", "'/networkPolicy/egress/bmcs/0/cidr'"),
        ("networkPolicy.egress.bmcs[0].address=x", "'/networkPolicy/egress/bmcs/0': missing property 'cidr'"),
        ("networkPolicy.egress.apiServer.ports={70000}", "'/networkPolicy/egress/apiServer/ports/0': maximum"),
        ("podDisruptionBudget.minAvailable=2", "'/podDisruptionBudget': additional properties 'minAvailable' not"),
        ("topologySpreadConstraints[0].maxSkew=1", "'/topologySpreadConstraints/0': missing properties"),
        ("nodeSelector=a", "'/nodeSelector': got string, want object"),
    ],
)
def test_a_wrong_value_is_refused_by_its_name(helm: Helm, setting: str, complaint: str) -> None:
    with pytest.raises(HelmError) as refusal:
        helm.template("--set", setting)
    assert complaint in str(refusal.value)


BEFORE = {
    "networkPolicy.egress": 'networkPolicy.egress={"enabled":true,"bmcs":[{"cidr":"10.0.9.0/24","ports":[443]}]}',
    "metrics.serviceMonitor": "metrics.serviceMonitor.enabled=true",
    "metrics.rules": "metrics.rules.enabled=true",
    "metrics.dashboards": "metrics.dashboards.enabled=true",
}
"""What has to be switched on first for a value to mean anything."""
# For every value of values.yaml, a setting that must make a difference.
SETTINGS = {
    "nameOverride": '"other"',
    "fullnameOverride": '"other"',
    "image.repository": '"registry.example/avance"',
    "image.tag": '"9"',
    "image.digest": f'"sha256:{"0" * 64}"',
    "image.pullPolicy": '"Always"',
    "imagePullSecrets": '[{"name":"login"}]',
    "replicas": "3",
    "extraArgs": '["--verbose"]',
    "extraEnv": '[{"name":"HTTPS_PROXY","value":"x"}]',
    "crds.enabled": "false",
    "crds.keep": "false",
    "serviceAccount.create": 'false,serviceAccount.name="robot"',
    "serviceAccount.name": '"robot"',
    "serviceAccount.annotations": '{"a":"b"}',
    "rbac.create": "false",
    "rbac.secretNames": '["bmc"]',
    "storage.provider": '"Longhorn"',
    "rbac.kubevirtSettings": "true",
    "rbac.aggregate": "false",
    "admissionPolicy.enabled": "false",
    "podDisruptionBudget.enabled": "false",
    "networkPolicy.enabled": "false",
    "networkPolicy.metricsFrom": '[{"ipBlock":{"cidr":"10.0.0.0/8"}}]',
    "networkPolicy.egress.enabled": "false",
    "networkPolicy.egress.apiServer.cidrs": '["10.0.0.10/32"]',
    "networkPolicy.egress.apiServer.ports": "[8443]",
    "networkPolicy.egress.bmcs": '[{"cidr":"10.0.9.0/24","udpPorts":[623]}]',
    "networkPolicy.egress.storage": '[{"namespace":"linstor","ports":[3370]}]',
    "networkPolicy.egress.receivers": '[{"cidr":"10.0.5.25/32","ports":[587]}]',
    "metrics.service.enabled": "false",
    "metrics.service.annotations": '{"a":"b"}',
    "metrics.serviceMonitor.enabled": "false",
    "metrics.serviceMonitor.interval": '"30s"',
    "metrics.serviceMonitor.labels": '{"release":"mine"}',
    "metrics.rules.enabled": "false",
    "metrics.rules.labels": '{"release":"mine"}',
    "metrics.rules.runbooks": '"https://wiki.example/avance"',
    "metrics.dashboards.enabled": "false",
    "metrics.dashboards.namespace": '"grafana"',
    "metrics.dashboards.labels.grafana_dashboard": '"2"',
    "metrics.dashboards.annotations": '{"a":"b"}',
    "resources.requests.cpu": '"1"',
    "resources.requests.memory": '"1Gi"',
    "resources.limits.memory": '"1Gi"',
    "priorityClassName": '""',
    "nodeSelector": '{"a":"b"}',
    "tolerations": "[]",
    "affinity": '{"nodeAffinity":{"a":"b"}}',
    "topologySpreadConstraints": '[{"maxSkew":1,"topologyKey":"rack","whenUnsatisfiable":"DoNotSchedule"}]',
    "podAnnotations": '{"a":"b"}',
    "podLabels": '{"a":"b"}',
    "extraObjects": '["kind: X"]',
}


def leaves(values: dict[str, Any], path: str = "") -> Iterator[str]:
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{path}{key}.")
        else:
            yield f"{path}{key}"


def test_every_value_has_its_setting() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    detectors = {f"detectors.{path}" for path in (*test_chart_detectors.SETTINGS, "enabled", "pairs")}
    assert set(SETTINGS) | detectors == set(leaves(values))


@pytest.mark.parametrize("path", SETTINGS)
def test_every_value_makes_a_difference(helm: Helm, path: str) -> None:
    before = [word for part, on in BEFORE.items() if path.startswith(f"{part}.") for word in ("--set-json", on)]
    assert helm.template(*before, "--set-json", f"{path}={SETTINGS[path]}") != helm.template(*before)
