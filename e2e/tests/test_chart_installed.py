"""The chart on a real API server: installed, its admission policy, what its RBAC allows, removed, installed again."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from e2e.controlplane import Api, ApiError, ControlPlane, wait_until
from e2e.lab.install import until_noted
from e2e.tests.chart import CHART, NAMESPACE, RELEASE, Helm, HelmError
from e2e.tests.chart_plane import with_the_chart

pytestmark = pytest.mark.asyncio(loop_scope="session")

OPERATOR = f"system:serviceaccount:{NAMESPACE}:avance"
ACTIONS = "/apis/avance.dev/v1alpha1/avanceactions"
PEOPLE = {"vera": "view", "eddy": "edit", "anna": "admin", "otto": "avance-attest"}
"""Who is bound to which role: in the whole cluster, and in namespace `shop` under the same name with `-of-shop`."""
OF_ONES_WORD = ("AttestOff", "AcceptReplacement", "ResetMTBF")


@dataclass(frozen=True)
class Cluster:
    """A control plane on which the release is installed, in a namespace that admits restricted pods only."""

    plane: ControlPlane
    api: Api
    helm: Helm
    alice: Api
    """An administrator, by name."""
    operator: Api
    """The operator's service account."""

    async def run_helm(self, *arguments: str) -> str:
        return await asyncio.to_thread(self.helm.run, *arguments, "--namespace", NAMESPACE)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    async with with_the_chart(tmp_path_factory.mktemp("cluster")) as (plane, helm):
        credentials = await plane.service_account_kubeconfig(NAMESPACE, "avance")
        async with (
            await plane.client_for("alice", ["system:masters"]) as alice,
            await Api.from_kubeconfig(credentials) as operator,
        ):
            await wait_until(lambda: is_served(plane.api), 30, "AvanceActions served")
            await wait_until(lambda: is_refused_by_policy(alice, action("nobody")), 30, "the admission policy in force")
            await until_noted(plane.api)
            await bind_people(plane.api)
            yield Cluster(plane, plane.api, helm, alice, operator)


async def is_served(api: Api) -> bool:
    try:
        await api.get(ACTIONS)
    except ApiError:
        return False
    return True


async def is_refused_by_policy(api: Api, body: dict[str, Any]) -> bool:
    """A new policy takes a moment to reach the API server's admission chain."""
    try:
        await api.post(ACTIONS, body, dryRun="All")
    except ApiError as refusal:
        return "requestedby.avance.dev" in str(refusal)
    return False


def action(requested_by: str | None, kind: str = "Fence") -> dict[str, Any]:
    spec = {"pairRef": {"name": "p"}, "type": kind, "target": {"kind": "Node", "name": "node-a"}}
    spec |= {"message": "node-a lies unplugged on my desk"} if kind in OF_ONES_WORD else {}
    if requested_by is not None:
        spec["requestedBy"] = requested_by
    return {
        "apiVersion": "avance.dev/v1alpha1",
        "kind": "AvanceAction",
        "metadata": {"generateName": "fence-"},
        "spec": spec,
    }


async def test_its_pods_are_admitted_by_the_restricted_profile(cluster: Cluster) -> None:
    async def has_both() -> bool:
        pods = await cluster.api.get(f"/api/v1/namespaces/{NAMESPACE}/pods")
        return len(pods["items"]) == 2

    await wait_until(has_both, 30, "two pods of the operator")


@pytest.mark.parametrize("name", ["bob", OPERATOR])
async def test_nobody_asks_in_the_name_of_another(cluster: Cluster, name: str | None) -> None:
    with pytest.raises(ApiError, match='write requestedBy: "alice"'):
        await cluster.alice.post(ACTIONS, action(name))


async def test_everybody_asks_in_their_own_name(cluster: Cluster) -> None:
    created = await cluster.alice.post(ACTIONS, action("alice"))
    assert created["spec"]["requestedBy"] == "alice"
    assert (await cluster.alice.post(ACTIONS, action(None)))["spec"]["requestedBy"] == "alice"
    written_ahead = await cluster.operator.post(ACTIONS, action(OPERATOR))
    assert written_ahead["spec"]["requestedBy"] == OPERATOR


async def bind_people(api: Api) -> None:
    """Returns when the control plane has merged the chart's roles into its own."""
    await api.post("/api/v1/namespaces", {"metadata": {"name": "shop"}})
    for name, role in PEOPLE.items():
        for user, path in ((name, ""), (f"{name}-of-shop", "namespaces/shop/")):
            kind = "RoleBinding" if path else "ClusterRoleBinding"
            body = {
                "metadata": {"name": user},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
                "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
            }
            await api.post(f"/apis/rbac.authorization.k8s.io/v1/{path}{kind.lower()}s", body)

    async def merged() -> bool:
        checks = [("vera", "get"), ("eddy", "get"), ("anna", "get"), ("otto", "attest")]
        return all([await may(api, user, verb, "avanceactions") for user, verb in checks])

    await wait_until(merged, 30, "the chart's roles are part of view, edit and admin")


async def may(api: Api, user: str, verb: str, resource: str, namespace: str = "") -> bool:
    return await is_allowed(api, verb, "avance.dev", resource, namespace, user=user)


# By resource: who may read, write, and ask; the namespace is that of a request for a ProtectedVM.
RIGHTS = [
    ("get", "avancepairs", "", {"vera", "eddy", "anna"}),
    ("patch", "avancepairs", "", {"anna"}),
    ("get", "protectedvms", "till", {"vera", "eddy", "anna"}),
    ("create", "protectedvms", "till", {"eddy", "anna"}),
    (
        "delete",
        "protectedvms",
        "shop",
        {"eddy", "anna", "eddy-of-shop", "anna-of-shop"},
    ),
    ("patch", "protectedvms/status", "shop", {"otto", "otto-of-shop"}),
    ("patch", "avancepairs/status", "", set()),
    ("list", "avanceactions", "", {"vera", "eddy", "anna"}),
    ("create", "avanceactions", "", {"anna", "otto"}),
    ("attest", "avanceactions", "", {"otto"}),
    ("patch", "avanceactions", "", set()),
    ("patch", "avanceactions/status", "", set()),
    ("delete", "avanceactions", "", set()),
]


async def test_who_may_do_what(cluster: Cluster) -> None:
    users = [user for name in PEOPLE for user in (name, f"{name}-of-shop")]
    for verb, resource, namespace, expected in RIGHTS:
        allowed = {user for user in users if await may(cluster.api, user, verb, resource, namespace)}
        assert allowed == expected, (verb, resource, namespace)


@pytest.mark.parametrize("kind", OF_ONES_WORD)
async def test_only_who_may_attest_gives_their_word_for_a_server(cluster: Cluster, kind: str) -> None:
    async with await cluster.plane.client_for("anna") as anna, await cluster.plane.client_for("otto") as otto:
        assert (await anna.post(ACTIONS, action("anna"), dryRun="All"))["spec"]["type"] == "Fence"
        with pytest.raises(ApiError, match=rf'{kind} is .* "anna" may not: ask for the ClusterRole avance-attest'):
            await anna.post(ACTIONS, action("anna", kind), dryRun="All")
        assert (await otto.post(ACTIONS, action("otto", kind), dryRun="All"))["spec"]["type"] == kind
    with pytest.raises(ApiError, match="may not: ask for"):
        await cluster.operator.post(ACTIONS, action(OPERATOR, kind), dryRun="All")


ALLOWED = [
    ("list", "avance.dev", "avancepairs", ""),
    ("patch", "avance.dev", "protectedvms/status", "default"),
    ("create", "avance.dev", "avanceactions", ""),
    ("patch", "kubevirt.io", "virtualmachines", "default"),
    ("create", "kubevirt.io", "virtualmachineinstancemigrations", "default"),
    ("update", "subresources.kubevirt.io", "virtualmachines/restart", "default"),
    ("delete", "", "pods", "default"),
    ("patch", "", "nodes", ""),
    ("get", "", "secrets", NAMESPACE),
    ("create", "coordination.k8s.io", "leases", NAMESPACE),
    ("watch", "coordination.k8s.io", "leases", "kube-node-lease"),
]
DENIED = [
    ("delete", "", "nodes", ""),
    ("patch", "kubevirt.io", "virtualmachineinstances", "default"),
    ("patch", "avance.dev", "avancepairs", ""),
    ("patch", "avance.dev", "avanceactions", ""),
    ("get", "", "secrets", "default"),
    ("list", "", "secrets", NAMESPACE),
    ("update", "coordination.k8s.io", "leases", NAMESPACE),
    ("patch", "coordination.k8s.io", "leases", "kube-node-lease"),
    ("create", "", "pods", NAMESPACE),
    ("create", "rbac.authorization.k8s.io", "clusterroles", ""),
    ("attest", "avance.dev", "avanceactions", ""),
]


async def is_allowed(
    api: Api, verb: str, group: str, resource: str, namespace: str, name: str = "", user: str = OPERATOR
) -> bool:
    kind, _, subresource = resource.partition("/")
    attributes = {"verb": verb, "group": group, "resource": kind, "subresource": subresource}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": user, "resourceAttributes": attributes | {"namespace": namespace, "name": name}},
    }
    answer = await api.post("/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
    return bool(answer["status"]["allowed"])


@pytest.mark.parametrize(("verb", "group", "resource", "namespace"), ALLOWED)
async def test_the_operator_may(cluster: Cluster, verb: str, group: str, resource: str, namespace: str) -> None:
    assert await is_allowed(cluster.api, verb, group, resource, namespace)


@pytest.mark.parametrize(("verb", "group", "resource", "namespace"), DENIED)
async def test_the_operator_may_not(cluster: Cluster, verb: str, group: str, resource: str, namespace: str) -> None:
    assert not await is_allowed(cluster.api, verb, group, resource, namespace)


async def test_the_operator_may_renew_its_own_lease_alone(cluster: Cluster) -> None:
    lease = ("update", "coordination.k8s.io", "leases", NAMESPACE)
    assert await is_allowed(cluster.api, *lease, name="avance-operator")
    assert not await is_allowed(cluster.api, *lease, name="another")


async def test_a_second_operator_can_not_be_installed(cluster: Cluster) -> None:
    with pytest.raises(HelmError, match="exists and cannot be imported"):
        await cluster.run_helm("install", "second", str(CHART), "--set", "crds.enabled=false")


async def test_removal_keeps_the_objects_and_a_new_installation_finds_them(cluster: Cluster) -> None:
    kept = await cluster.alice.post(ACTIONS, action("alice"))
    await cluster.run_helm("uninstall", RELEASE, "--wait")
    with pytest.raises(ApiError, match="not found"):
        await cluster.api.get("/apis/rbac.authorization.k8s.io/v1/clusterroles/avance-operator")
    assert await cluster.api.get(f"{ACTIONS}/{kept['metadata']['name']}") == kept
    await cluster.run_helm("install", RELEASE, str(CHART))
    assert await cluster.api.get("/apis/rbac.authorization.k8s.io/v1/clusterroles/avance-operator")
