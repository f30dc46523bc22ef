"""The chart as the real helm renders it: what is installed by default, and what each value changes."""

import asyncio
import json
from typing import Any

import pytest
import yaml

from e2e.controlplane import ensure_binaries
from e2e.tests.chart import CHART, NAMESPACE, RELEASE, Helm, HelmError, of_kind, only

CLUSTER_WIDE = {
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
}
USER_ROLES = {"avance-view", "avance-edit", "avance-admin", "avance-attest", "avance-cli"}


@pytest.fixture(scope="module")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    return Helm(asyncio.run(ensure_binaries()).helm, tmp_path_factory.mktemp("helm"))


@pytest.fixture(scope="module")
def objects(helm: Helm) -> list[dict[str, Any]]:
    return helm.template()


def pod_of(objects: list[dict[str, Any]]) -> dict[str, Any]:
    spec: dict[str, Any] = only(objects, "Deployment")["spec"]["template"]["spec"]
    return spec


def operators_roles(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    roles = of_kind(objects, "ClusterRole") + of_kind(objects, "Role")
    return [role for role in roles if role["metadata"]["name"] not in USER_ROLES]


def rules_of(objects: list[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    """Every rule of the operator with the place where it holds: a namespace, or `everywhere`."""
    roles = operators_roles(objects)
    return [(role["metadata"].get("namespace", "everywhere"), rule) for role in roles for rule in role["rules"]]


def grants(objects: list[dict[str, Any]], resource: str) -> dict[str, set[str]]:
    """The verbs for a resource, by place."""
    granted: dict[str, set[str]] = {}
    for place, rule in rules_of(objects):
        if resource in rule["resources"]:
            granted.setdefault(place, set()).update(rule["verbs"])
    return granted


def test_lint_has_nothing_to_say(helm: Helm) -> None:
    assert "0 chart(s) failed" in helm.run("lint", "--strict", str(CHART))


def test_a_kubernetes_without_admission_policies_is_refused(helm: Helm) -> None:
    with pytest.raises(HelmError, match="incompatible with Kubernetes"):
        helm.template("--kube-version", "1.29.4")


def test_the_defaults_install_one_operator_with_all_that_it_needs(objects: list[dict[str, Any]]) -> None:
    kinds = sorted(document["kind"] for document in objects)
    assert kinds == sorted(
        ["CustomResourceDefinition"] * 3 + ["Role", "RoleBinding"] * 2
        + ["ClusterRole"] * 6 + ["ServiceAccount", "ClusterRoleBinding", "Service", "Deployment"]
        + ["NetworkPolicy", "PodDisruptionBudget"]
        + ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"] * 2
    )  # fmt: skip


@pytest.mark.parametrize(("served", "rendered"), [(("v1beta1",), "v1beta1"), (("v1beta1", "v1"), "v1"), ((), "")])
def test_the_api_server_notes_who_edits_where_it_can(helm: Helm, served: tuple[str, ...], rendered: str) -> None:
    """The operator believes such notes only where the policy that makes them is installed."""
    known = [f"admissionregistration.k8s.io/{version}/MutatingAdmissionPolicy" for version in served]
    asked = [word for each in known for word in ("--api-versions", each)]
    for extra, version in (((), rendered), (("--set", "admissionPolicy.enabled=false"), "")):
        objects = helm.template(*asked, *extra)
        policies = of_kind(objects, "MutatingAdmissionPolicy") + of_kind(objects, "MutatingAdmissionPolicyBinding")
        assert {each["apiVersion"].rpartition("/")[2] for each in policies} == ({version} if version else set())
        assert len(policies) == (4 if version else 0)
        container = only(objects, "Deployment")["spec"]["template"]["spec"]["containers"][0]
        assert ("--edits-stamped" in container["args"]) is bool(version)


def test_every_object_says_where_it_belongs(objects: list[dict[str, Any]]) -> None:
    for document in objects:
        namespace = document["metadata"].get("namespace")
        if document["kind"] in CLUSTER_WIDE:
            assert namespace is None
        else:
            assert namespace == NAMESPACE or document["kind"] in {"Role", "RoleBinding"}
        labels = document["metadata"]["labels"]
        assert labels["app.kubernetes.io/instance"] == RELEASE
        assert labels["app.kubernetes.io/managed-by"] == "Helm"
        assert labels["app.kubernetes.io/version"] == "0.1.0"
        assert labels["helm.sh/chart"] == "avance-0.1.0"


def test_selectors_find_the_pods(objects: list[dict[str, Any]]) -> None:
    deployment = only(objects, "Deployment")["spec"]
    labels = deployment["template"]["metadata"]["labels"].items()
    service = only(objects, "Service")["spec"]
    anti_affinity = deployment["template"]["spec"]["affinity"]["podAntiAffinity"]
    (term,) = anti_affinity["requiredDuringSchedulingIgnoredDuringExecution"]
    (spread,) = deployment["template"]["spec"]["topologySpreadConstraints"]
    budget, policy = only(objects, "PodDisruptionBudget")["spec"], only(objects, "NetworkPolicy")["spec"]
    selectors = [deployment["selector"], term["labelSelector"], spread["labelSelector"], budget["selector"]]
    for selector in (service["selector"], *(one["matchLabels"] for one in (*selectors, policy["podSelector"]))):
        assert selector
        assert selector.items() <= labels
    (container,) = deployment["template"]["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"probes": 8080, "metrics": 9090}
    assert {port["targetPort"] for port in service["ports"]} <= ports.keys()
    assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "probes"}
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "probes"}


def test_every_container_is_restricted(objects: list[dict[str, Any]]) -> None:
    pod = pod_of(objects)
    context = pod["securityContext"]
    assert context["runAsNonRoot"] is True
    assert context["runAsUser"] == context["runAsGroup"] == 65532
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
    assert all("hostPath" not in volume for volume in pod["volumes"])
    for container in pod["containers"] + pod.get("initContainers", []):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


def test_openshift_chooses_the_user(helm: Helm) -> None:
    """Its restricted profile refuses every user that is not of the namespace's own range."""
    context = pod_of(helm.template("--api-versions", "security.openshift.io/v1"))["securityContext"]
    assert context == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}


def test_a_drain_takes_one_replica_at_a_time_and_is_never_held_up(objects: list[dict[str, Any]]) -> None:
    budget = only(objects, "PodDisruptionBudget")["spec"]
    assert budget["maxUnavailable"] == 1
    assert budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


def test_only_probes_and_metrics_get_in(objects: list[dict[str, Any]]) -> None:
    policy = only(objects, "NetworkPolicy")["spec"]
    assert policy["policyTypes"] == ["Ingress"], "what it may reach is limited by those who know their BMCs"
    assert [rule["ports"] for rule in policy["ingress"]] == [[{"port": "probes"}], [{"port": "metrics"}]]


def test_the_way_out_can_be_limited_to_what_it_needs(helm: Helm) -> None:
    limited = {
        "enabled": True,
        "apiServer": {"cidrs": ["10.0.0.10/32"], "ports": [6443]},
        "bmcs": [{"cidr": "10.0.9.0/24", "ports": [443], "udpPorts": [623]}],
        "storage": [{"namespace": "piraeus-datastore", "ports": [3370]}],
    }
    objects = helm.template("--set-json", f"networkPolicy.egress={json.dumps(limited)}")
    policy = only(objects, "NetworkPolicy")["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    namespace = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "piraeus-datastore"}}}
    assert policy["egress"] == [
        {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]},
        {"ports": [{"port": 6443}], "to": [{"ipBlock": {"cidr": "10.0.0.10/32"}}]},
        {"to": [{"ipBlock": {"cidr": "10.0.9.0/24"}}], "ports": [{"port": 443}, {"port": 623, "protocol": "UDP"}]},
        {"to": [namespace], "ports": [{"port": 3370}]},
    ]


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ("networkPolicy.egress.enabled=true", r"bmcs is empty.* could fence nothing\. List the BMCs"),
        (
            "networkPolicy.egress.enabled=true,networkPolicy.egress.bmcs[0].cidr=10.0.9.7/32,"
            "networkPolicy.egress.bmcs[0].ports={443},storage.provider=Linstor",
            r"storage is empty.* asks its controller\. List it",
        ),
    ],
)
def test_a_way_out_that_is_too_narrow_is_refused(helm: Helm, settings: str, complaint: str) -> None:
    with pytest.raises(HelmError, match=complaint):
        helm.template("--set", settings)


def test_the_operator_outlives_a_node(objects: list[dict[str, Any]]) -> None:
    assert only(objects, "Deployment")["spec"]["replicas"] == 2
    tolerations = {toleration["key"]: toleration for toleration in pod_of(objects)["tolerations"]}
    assert tolerations["node.kubernetes.io/not-ready"]["tolerationSeconds"] == 5
    assert tolerations["node.kubernetes.io/unreachable"]["tolerationSeconds"] == 5
    assert tolerations["node-role.kubernetes.io/control-plane"]["effect"] == "NoSchedule"
    assert not [toleration for toleration in tolerations.values() if "key" not in toleration], "tolerates everything"


def test_no_rule_has_a_wildcard(objects: list[dict[str, Any]]) -> None:
    for _, rule in rules_of(objects):
        assert not {"*"} & {*rule["apiGroups"], *rule["resources"], *rule["verbs"]}, rule
        assert "nonResourceURLs" not in rule


def test_what_could_start_a_second_instance_is_not_granted(objects: list[dict[str, Any]]) -> None:
    assert grants(objects, "nodes") == {"everywhere": {"get", "list", "watch", "patch"}}
    assert grants(objects, "virtualmachineinstances") == {"everywhere": {"get", "list", "watch"}}


def test_secrets_are_read_in_the_operators_namespace_only(objects: list[dict[str, Any]]) -> None:
    assert grants(objects, "secrets") == {NAMESPACE: {"get"}}


def test_secrets_can_be_limited_to_names(helm: Helm) -> None:
    limited = helm.template("--set", "rbac.secretNames={bmc-a,bmc-b}")
    (rule,) = [rule for _, rule in rules_of(limited) if "secrets" in rule["resources"]]
    assert rule["resourceNames"] == ["bmc-a", "bmc-b"]


def test_only_the_leaders_lease_can_be_changed(objects: list[dict[str, Any]]) -> None:
    assert grants(objects, "leases") == {
        NAMESPACE: {"create", "get", "update"},
        "kube-node-lease": {"list", "watch"},
        "everywhere": {"get"},
    }
    (of_others,) = [
        rule for place, rule in rules_of(objects) if place == "everywhere" and "leases" in rule["resources"]
    ]
    assert of_others["resourceNames"] == ["virt-controller"]
    (named,) = [rule for place, rule in rules_of(objects) if place == NAMESPACE and "update" in rule["verbs"]]
    assert named["resourceNames"] == ["avance-operator"]


def test_every_binding_leads_to_its_role_and_to_the_service_account(objects: list[dict[str, Any]]) -> None:
    account = only(objects, "ServiceAccount")["metadata"]
    roles = {
        (role["kind"], role["metadata"].get("namespace"), role["metadata"]["name"]) for role in operators_roles(objects)
    }
    bindings = of_kind(objects, "ClusterRoleBinding") + of_kind(objects, "RoleBinding")
    bound = {(b["roleRef"]["kind"], b["metadata"].get("namespace"), b["roleRef"]["name"]) for b in bindings}
    assert bound == roles
    for binding in bindings:
        assert binding["subjects"] == [
            {"kind": "ServiceAccount", "name": account["name"], "namespace": account["namespace"]}
        ]
    assert pod_of(objects)["serviceAccountName"] == account["name"]


def test_people_get_rights_by_the_clusters_own_roles(helm: Helm, objects: list[dict[str, Any]]) -> None:
    def merged_into(rendered: list[dict[str, Any]]) -> dict[str, set[str]]:
        prefix = "rbac.authorization.k8s.io/aggregate-to-"
        roles = [
            role["metadata"] for role in of_kind(rendered, "ClusterRole") if role["metadata"]["name"] in USER_ROLES
        ]
        return {
            role["name"]: {label.removeprefix(prefix) for label in role["labels"] if label.startswith(prefix)}
            for role in roles
        }

    assert merged_into(objects) == {
        "avance-view": {"view", "edit", "admin"},
        "avance-edit": {"edit", "admin"},
        "avance-admin": {"admin"},
        "avance-attest": set(),
        "avance-cli": set(),
    }
    assert set().union(*merged_into(helm.template("--set", "rbac.aggregate=false")).values()) == set()


def test_definitions_are_installed_whole(objects: list[dict[str, Any]]) -> None:
    generated = [yaml.safe_load(path.read_text()) for path in sorted((CHART.parents[1] / "crds").glob("*.yaml"))]
    rendered = sorted(of_kind(objects, "CustomResourceDefinition"), key=lambda crd: str(crd["metadata"]["name"]))
    assert [crd["spec"] for crd in rendered] == [crd["spec"] for crd in generated]


def test_definitions_are_kept_unless_told_otherwise(helm: Helm, objects: list[dict[str, Any]]) -> None:
    def policies(rendered: list[dict[str, Any]]) -> list[str | None]:
        definitions = of_kind(rendered, "CustomResourceDefinition")
        return [crd["metadata"].get("annotations", {}).get("helm.sh/resource-policy") for crd in definitions]

    assert policies(objects) == ["keep"] * 3
    assert policies(helm.template("--set", "crds.keep=false")) == [None] * 3
    assert policies(helm.template("--set", "crds.enabled=false")) == []


def test_the_operator_can_be_stopped_by_a_value(helm: Helm) -> None:
    stopped = helm.template("--set", "replicas=0")
    assert only(stopped, "Deployment")["spec"]["replicas"] == 0


def test_an_existing_service_account_can_be_used(helm: Helm) -> None:
    objects = helm.template("--set", "serviceAccount.create=false,serviceAccount.name=robot")
    assert not of_kind(objects, "ServiceAccount")
    assert pod_of(objects)["serviceAccountName"] == "robot"
    with pytest.raises(HelmError, match=r"serviceAccount\.name must name an existing ServiceAccount"):
        helm.template("--set", "serviceAccount.create=false")


def test_extra_objects_are_templates(helm: Helm) -> None:
    values = '[{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"{{ .Release.Name }}-extra"}}]'
    (extra,) = of_kind(helm.template("--set-json", f"extraObjects={values}"), "ConfigMap")
    assert extra["metadata"]["name"] == "avance-extra"


def test_the_notes_say_what_to_do_next(helm: Helm) -> None:
    notes = helm.run("install", RELEASE, str(CHART), "--namespace", NAMESPACE, "--dry-run=client")
    for command in ("rollout status deployment/avance", "label node", "create secret generic", "describe pair"):
        assert command in notes
    assert "KubeVirt is not there yet" in notes
    assert "replicas: 1" not in notes


def test_the_notes_warn_of_a_single_replica(helm: Helm) -> None:
    settings = ["--namespace", NAMESPACE, "--dry-run=client", "--set", "replicas=1"]
    assert "nobody acts until" in helm.run("install", RELEASE, str(CHART), *settings)
