"""The control plane is a real one: authorization, controllers, scheduler and aggregation do their work."""

import ssl
from pathlib import Path

import pytest
from aiohttp import web

from e2e.controlplane import Api, ApiError, ControlPlane, wait_until
from e2e.controlplane.kubeconfig import cluster_of, write_kubeconfig
from e2e.lab import Lab
from e2e.tests.nodes import create_pod, delete_pod, until_running

RBAC = "/apis/rbac.authorization.k8s.io/v1"


@pytest.fixture
def control_plane(bare_lab: Lab) -> ControlPlane:
    return bare_lab.control_plane


async def test_an_unknown_user_may_do_nothing_until_a_role_is_bound(control_plane: ControlPlane) -> None:
    async with await control_plane.client_for("jane", ("developers",)) as jane:
        with pytest.raises(ApiError, match='User "jane" cannot list resource "nodes"') as refused:
            await jane.get("/api/v1/nodes")
        assert refused.value.status == 403
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "system:node-reader-test"}
        group = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "developers"}
        rules = [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["list"]}]
        await control_plane.api.post(f"{RBAC}/clusterroles", {"metadata": {"name": role["name"]}, "rules": rules})
        binding = {"metadata": {"name": role["name"]}, "roleRef": role, "subjects": [group]}
        await control_plane.api.post(f"{RBAC}/clusterrolebindings", binding)

        async def allowed() -> bool:
            try:
                return len((await jane.get("/api/v1/nodes"))["items"]) == 3
            except ApiError:
                return False

        await wait_until(allowed, 5, "jane may list nodes")


async def test_a_client_without_credentials_may_do_nothing(control_plane: ControlPlane, tmp_path: Path) -> None:
    kubeconfig = write_kubeconfig(tmp_path / "nobody", cluster_of(control_plane.kubeconfig), "nobody", {})
    async with await Api.from_kubeconfig(kubeconfig) as nobody:
        with pytest.raises(ApiError, match=r'403 Forbidden.*"system:anonymous"'):
            await nobody.get("/api/v1/nodes")


async def test_a_service_account_token_is_that_account(control_plane: ControlPlane) -> None:
    kubeconfig = await control_plane.service_account_kubeconfig("default", "default")
    async with await Api.from_kubeconfig(kubeconfig) as account:
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        answer = await account.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", review)
    assert answer["status"]["userInfo"]["username"] == "system:serviceaccount:default:default"


async def test_a_kubelet_may_not_touch_another_node(control_plane: ControlPlane) -> None:
    async with await control_plane.client_for("system:node:node-a", ("system:nodes",)) as kubelet:
        await kubelet.patch("/api/v1/nodes/node-a", {"metadata": {"labels": {"example.com/mine": "yes"}}})
        with pytest.raises(ApiError, match="is not allowed to modify node"):
            await kubelet.patch("/api/v1/nodes/node-b", {"metadata": {"labels": {"example.com/mine": "yes"}}})


async def test_controllers_and_scheduler_make_a_deployment_run_on_the_pair(control_plane: ControlPlane) -> None:
    api = control_plane.api
    labels = {"app": "web"}
    template = {
        "metadata": {"labels": labels},
        "spec": {"containers": [{"name": "main", "image": "registry.invalid/web:1"}]},
    }
    deployment = {
        "metadata": {"name": "web"},
        "spec": {"replicas": 2, "selector": {"matchLabels": labels}, "template": template},
    }
    path = "/apis/apps/v1/namespaces/default/deployments"
    await api.post(path, deployment)

    async def available() -> bool:
        return bool((await api.get(f"{path}/web"))["status"].get("availableReplicas") == 2)

    await wait_until(available, 20, "two replicas available")
    pods = (await api.get("/api/v1/namespaces/default/pods", labelSelector="app=web"))["items"]
    assert {pod["spec"]["nodeName"] for pod in pods} == {"node-a", "node-b"}  # cp-0 is tainted
    await api.delete(f"{path}/web", {"propagationPolicy": "Background"})

    async def gone() -> bool:
        return not (await api.get("/api/v1/namespaces/default/pods", labelSelector="app=web"))["items"]

    await wait_until(gone, 20, "pods of the deployment gone")


async def test_an_aggregated_api_on_localhost_is_reached_as_the_user(control_plane: ControlPlane) -> None:
    callers: list[tuple[str, str]] = []

    async def answer(request: web.Request) -> web.Response:
        transport = request.transport
        assert transport is not None
        subject = dict(part[0] for part in transport.get_extra_info("peercert")["subject"])
        callers.append((subject["commonName"], request.headers["X-Remote-User"]))
        resources = {
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": "demo.example.com/v1",
            "resources": [],
        }
        return web.json_response(resources)

    serving = control_plane.ca.issue_serving("demo-api")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(control_plane.front_proxy_ca.certificate))
    tls.verify_mode = ssl.CERT_REQUIRED
    tls.load_cert_chain(serving.certificate, serving.key)
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    await _register_api(control_plane, port=runner.addresses[0][1])

    async def answered() -> bool:
        try:
            return bool((await control_plane.api.get("/apis/demo.example.com/v1"))["kind"] == "APIResourceList")
        except ApiError:
            return False

    try:
        await wait_until(answered, 30, "the aggregated API answers")
        assert ("front-proxy-client", "lab-admin") in callers
    finally:
        await control_plane.api.delete("/apis/apiregistration.k8s.io/v1/apiservices/v1.demo.example.com")
        await runner.cleanup()


async def _register_api(control_plane: ControlPlane, port: int) -> None:
    service = {"metadata": {"name": "demo-api"}, "spec": {"type": "ExternalName", "externalName": "localhost"}}
    await control_plane.api.post("/api/v1/namespaces/default/services", service)
    spec = {
        "group": "demo.example.com",
        "version": "v1",
        "groupPriorityMinimum": 1000,
        "versionPriority": 10,
        "service": {"namespace": "default", "name": "demo-api", "port": port},
        "insecureSkipTLSVerify": True,
    }
    body = {"metadata": {"name": "v1.demo.example.com"}, "spec": spec}
    await control_plane.api.post("/apis/apiregistration.k8s.io/v1/apiservices", body)


async def test_two_control_planes_share_nothing(bare_lab: Lab, control_plane: ControlPlane) -> None:
    other = ControlPlane(bare_lab.state_dir / "second", control_plane.binaries)
    await other.start()
    try:
        assert other.url != control_plane.url
        assert (await other.api.get("/api/v1/nodes"))["items"] == []
        mixed = bare_lab.state_dir / "mixed"
        mixed.write_text(other.kubeconfig.read_text().replace(other.url, control_plane.url))
        async with await Api.from_kubeconfig(mixed) as stranger:
            with pytest.raises(OSError, match="certificate verify failed"):
                await stranger.get("/api/v1/nodes")
    finally:
        await other.stop()


async def test_pods_run_on_a_node_and_end(control_plane: ControlPlane) -> None:
    await create_pod(control_plane.api, "one", "node-a")
    await until_running(control_plane.api, "one")
    await delete_pod(control_plane.api, "one")
