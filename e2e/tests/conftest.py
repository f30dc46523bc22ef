"""The hardware of the bare lab, repaired after each test."""

import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio

from e2e.controlplane import Api, wait_until
from e2e.hardware import Hardware, HardwareEvent
from e2e.lab import Lab
from e2e.tests.nodes import condition


@pytest_asyncio.fixture(loop_scope="session")
async def hardware(bare_lab: Lab) -> AsyncIterator[Hardware]:
    """Everything powered on, connected and whole, before the test and after it."""
    yield bare_lab.hardware
    await restore(bare_lab.hardware)
    await until_ready(bare_lab.control_plane.api, bare_lab.hardware)


@pytest_asyncio.fixture(loop_scope="session")
async def api(bare_lab: Lab) -> Api:
    """The bare lab's API server as administrator."""
    return bare_lab.control_plane.api


async def restore(hardware: Hardware) -> None:
    """Undoes every fault and returns when all servers have booted."""
    for node, server in hardware.servers.items():
        if node in hardware.bmcs:
            await hardware.set_bmc_mode(node, "normal")
        if server.partitioned:
            await hardware.heal(node)
        for kind, component in list(server.failed):
            await hardware.repair_component(node, kind, component)
    if not hardware.private_link_up:
        await hardware.restore_private_link()
    await asyncio.gather(*(boot(hardware, node) for node in hardware.servers))


async def boot(hardware: Hardware, node: str) -> None:
    """Powers a server on, if it is not alive, and awaits its boot."""
    if hardware.alive(node):
        return
    booted = asyncio.Event()

    def listener(event: HardwareEvent) -> None:
        if event.node == node and hardware.alive(node):
            booted.set()

    hardware.subscribe(listener)
    if not hardware.booting(node):
        await hardware.power_on(node)
    async with asyncio.timeout(10):
        await booted.wait()


async def until_ready(api: Api, hardware: Hardware) -> None:
    """The API server has seen the last boot of every node, and no condition is bad."""

    async def ready() -> bool:
        for name, server in hardware.servers.items():
            node = await api.get(f"/api/v1/nodes/{name}")
            if node["status"]["nodeInfo"]["bootID"] != server.boot_id:
                return False
            if (await condition(api, name, "Ready")).get("status") != "True":
                return False
            for each in node["status"]["conditions"]:
                physical = each["type"].endswith("Problem") or each["type"] == "PeerUnreachable"
                if physical and each["status"] != "False" and each["reason"] != "Manual":
                    return False
        return True

    await wait_until(ready, 20, "all nodes Ready and healthy")
