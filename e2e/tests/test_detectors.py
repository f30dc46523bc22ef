"""The detectors on a real API server: their pods, what their service account may write, and the watch itself."""

import asyncio
import json
import os
import shlex
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from detectors.node_status import Access, ApiError, NodeStatus
from e2e.controlplane import ControlPlane, wait_until
from e2e.tests.chart import NAMESPACE
from e2e.tests.chart_plane import with_the_chart
from e2e.tests.test_chart_detectors import ENABLED

pytestmark = pytest.mark.asyncio(loop_scope="session")

ACCOUNT = "avance-detectors"
DOCS = Path(__file__).parents[2] / "docs" / "detectors.md"
NODES = ("node-a", "node-b", "elsewhere")


@dataclass(frozen=True)
class Cluster:
    """A control plane with the release and its nodes; the kubelets are missing, so no pod runs."""

    plane: ControlPlane
    access: Access
    """The API server, as the pod of the detectors on node-a."""

    async def condition(self, node: str, type_: str) -> dict[str, Any]:
        found = await self.plane.api.get(f"/api/v1/nodes/{node}")
        return next((each for each in found["status"].get("conditions", []) if each["type"] == type_), {})


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    async def as_documented(plane: ControlPlane) -> None:
        await plane.kubectl(*documented("label namespace"))
        for name in NODES:
            await plane.api.post("/api/v1/nodes", node(name))

    directory = tmp_path_factory.mktemp("cluster")
    async with with_the_chart(directory, *ENABLED, before=as_documented) as (plane, _):
        token = directory / "token"
        token.write_text(await token_of_the_pod_on(plane, "node-a"))
        cluster = Cluster(plane, Access(plane.url, token, plane.ca.certificate))

        async def in_force() -> bool:
            return bool(await refused(cluster, "node-b", "CPUProblem"))

        await wait_until(in_force, 30, "the admission policy in force")
        yield cluster


def documented(words: str) -> list[str]:
    """The arguments of the kubectl command of docs/detectors.md that begins with these words."""
    (line,) = [line for line in DOCS.read_text().splitlines() if line.startswith(f"$ kubectl {words}")]
    return shlex.split(line)[2:]


def node(name: str) -> dict[str, Any]:
    labels = {"kubernetes.io/os": "linux"} | ({"avance.dev/pair": "shop"} if name != "elsewhere" else {})
    room = {"cpu": "4", "memory": "8Gi", "pods": "110"}
    return {"metadata": {"name": name, "labels": labels}, "status": {"capacity": room, "allocatable": room}}


async def pods(plane: ControlPlane) -> dict[str, str]:
    """The detectors' pods by node."""
    selector = {"labelSelector": "app.kubernetes.io/component=detectors"}
    found = await plane.api.get(f"/api/v1/namespaces/{NAMESPACE}/pods", **selector)
    return {pod["spec"]["nodeName"]: pod["metadata"]["name"] for pod in found["items"] if pod["spec"].get("nodeName")}


async def token_of_the_pod_on(plane: ControlPlane, node: str) -> str:
    """A token as the kubelet gets it: bound to the pod, and so to its node."""

    async def scheduled() -> bool:
        return node in await pods(plane)

    await wait_until(scheduled, 60, f"the detectors' pod on {node}")
    pod = {"kind": "Pod", "apiVersion": "v1", "name": (await pods(plane))[node]}
    path = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{ACCOUNT}/token"
    answer = await plane.api.post(path, {"spec": {"expirationSeconds": 3600, "boundObjectRef": pod}})
    return str(answer["status"]["token"])


async def refused(cluster: Cluster, node: str, type_: str) -> str:
    """What the API server says to a report on that node; empty if it takes it."""
    condition = {"type": type_, "status": "True", "reason": "Test", "message": "a test"}
    try:
        await asyncio.to_thread(NodeStatus(cluster.access, node).patch, [condition])
    except ApiError as refusal:
        return str(refusal)
    return ""


async def test_they_run_on_the_nodes_of_the_pair_and_nowhere_else(cluster: Cluster) -> None:
    async def on_both() -> bool:
        return set(await pods(cluster.plane)) == {"node-a", "node-b"}

    await wait_until(on_both, 60, "a pod on each node of the pair")


async def test_a_detector_reports_on_its_own_node_only(cluster: Cluster) -> None:
    assert "reports on the node that it runs on" in await refused(cluster, "node-b", "FanProblem")
    assert await cluster.condition("node-b", "FanProblem") == {}
    assert await refused(cluster, "node-a", "FanProblem") == ""
    assert (await cluster.condition("node-a", "FanProblem"))["status"] == "True"


async def test_a_detector_does_not_speak_for_the_kubelet(cluster: Cluster) -> None:
    assert "this condition is the kubelet's" in await refused(cluster, "node-a", "Ready")


async def test_the_conditions_as_the_docs_list_them(cluster: Cluster) -> None:
    assert await refused(cluster, "node-a", "DiskProblem") == ""
    assert "DiskProblem=True a test\n" in await cluster.plane.kubectl(*documented("get node node-a"))


async def test_the_watch_reports_through_the_real_api_server(cluster: Cluster, tmp_path: Path) -> None:
    """Its own loopback stands for the private link; the peer of the second run is an address that nobody has."""
    if os.geteuid() != 0:
        pytest.skip("pings need root")
    settings = tmp_path / "settings.json"

    async def run(peer: str) -> asyncio.subprocess.Process:
        way = {"name": "node-b", "private_interface": "lo", "private_address": peer, "public_address": peer}
        settings.write_text(json.dumps({"nodes": {"node-a": {"peer": way}}}))
        access = cluster.access
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "detectors.watch", "--node", "node-a", "--settings", settings,
            "--api-server", access.url, "--token", str(access.token), "--certificate-authority", str(access.authority),
        )  # fmt: skip

    async def says(status: str) -> None:
        async def so() -> bool:
            told = [await cluster.condition("node-a", type_) for type_ in ("PeerUnreachable", "PrivateLinkProblem")]
            return all(each.get("status") == status for each in told)

        await wait_until(so, 30, f"both conditions {status}")

    for peer, status in (("127.0.0.1", "False"), ("240.0.0.1", "True")):
        watch = await run(peer)
        try:
            await says(status)
            since = (await cluster.condition("node-a", "PeerUnreachable"))["lastTransitionTime"]
        finally:
            watch.kill()
            await watch.wait()
    watch = await run("240.0.0.1")
    try:
        await asyncio.sleep(3)  # longer than it takes to report: what must not change cannot be awaited
        assert (await cluster.condition("node-a", "PeerUnreachable"))["lastTransitionTime"] == since
        watch.terminate()
        await says("Unknown")
    finally:
        if watch.returncode is None:
            watch.kill()
        await watch.wait()
