"""Servers and their kubelets: identity, death, reboot, partition, and what a kubelet must leave alone."""

import asyncio
import json
import os
import signal

import pytest

from e2e.controlplane import Api, wait_until
from e2e.hardware import (
    Hardware,
    HardwareError,
    HardwareEvent,
    Healed,
    NodeBooted,
    NodeDied,
    Partitioned,
    PrivateLinkChanged,
)
from e2e.lab import Lab
from e2e.tests.conftest import boot, until_ready
from e2e.tests.nodes import condition, create_pod, delete_pod, patch_condition, pod_phase, until_running
from e2e.tests.server_signals import server_pid

LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"


async def test_a_node_tells_its_servers_identity_and_capacity(hardware: Hardware, api: Api) -> None:
    for name, server in hardware.servers.items():
        status = (await api.get(f"/api/v1/nodes/{name}"))["status"]
        assert status["nodeInfo"]["systemUUID"] == server.uuid
        assert status["nodeInfo"]["bootID"] == hardware.boot_id(name)
        assert status["capacity"]["cpu"] == str(server.cpus)
        assert status["capacity"]["memory"] == f"{server.memory_gib}Gi"
    taints = (await api.get("/api/v1/nodes/cp-0"))["spec"]["taints"]
    assert [taint["key"] for taint in taints] == ["node-role.kubernetes.io/control-plane"]


async def test_every_node_has_a_kubelets_lease(hardware: Hardware, api: Api) -> None:
    leases = (await api.get(LEASES))["items"]
    told = {lease["metadata"]["name"]: lease["spec"] for lease in leases}
    assert {name: spec["holderIdentity"] for name, spec in told.items()} == {name: name for name in hardware.servers}
    assert {spec["leaseDurationSeconds"] for spec in told.values()} == {40}
    assert {lease["metadata"]["ownerReferences"][0]["kind"] for lease in leases} == {"Node"}


async def test_a_kubelet_that_ends_by_itself_is_started_again(bare_lab: Lab, hardware: Hardware, api: Api) -> None:
    """As systemd does it: a server that lives has a kubelet."""
    os.kill(server_pid(bare_lab.control_plane, "kwok-node-b"), signal.SIGKILL)
    await create_pod(api, "after-it", "node-b")
    await until_running(api, "after-it")
    await delete_pod(api, "after-it")


async def test_a_crash_ends_the_kubelet_and_a_boot_brings_a_new_boot_id(
    bare_lab: Lab, hardware: Hardware, api: Api
) -> None:
    before = hardware.boot_id("node-b")
    await hardware.crash("node-b")
    renewed = await _lease_renewal(api, "node-b")
    assert not hardware.alive("node-b")
    assert not hardware.api_reachable("node-b")
    assert "kwok-node-b" not in _processes(bare_lab)
    await create_pod(api, "on-dead", "node-b")
    await create_pod(api, "on-living", "node-a")
    await until_running(api, "on-living")
    assert await pod_phase(api, "on-dead") == "Pending"
    assert await _lease_renewal(api, "node-b") == renewed
    await boot(hardware, "node-b")
    await until_ready(api, hardware)
    assert hardware.boot_id("node-b") != before
    await until_running(api, "on-dead")
    assert await _lease_renewal(api, "node-b") > renewed
    for pod in ("on-dead", "on-living"):
        await delete_pod(api, pod)


async def test_a_partitioned_node_lives_but_its_kubelet_is_not_heard(bare_lab: Lab, hardware: Hardware) -> None:
    boot_id = hardware.boot_id("node-a")
    await hardware.partition("node-a")
    assert hardware.alive("node-a")
    assert not hardware.api_reachable("node-a")
    assert "kwok-node-a" not in _processes(bare_lab)
    await hardware.heal("node-a")
    assert hardware.api_reachable("node-a")
    assert "kwok-node-a" in _processes(bare_lab)
    assert hardware.boot_id("node-a") == boot_id


async def test_a_node_that_reboots_while_partitioned_stays_partitioned(
    bare_lab: Lab, hardware: Hardware, api: Api
) -> None:
    before = hardware.boot_id("node-a")
    await hardware.partition("node-a")
    await hardware.power_cut("node-a")
    await boot(hardware, "node-a")
    assert hardware.alive("node-a")
    assert not hardware.api_reachable("node-a")
    assert (await api.get("/api/v1/nodes/node-a"))["status"]["nodeInfo"]["bootID"] == before
    await hardware.heal("node-a")
    await until_ready(api, hardware)


async def test_power_lost_again_while_booting_leaves_the_node_dead(hardware: Hardware) -> None:
    events: list[HardwareEvent] = []
    await hardware.power_cut("node-b")
    hardware.subscribe(events.append)
    await hardware.power_on("node-b")
    await hardware.power_cut("node-b")
    assert not hardware.booting("node-b")
    assert not hardware.alive("node-b")
    await boot(hardware, "node-b")
    assert [type(event) for event in events] == [NodeBooted]


async def test_listeners_hear_of_every_change_at_once(hardware: Hardware) -> None:
    events: list[HardwareEvent] = []
    hardware.subscribe(events.append)
    await hardware.partition("node-b")
    await hardware.heal("node-b")
    await hardware.cut_private_link()
    await hardware.restore_private_link()
    await hardware.crash("node-b")
    await boot(hardware, "node-b")
    assert events == [
        Partitioned("node-b"),
        Healed("node-b"),
        PrivateLinkChanged("", up=False),
        PrivateLinkChanged("", up=True),
        NodeDied("node-b"),
        NodeBooted("node-b", hardware.boot_id("node-b")),
    ]


async def test_kubelets_leave_launcher_pods_alone(hardware: Hardware, api: Api) -> None:
    await create_pod(api, "launcher", "node-a", {"kubevirt.io": "virt-launcher"})
    await create_pod(api, "ordinary", "node-a")
    await until_running(api, "ordinary")
    assert await pod_phase(api, "launcher") == "Pending"
    await api.delete("/api/v1/namespaces/default/pods/launcher")
    await api.delete("/api/v1/namespaces/default/pods/ordinary")

    async def names() -> set[str]:
        return {pod["metadata"]["name"] for pod in (await api.get("/api/v1/namespaces/default/pods"))["items"]}

    async def ordinary_gone() -> bool:
        return "ordinary" not in await names()

    await wait_until(ordinary_gone, 10, "ordinary pod gone")
    assert "launcher" in await names()
    await delete_pod(api, "launcher")


async def test_kubelets_leave_foreign_conditions_alone(hardware: Hardware, api: Api) -> None:
    await patch_condition(api, "node-b", "RackOnFire", "True")
    await hardware.crash("node-b")
    await _as_after_the_grace_period(api, "node-b")
    await boot(hardware, "node-b")
    await until_ready(api, hardware)
    assert (await condition(api, "node-b", "RackOnFire"))["status"] == "True"


async def test_a_node_object_that_was_deleted_is_registered_again_at_boot(hardware: Hardware, api: Api) -> None:
    await hardware.power_cut("node-b")
    await api.delete("/api/v1/nodes/node-b")
    await boot(hardware, "node-b")

    async def registered() -> bool:
        nodes = (await api.get("/api/v1/nodes"))["items"]
        return "node-b" in [node["metadata"]["name"] for node in nodes]

    await wait_until(registered, 10, "node-b registered")
    await until_ready(api, hardware)


@pytest.mark.parametrize(
    ("action", "message"),
    [
        ("h.crash('node-c')", "unknown node 'node-c': use one of node-a, node-b, cp-0"),
        ("h.power_on('node-a')", "node-a is already on"),
        ("h.heal('node-a')", "node-a is not partitioned"),
        ("h.set_bmc_mode('cp-0', 'hang')", "'cp-0' has no BMC: use one of node-a, node-b"),
        ("h.set_bmc_mode('node-a', 'grumpy')", "unknown BMC mode 'grumpy': use one of normal, refuse"),
        ("h.fail_component('cp-0', 'Fan', 'fan1')", "unknown pair node 'cp-0': use one of node-a, node-b"),
        ("h.fail_component('node-a', 'Flux', 'f1')", "unknown component kind 'Flux': use one of PowerSupply, Fan"),
        ("h.fail_component('node-a', 'Fan', 'fan 1')", "use a name without spaces"),
        ("h.fail_component('node-a', 'PeerUnreachable', 'x')", "follows from other faults: use power-cut"),
        ("h.repair_component('node-a', 'Fan', 'fan1')", "fan1 of node-a has not failed"),
    ],
)
async def test_what_is_impossible_is_refused_with_advice(hardware: Hardware, action: str, message: str) -> None:
    with pytest.raises(HardwareError, match=message):
        await eval(action, {"h": hardware})


async def _as_after_the_grace_period(api: Api, node: str) -> None:
    """What the node lifecycle controller writes 50 s after the last heartbeat."""
    await patch_condition(api, node, "Ready", "Unknown")
    while (await condition(api, node, "Ready"))["status"] != "Unknown":
        await asyncio.sleep(0.05)


async def _lease_renewal(api: Api, node: str) -> str:
    return str((await api.get(f"{LEASES}/{node}"))["spec"]["renewTime"])


def _processes(lab: Lab) -> set[str]:
    record = json.loads((lab.state_dir / "processes.json").read_text())
    return {entry["name"] for entry in record["processes"].values()}
