"""The Kubernetes adapter on a real API server: verbs, preconditions, every class of error, and BMC credentials."""

import asyncio
import base64
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from kubernetes.aio.config import incluster_config

from avance.api.fence_node import FenceNode
from avance.fencing.agent import FencingError
from avance.fencing.credentials import FenceAgents
from avance.kube.client import Kube
from avance.kube.errors import AlreadyExists, ApiError, Conflict, Forbidden, Invalid, NotFound, Unavailable
from avance.kube.resources import EVENTS, NODES, PODS, SECRETS, Resource
from avance.kube.taints import NodeChange, set_taints, taints_of, with_taint, without_taint
from e2e.controlplane import ControlPlane, ensure_binaries
from e2e.controlplane.processes import free_port
from e2e.tests.server_signals import server_pid

CONFIG_MAPS = Resource("", "v1", "configmaps", True, "ConfigMap")
NAMESPACES = Resource("", "v1", "namespaces", False, "Namespace")
NS = "default"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def plane(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ControlPlane]:
    plane = ControlPlane(tmp_path_factory.mktemp("plane"), await ensure_binaries())
    try:
        await plane.start()
        yield plane
    finally:
        await plane.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def kube(plane: ControlPlane) -> AsyncIterator[Kube]:
    kube = await Kube.connect(str(plane.kubeconfig))
    yield kube
    await kube.close()


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": NS}, "data": data}


async def test_an_object_is_made_read_replaced_and_deleted(kube: Kube) -> None:
    made = await kube.create(CONFIG_MAPS, config_map("life", key="1"), NS)
    assert await kube.get(CONFIG_MAPS, "life", NS) == made
    with pytest.raises(AlreadyExists):
        await kube.create(CONFIG_MAPS, config_map("life"), NS)

    replaced = await kube.replace(CONFIG_MAPS, {**made, "data": {"key": "2"}})
    assert replaced["data"] == {"key": "2"}
    with pytest.raises(Conflict):
        await kube.replace(CONFIG_MAPS, {**made, "data": {"key": "3"}})

    await kube.delete(CONFIG_MAPS, "life", NS)
    with pytest.raises(NotFound):
        await kube.get(CONFIG_MAPS, "life", NS)
    with pytest.raises(NotFound):
        await kube.delete(CONFIG_MAPS, "life", NS)
    await kube.delete(CONFIG_MAPS, "life", NS, missing_ok=True)


async def test_a_dry_run_writes_nothing(kube: Kube) -> None:
    before = await kube.create(CONFIG_MAPS, config_map("dry", key="1"), NS)
    changed = {**before, "data": {"key": "2"}}
    assert (await kube.replace(CONFIG_MAPS, changed, dry_run=True))["data"] == {"key": "2"}
    await kube.patch_merge(CONFIG_MAPS, "dry", {"data": {"key": "2"}}, NS, dry_run=True)
    await kube.patch_json(CONFIG_MAPS, "dry", [{"op": "remove", "path": "/data"}], NS, dry_run=True)
    await kube.apply(CONFIG_MAPS, config_map("dry", other="2"), field_manager="test", dry_run=True)
    await kube.delete(CONFIG_MAPS, "dry", NS, dry_run=True)
    await kube.create(CONFIG_MAPS, config_map("never"), NS, dry_run=True)
    assert await kube.get(CONFIG_MAPS, "dry", NS) == before
    with pytest.raises(NotFound):
        await kube.get(CONFIG_MAPS, "never", NS)


async def test_a_list_of_several_pages_is_whole(kube: Kube) -> None:
    for number in range(7):
        body = config_map(f"page-{number}")
        body["metadata"]["labels"] = {"test.example/page": "odd" if number % 2 else "even"}
        await kube.create(CONFIG_MAPS, body, NS)
    listing = await kube.list(CONFIG_MAPS, NS, label_selector="test.example/page in (odd, even)", page_size=2)
    assert [item["metadata"]["name"] for item in listing.items] == [f"page-{number}" for number in range(7)]
    assert {(item["apiVersion"], item["kind"]) for item in listing.items} == {("v1", "ConfigMap")}
    assert int(listing.resource_version) > 0
    odd = await kube.list(CONFIG_MAPS, label_selector="test.example/page=odd")
    assert len(odd.items) == 3
    one = await kube.list(CONFIG_MAPS, NS, field_selector="metadata.name=page-3")
    assert len(one.items) == 1


async def test_a_list_whose_snapshot_is_compacted_away_starts_over(plane: ControlPlane, kube: Kube) -> None:
    arguments = Path(f"/proc/{server_pid(plane, 'kube-apiserver')}/cmdline").read_text().split("\0")
    [etcd] = (argument.partition("=")[2] for argument in arguments if argument.startswith("--etcd-servers="))
    answers: list[int] = []

    class Compacting(Kube):
        """After the first page, the past goes away."""

        async def _request(self, method: str, path: str, **options: Any) -> dict[str, Any]:
            try:
                page = await super()._request(method, path, **options)
            except ApiError as error:
                answers.append(error.status)
                raise
            if not answers:
                newest = await kube.create(CONFIG_MAPS, config_map("newest"), NS)
                await compact(etcd, int(newest["metadata"]["resourceVersion"]))
            answers.append(200)
            return page

    event = {  # of all kinds events alone: the API server keeps no snapshots of its own of them
        "metadata": {"generateName": "snapshot-", "labels": {"test": "snapshot"}},
        "eventTime": "2026-11-23T08:00:00.000000Z",
        "reportingController": "test",
        "reportingInstance": "test",
        "action": "Test",
        "reason": "Test",
        "type": "Normal",
        "regarding": {"kind": "Pod", "namespace": NS, "name": "none"},
    }
    for _ in range(5):
        await kube.create(EVENTS, event, NS)
    listing = await Compacting(kube._api).list(EVENTS, NS, label_selector="test=snapshot", page_size=2)
    assert 410 in answers
    assert len(listing.items) == 5


async def compact(etcd: str, revision: int) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{etcd}/v3/kv/compaction", json={"revision": str(revision), "physical": True}) as response,
    ):
        assert response.status == 200, await response.text()


async def test_patches_and_their_preconditions(kube: Kube) -> None:
    first = await kube.create(CONFIG_MAPS, config_map("patched", a="1", b="1"), NS)
    version = first["metadata"]["resourceVersion"]
    second = await kube.patch_merge(
        CONFIG_MAPS, "patched", {"metadata": {"resourceVersion": version}, "data": {"a": "2", "b": None}}, NS
    )
    assert second["data"] == {"a": "2"}
    with pytest.raises(Conflict):
        await kube.patch_merge(
            CONFIG_MAPS, "patched", {"metadata": {"resourceVersion": version}, "data": {"a": "3"}}, NS
        )

    third = await kube.patch_json(CONFIG_MAPS, "patched", [{"op": "add", "path": "/data/c", "value": "3"}], NS)
    assert third["data"] == {"a": "2", "c": "3"}
    stale = {"op": "replace", "path": "/metadata/resourceVersion", "value": version}
    with pytest.raises(Conflict):
        await kube.patch_json(CONFIG_MAPS, "patched", [stale, {"op": "remove", "path": "/data/c"}], NS)
    with pytest.raises(Invalid):
        await kube.patch_json(CONFIG_MAPS, "patched", [{"op": "test", "path": "/data/c", "value": "4"}], NS)


async def test_apply_owns_its_fields_and_no_others(kube: Kube) -> None:
    await kube.apply(CONFIG_MAPS, config_map("applied", ours="1", both="1"), field_manager="avance")
    await kube.apply(CONFIG_MAPS, config_map("applied", theirs="1"), field_manager="user")
    with pytest.raises(Conflict, match="both"):
        await kube.apply(CONFIG_MAPS, config_map("applied", theirs="1", both="2"), field_manager="user")
    await kube.apply(CONFIG_MAPS, config_map("applied", theirs="1", both="2"), field_manager="user", force=True)
    applied = await kube.apply(CONFIG_MAPS, config_map("applied"), field_manager="avance")
    assert applied["data"] == {"theirs": "1", "both": "2"}


async def test_the_status_is_written_apart_from_the_rest(kube: Kube) -> None:
    await kube.create(NODES, {"metadata": {"name": "status-node"}})
    condition = {"type": "FanProblem", "status": "True", "reason": "Broken", "message": "fan 2"}
    body = {
        "metadata": {"name": "status-node", "labels": {"never": "written"}},
        "status": {"conditions": [condition]},
    }
    written = await kube.apply(NODES, body, field_manager="detector", subresource="status")
    [fan] = (each for each in written["status"]["conditions"] if each["type"] == "FanProblem")
    assert condition.items() <= fan.items()
    healed = {"status": {"conditions": [{**condition, "status": "False"}]}}
    written = await kube.patch_merge(NODES, "status-node", healed, subresource="status")
    assert written["status"]["conditions"][0]["status"] == "False"
    await kube.delete(NODES, "status-node")


async def test_a_forced_delete_with_a_precondition(kube: Kube) -> None:
    """As a failover deletes a launcher pod: at once, and that very pod."""
    pod = {
        "metadata": {"name": "launcher"},
        "spec": {"nodeName": "gone", "containers": [{"name": "guest", "image": "none"}]},
    }
    made = await kube.create(PODS, pod, NS)
    with pytest.raises(Conflict):
        await kube.delete(PODS, "launcher", NS, uid="another", grace_period_seconds=0)
    await kube.delete(PODS, "launcher", NS)
    terminating = await kube.get(PODS, "launcher", NS)  # nobody is there to end it
    assert terminating["metadata"]["deletionTimestamp"]
    await kube.delete(PODS, "launcher", NS, uid=made["metadata"]["uid"], grace_period_seconds=0)
    with pytest.raises(NotFound):
        await kube.get(PODS, "launcher", NS)


async def test_a_subresource_takes_any_answer(kube: Kube) -> None:
    namespace = await kube.create(NAMESPACES, {"metadata": {"name": "verbs"}})
    path = NAMESPACES.path(name="verbs", subresource="finalize")
    assert (await kube.subresource_put(path, namespace))["metadata"]["name"] == "verbs"
    with pytest.raises(Invalid):
        await kube.subresource_put(path)
    with pytest.raises(NotFound):
        await kube.subresource_put("/apis/subresources.kubevirt.io/v1/namespaces/default/virtualmachines/vm/restart")


async def test_bad_content_is_invalid_and_says_why(kube: Kube) -> None:
    with pytest.raises(Invalid, match=r"Not_A_Name"):
        await kube.create(CONFIG_MAPS, config_map("Not_A_Name"), NS)
    with pytest.raises(Invalid):
        await kube.create(CONFIG_MAPS, {**config_map("x"), "data": "text"}, NS)


async def test_a_service_account_is_told_what_it_may_not_do(plane: ControlPlane) -> None:
    credentials = await plane.service_account_kubeconfig(NS, "default")
    stranger = await Kube.connect(str(credentials))
    try:
        assert await stranger.whoami() == "system:serviceaccount:default:default"
        with pytest.raises(Forbidden, match="cannot list resource"):
            await stranger.list(NODES)
    finally:
        await stranger.close()


async def test_connecting_by_environment(plane: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(plane.kubeconfig))
    kube = await Kube.connect()
    assert await kube.whoami() == "lab-admin"
    await kube.close()


async def test_connecting_as_a_pod(plane: ControlPlane, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    answer = await plane.api.post(f"/api/v1/namespaces/{NS}/serviceaccounts/default/token", {"spec": {}})
    (tmp_path / "token").write_text(answer["status"]["token"])
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(plane.ca.certificate))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", plane.url.rpartition(":")[2])
    kube = await Kube.connect()
    assert await kube.whoami() == "system:serviceaccount:default:default"
    await kube.close()


async def test_nobody_answers(plane: ControlPlane, tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(plane.kubeconfig.read_text().replace(plane.url, f"https://127.0.0.1:{free_port()}"))
    nobody = await Kube.connect(str(kubeconfig))
    with pytest.raises(Unavailable, match="GET /api/v1/nodes"):
        await nobody.list(NODES)
    await nobody.close()


async def test_a_hanging_api_server_costs_the_timeout_and_no_more(plane: ControlPlane) -> None:
    impatient = await Kube.connect(str(plane.kubeconfig), timeout=0.5)
    await impatient.whoami()
    server = server_pid(plane, "kube-apiserver")
    os.kill(server, signal.SIGSTOP)
    try:
        started = time.monotonic()
        with pytest.raises(Unavailable, match=r"no answer within 0.5 s"):
            await impatient.whoami()
        assert time.monotonic() - started < 2
    finally:
        os.kill(server, signal.SIGCONT)
    await impatient.whoami()
    await impatient.close()


async def test_concurrent_writers_of_taints_lose_nothing(kube: Kube) -> None:
    await kube.create(NODES, {"metadata": {"name": "tainted-node"}})
    keys = [f"example.com/writer-{number}" for number in range(6)]

    async def add(key: str) -> dict[str, Any]:
        taint = {"key": key, "effect": "NoSchedule"}
        return await set_taints(
            kube, "tainted-node", lambda node: NodeChange(taints=with_taint(taints_of(node), taint), labels={key: "1"})
        )

    for key, written in zip(keys, await asyncio.gather(*map(add, keys)), strict=True):
        assert key in {taint["key"] for taint in taints_of(written)}
    node = await kube.get(NODES, "tainted-node")
    assert set(keys) <= {taint["key"] for taint in taints_of(node)}
    assert set(keys) <= set(node["metadata"]["labels"])

    cordoned = await set_taints(
        kube,
        "tainted-node",
        lambda node: NodeChange(taints=without_taint(taints_of(node), keys[0]), unschedulable=True),
    )
    assert cordoned["spec"]["unschedulable"] is True
    assert keys[0] not in {taint["key"] for taint in taints_of(cordoned)}
    assert keys[1] in {taint["key"] for taint in taints_of(cordoned)}
    await kube.delete(NODES, "tainted-node")


async def test_a_writer_that_never_gets_through_gives_up(kube: Kube) -> None:
    await kube.create(NODES, {"metadata": {"name": "busy-node"}})
    asked = []

    def mutate(node: dict[str, Any]) -> NodeChange:
        asked.append(node["metadata"]["resourceVersion"])
        node["metadata"]["resourceVersion"] = "1"  # as if another were always faster
        return NodeChange(unschedulable=True)

    with pytest.raises(Conflict):
        await set_taints(kube, "busy-node", mutate, attempts=3)
    assert len(asked) == 3
    await kube.delete(NODES, "busy-node")


def secret(**data: bytes) -> dict[str, Any]:
    encoded = {key.replace("_", "."): base64.b64encode(value).decode() for key, value in data.items()}
    return {"metadata": {"name": "bmc-a", "namespace": NS}, "data": encoded}


async def test_a_changed_password_means_a_new_agent(kube: Kube) -> None:
    agents = FenceAgents(kube, NS)
    entry = FenceNode(name="node-a", address="https://127.0.0.1:1", credentials_secret_name="bmc-a")
    with pytest.raises(FencingError, match="Secret default/bmc-a does not exist: create it"):
        await agents.agent(entry, 1.0)
    made = await kube.create(SECRETS, secret(username=b"admin"), NS)
    with pytest.raises(FencingError, match="has no key password: add it"):
        await agents.agent(entry, 1.0)
    made = await kube.replace(SECRETS, {**made, **{"data": secret(username=b"admin", password=b"\xff")["data"]}})
    with pytest.raises(FencingError, match="is not text"):
        await agents.agent(entry, 1.0)

    made = await kube.replace(SECRETS, {**made, "data": secret(username=b"admin", password=b"1")["data"]})
    first = await agents.agent(entry, 1.0)
    assert await agents.agent(entry, 1.0) is first
    made = await kube.replace(SECRETS, {**made, "data": secret(username=b"admin", password=b"2")["data"]})
    second = await agents.agent(entry, 1.0)
    assert second is not first
    assert await agents.agent(entry, 2.0) is not second  # a changed entry counts as well
    await agents.close()


async def test_a_secret_that_may_not_be_read(plane: ControlPlane) -> None:
    stranger = await Kube.connect(str(await plane.service_account_kubeconfig(NS, "default")))
    entry = FenceNode(name="node-a", address="https://127.0.0.1:1", credentials_secret_name="bmc-a")
    with pytest.raises(FencingError, match=r"may not be read .* allow the operator to get it"):
        await FenceAgents(stranger, NS).agent(entry, 1.0)
    await stranger.close()
