"""How long from a Node condition to the migration objects that answer it: the operator's, and a bare watch's."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from bench import fleet
from e2e.controlplane import Api
from e2e.controlplane.client import STRATEGIC

MIGRATIONS = f"/apis/kubevirt.io/v1/namespaces/{fleet.NAMESPACE}/virtualmachineinstancemigrations"
ALL_MIGRATIONS = "/apis/kubevirt.io/v1/virtualmachineinstancemigrations"
NODES = "/api/v1/nodes"
LONGEST_S = 120.0
BARE = "bare"
"""Prefix of the nodes that no pair has: the bare watch answers for them."""


class Arrivals:
    """Sees migration objects come, by one watch, and remembers when each VM's first one did."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._seen: dict[str, float] = {}
        self._waiting: dict[str, list[asyncio.Event]] = defaultdict(list)
        self._watching: asyncio.Task[None]

    async def __aenter__(self) -> Self:
        listing = await self._api.get(ALL_MIGRATIONS)
        self._watching = asyncio.create_task(self._watch(listing["metadata"]["resourceVersion"]))
        return self

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._watching.cancel()
        with suppress(asyncio.CancelledError):
            await self._watching

    async def of(self, vms: list[str]) -> list[float]:
        """When the migration of each of these VMs came, in order of time. Raises TimeoutError."""
        async with asyncio.timeout(LONGEST_S):
            for vm in vms:
                if vm not in self._seen:
                    event = asyncio.Event()
                    self._waiting[vm].append(event)
                    await event.wait()
        return sorted(self._seen[vm] for vm in vms)

    async def _watch(self, version: str) -> None:
        async for event in self._api.watch(ALL_MIGRATIONS, resourceVersion=version):
            if event["type"] != "ADDED":
                continue
            vm = event["object"]["spec"]["vmiName"]
            self._seen.setdefault(vm, time.monotonic())
            for waiting in self._waiting.pop(vm, ()):
                waiting.set()


async def one_by_one(api: Api, arrivals: Arrivals, numbers: list[int]) -> tuple[list[float], list[float]]:
    """Seconds to the first and to the last migration of each of these pairs, when one fault comes at a time."""
    answers = [await _break(api, arrivals, number) for number in numbers]
    return [first for first, _ in answers], [last for _, last in answers]


async def all_at_once(api: Api, arrivals: Arrivals, numbers: list[int]) -> tuple[list[float], list[float]]:
    """The same when the faults of all these pairs come at the same moment."""
    answers = await asyncio.gather(*(_break(api, arrivals, number) for number in numbers))
    return [first for first, _ in answers], [last for _, last in answers]


async def bare(api: Api, arrivals: Arrivals, times: int) -> list[float]:
    """Seconds for a watch that answers with one POST, without thinking: the floor."""
    for index in range(times):
        await api.post(NODES, fleet.node(f"{BARE}-{index}", ""))
    version = (await api.get(NODES, limit="1"))["metadata"]["resourceVersion"]
    answering = asyncio.create_task(_answer(api, version))
    try:
        seconds = []
        for index in range(times):
            began = time.monotonic()
            await _set_fault(api, f"{BARE}-{index}")
            seconds.append((await arrivals.of([f"{BARE}-{index}"]))[0] - began)
        return seconds
    finally:
        answering.cancel()
        with suppress(asyncio.CancelledError):
            await answering


async def _break(api: Api, arrivals: Arrivals, number: int) -> tuple[float, float]:
    """A power supply of the node that holds the pair's VMs fails; counted from before the detector writes it."""
    began = time.monotonic()
    await _set_fault(api, fleet.node_names(number)[0])
    came = await arrivals.of(fleet.vm_names(number))
    return came[0] - began, came[-1] - began


async def _set_fault(api: Api, node: str) -> None:
    fault = fleet.condition("PowerSupplyProblem", "True", fleet.moment(), "component=PSU2 state=failed detail=no input")
    await api.patch(f"{NODES}/{node}/status", {"status": {"conditions": [fault]}}, STRATEGIC)


async def _answer(api: Api, version: str) -> None:
    answered: set[str] = set()
    async for event in api.watch(NODES, resourceVersion=version):
        node: dict[str, Any] = event["object"]
        name = node["metadata"].get("name", "")
        conditions = node.get("status", {}).get("conditions") or ()
        faulty = any(each["type"] == "PowerSupplyProblem" and each["status"] == "True" for each in conditions)
        if faulty and name.startswith(BARE) and name not in answered:
            answered.add(name)
            migration = {
                "apiVersion": "kubevirt.io/v1",
                "kind": "VirtualMachineInstanceMigration",
                "metadata": {"name": name},
                "spec": {"vmiName": name},
            }
            await api.post(MIGRATIONS, migration)
