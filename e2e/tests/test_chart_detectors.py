"""The detectors as the real helm renders them: where they run, what they may, and what they are told."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from detectors.settings import Limits, Peer, PublicInterface, load
from e2e.controlplane import ensure_binaries
from e2e.tests.chart import NAMESPACE, Helm, HelmError, of_kind, only

ROOT = Path(__file__).parents[2]
PAIRS = [
    {
        "name": "shop",
        "nodes": [
            {
                "name": "node-a",
                "privateInterface": "bond1",
                "privateAddress": "10.0.0.1",
                "publicAddress": "192.0.2.11",
                "publicInterfaces": [{"name": "bond0", "gateway": "192.0.2.1"}],
            },
            {
                "name": "node-b",
                "privateInterface": "eno2",
                "privateAddress": "10.0.0.2",
                "publicAddress": "192.0.2.12",
            },
        ],
    }
]
ENABLED = ("--set-json", f"detectors.enabled=true,detectors.pairs={json.dumps(PAIRS)}")


@pytest.fixture(scope="module")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    return Helm(asyncio.run(ensure_binaries()).helm, tmp_path_factory.mktemp("helm"))


@pytest.fixture(scope="module")
def objects(helm: Helm) -> list[dict[str, Any]]:
    return helm.template(*ENABLED)


def pod_of(objects: list[dict[str, Any]]) -> dict[str, Any]:
    spec: dict[str, Any] = only(objects, "DaemonSet")["spec"]["template"]["spec"]
    return spec


def containers_of(objects: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {container["name"]: container for container in pod_of(objects)["containers"]}


def of_detectors(objects: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    component = "app.kubernetes.io/component"
    (found,) = [each for each in of_kind(objects, kind) if each["metadata"]["labels"].get(component) == "detectors"]
    return found


def test_they_are_off_unless_asked_for(helm: Helm) -> None:
    assert not of_kind(helm.template(), "DaemonSet")


def test_without_pairs_nothing_is_installed(helm: Helm) -> None:
    with pytest.raises(HelmError, match=r"detectors\.pairs must name the two nodes of each pair"):
        helm.template("--set", "detectors.enabled=true")


def test_a_node_is_in_one_pair(helm: Helm) -> None:
    twice = json.dumps([*PAIRS, {**PAIRS[0], "name": "till"}])
    with pytest.raises(HelmError, match="names the node node-a twice"):
        helm.template("--set-json", f"detectors.enabled=true,detectors.pairs={twice}")


def test_they_run_on_the_nodes_of_pairs_whatever_their_state(objects: list[dict[str, Any]]) -> None:
    pod = pod_of(objects)
    (term,) = pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert {"key": "avance.dev/pair", "operator": "Exists"} in term["matchExpressions"]
    assert pod["tolerations"] == [{"operator": "Exists"}]
    daemon = only(objects, "DaemonSet")["spec"]
    assert daemon["selector"]["matchLabels"].items() <= daemon["template"]["metadata"]["labels"].items()
    deployment = only(objects, "Deployment")["spec"]["selector"]["matchLabels"]
    assert not deployment.items() <= daemon["template"]["metadata"]["labels"].items(), "the operator's own pods"


def test_what_helm_writes_is_what_the_programs_read(objects: list[dict[str, Any]], tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_text(of_detectors(objects, "ConfigMap")["data"]["settings.json"])
    one, other = load(file, "node-a"), load(file, "node-b")
    assert one.peer == Peer("node-b", "bond1", "10.0.0.2", "192.0.2.12")
    assert other.peer == Peer("node-a", "eno2", "10.0.0.1", "192.0.2.11")
    assert (one.public_interfaces, other.public_interfaces) == ((PublicInterface("bond0", "192.0.2.1"),), ())
    assert one.limits == Limits(), "the chart's defaults are those of the programs"
    assert not one.replica_storage


def test_each_setting_reaches_the_programs(helm: Helm, tmp_path: Path) -> None:
    limits = "correctedErrorsPerDay=1,detectors.limits.networkErrorsPerMinute=2,detectors.limits.missedProbes=3"
    rendered = helm.template(*ENABLED, "--set", f"detectors.replicaStorage=DRBD,detectors.limits.{limits}")
    file = tmp_path / "settings.json"
    file.write_text(of_detectors(rendered, "ConfigMap")["data"]["settings.json"])
    settings = load(file, "node-a")
    assert settings.replica_storage
    assert settings.limits == Limits(corrected_errors_per_day=1, network_errors_per_minute=2, missed_probes=3)


def test_npd_is_given_files_that_the_image_holds(helm: Helm, objects: list[dict[str, Any]]) -> None:
    def configurations(rendered: list[dict[str, Any]]) -> set[str]:
        arguments = containers_of(rendered)["node-problem-detector"]["args"]
        return {
            argument.split("=")[1] for argument in arguments if argument.startswith("--config.custom-plugin-monitor=")
        }

    held = {f"/opt/avance-detectors/{file.relative_to(ROOT)}" for file in (ROOT / "detectors" / "npd").glob("*.json")}
    assert configurations(objects) == held
    assert "\nCOPY detectors /opt/avance-detectors/detectors\n" in (ROOT / "Dockerfile").read_text()
    fewer = helm.template(*ENABLED, "--set", "detectors.conditions={fans}")
    assert configurations(fewer) == {"/opt/avance-detectors/detectors/npd/fans.json"}


def test_privileges_are_where_they_are_needed_and_nowhere_else(objects: list[dict[str, Any]]) -> None:
    pod, containers = pod_of(objects), containers_of(objects)
    assert pod["hostNetwork"] is True
    assert not {"hostPID", "hostIPC"} & pod.keys()
    assert [volume["hostPath"]["path"] for volume in pod["volumes"] if "hostPath" in volume] == ["/dev"]
    watch = containers["watch"]["securityContext"]
    assert watch["capabilities"] == {"drop": ["ALL"], "add": ["NET_RAW"]}
    assert not watch["privileged"]
    assert not watch["allowPrivilegeEscalation"]
    assert [mount["name"] for mount in containers["watch"]["volumeMounts"]] == ["settings"]
    assert all(container["securityContext"]["readOnlyRootFilesystem"] for container in containers.values())


def test_the_programs_of_raid_controllers_come_from_the_node(helm: Helm) -> None:
    rendered = helm.template(*ENABLED, "--set", "detectors.controllerTools=/opt/MegaRAID/storcli")
    volumes = {volume["name"]: volume for volume in pod_of(rendered)["volumes"]}
    assert volumes["controller-tools"]["hostPath"] == {"path": "/opt/MegaRAID/storcli", "type": "Directory"}
    npd = containers_of(rendered)["node-problem-detector"]
    (mount,) = [mount for mount in npd["volumeMounts"] if mount["name"] == "controller-tools"]
    assert mount["readOnly"]
    (path,) = [entry["value"] for entry in npd["env"] if entry["name"] == "PATH"]
    assert mount["mountPath"] in path.split(":")


def test_they_may_report_and_nothing_else(objects: list[dict[str, Any]]) -> None:
    assert [(rule["resources"], rule["verbs"]) for rule in of_detectors(objects, "ClusterRole")["rules"]] == [
        (["nodes"], ["get"]),
        (["nodes/status"], ["patch"]),
    ]
    assert [(rule["resources"], rule["verbs"]) for rule in of_detectors(objects, "Role")["rules"]] == [
        (["events"], ["create", "patch"])
    ]
    account = of_detectors(objects, "ServiceAccount")["metadata"]
    for kind in ("ClusterRoleBinding", "RoleBinding"):
        (subject,) = of_detectors(objects, kind)["subjects"]
        assert (subject["name"], subject["namespace"]) == (account["name"], account["namespace"])
    assert pod_of(objects)["serviceAccountName"] == account["name"]
    (condition,) = of_detectors(objects, "ValidatingAdmissionPolicy")["spec"]["matchConditions"]
    assert f"'system:serviceaccount:{account['namespace']}:{account['name']}'" in condition["expression"]


def test_a_namespace_of_their_own(helm: Helm) -> None:
    rendered = helm.template(*ENABLED, "--set", "detectors.namespace=hardware")
    for kind in ("DaemonSet", "ConfigMap", "ServiceAccount", "Role", "RoleBinding"):
        assert of_detectors(rendered, kind)["metadata"]["namespace"] == "hardware"
    assert "--event-namespace=hardware" in containers_of(rendered)["node-problem-detector"]["args"]
    assert only(rendered, "Deployment")["metadata"]["namespace"] == NAMESPACE


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        ("detectors.pair=[]", "'/detectors': additional properties 'pair' not allowed"),
        ('detectors.pairs=[{"name":"shop","nodes":[]}]', "'/detectors/pairs/0/nodes': minItems"),
        ('detectors.pairs=[{"name":"shop","nodes":[{"name":"a"},{"name":"b"}]}]', "missing properties"),
        ('detectors.conditions=["fan"]', "'/detectors/conditions/0': value must be one of"),
        ('detectors.replicaStorage="Ceph"', "'/detectors/replicaStorage': value must be one of"),
        ("detectors.limits.missedProbes=1", "'/detectors/limits/missedProbes': minimum"),
        ('detectors.controllerTools="storcli"', "'/detectors/controllerTools'"),
        ("detectors.port=80", "'/detectors/port': minimum"),
    ],
)
def test_a_wrong_value_is_refused_by_its_name(helm: Helm, setting: str, complaint: str) -> None:
    with pytest.raises(HelmError) as refusal:
        helm.template("--set-json", setting)
    assert complaint in str(refusal.value)


SETTINGS = {
    "image.repository": '"registry.example/avance-detectors"',
    "image.tag": '"9"',
    "image.digest": f'"sha256:{"0" * 64}"',
    "image.pullPolicy": '"Always"',
    "namespace": '"hardware"',
    "conditions": '["fans"]',
    "stockMonitors": "[]",
    "replicaStorage": '"DRBD"',
    "controllerTools": '"/opt/tools"',
    "limits.correctedErrorsPerDay": "1",
    "limits.networkErrorsPerMinute": "1",
    "limits.missedProbes": "3",
    "port": "20300",
    "resources.requests.cpu": '"1"',
    "resources.requests.memory": '"1Gi"',
    "resources.limits.memory": '"1Gi"',
}


@pytest.mark.parametrize("path", SETTINGS)
def test_every_value_makes_a_difference(helm: Helm, objects: list[dict[str, Any]], path: str) -> None:
    assert helm.template(*ENABLED, "--set-json", f"detectors.{path}={SETTINGS[path]}") != objects
