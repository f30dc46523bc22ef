"""`python -m bench.scale [--pairs 1000]`: one operator, many pairs, on a real API server.

Loads a quiet fleet (a pair: two nodes, eight VMs with VirtualMachine, instance and launcher pod), keeps every node's
Lease renewed, and starts the operator under the rights that the chart gives it. Measured: how long it takes to be ready
and to have looked at every pair, its memory, its processor time at rest, and the time from a Node condition to the
migrations that answer it, beside the same for a bare watch that answers with one POST.

Limits: no KubeVirt acts on what is written, no BMC is polled, and everything shares this machine: API server, etcd,
2,000 kubelets' renewals and the operator.
"""
# ruff: noqa: T201 - it talks to a person

from __future__ import annotations

import argparse
import asyncio
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

import aiohttp

from bench import fleet, reaction
from e2e.controlplane import Api, ApiError, ControlPlane, ServerProcess, ensure_binaries, free_port, wait_until
from e2e.kubevirt.crds import definitions
from e2e.lab.install import NAMESPACE, SERVICE_ACCOUNT, install_chart, until_served

READY_BUDGET_S = 15.0
MEMORY_BUDGET_MIB = 512
REACTION_BUDGET_S = 1.0
PARALLEL = 50
VMS = f"/apis/kubevirt.io/v1/namespaces/{fleet.NAMESPACE}"
PROTECTED_VMS = f"/apis/avance.dev/v1alpha1/namespaces/{fleet.NAMESPACE}/protectedvms"
KUBEVIRTS = f"/apis/kubevirt.io/v1/namespaces/{fleet.KUBEVIRT}/kubevirts"
PAIRS = "/apis/avance.dev/v1alpha1/avancepairs"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=1000, help="how many pairs (default: 1000)")
    parser.add_argument("--samples", type=int, default=20, help="how many pairs get a fault, one by one (default: 20)")
    parser.add_argument("--profile", type=Path, help="write here where the operator spends its processor time")
    chosen = parser.parse_args()
    if chosen.pairs < 2 * chosen.samples:
        parser.error("--pairs must be at least twice --samples: half of them fail one by one, half at once")
    return asyncio.run(_run(chosen.pairs, chosen.samples, chosen.profile))


async def _run(pairs: int, samples: int, profile: Path | None) -> int:
    directory = Path(tempfile.mkdtemp(prefix="avance-bench-"))
    plane = ControlPlane(directory, await ensure_binaries())
    servers: list[ServerProcess] = []
    try:
        await plane.start()
        await _install(plane, directory)
        servers.append(await _start_kubelets(plane, directory, pairs))
        await _load(plane.api, pairs)
        operator = Operator(plane, profile)
        servers.append(await operator.start())
        within = await _measure(plane.api, operator, pairs, samples)
    finally:
        for server in reversed(servers):
            await server.stop(grace=30)
        await plane.stop()
    shutil.rmtree(directory)
    return 0 if within else 1


class Operator:
    """The operator's process, and what it says about itself."""

    def __init__(self, plane: ControlPlane, profile: Path | None) -> None:
        self._plane = plane
        self._profile = profile
        self._probe_port, self._metrics_port = free_port(), free_port()
        self._process: ServerProcess
        self.started_at = 0.0

    async def start(self) -> ServerProcess:
        """Started, not yet ready."""
        kubeconfig = await self._plane.service_account_kubeconfig(NAMESPACE, SERVICE_ACCOUNT)
        program = ["bench.sampler", self._profile.resolve()] if self._profile else ["avance"]
        environment = {"KUBECONFIG": str(kubeconfig), "POD_NAMESPACE": NAMESPACE, "POD_NAME": "bench"}
        self.started_at = time.monotonic()
        self._process = await self._plane.processes.start(
            "operator", sys.executable, "-m", *program, "operator", "--host", "127.0.0.1",
            "--probe-port", self._probe_port, "--metrics-port", self._metrics_port, environment=environment,
        )  # fmt: skip
        return self._process

    async def seconds_until(self, reached: Callable[[], Awaitable[bool]]) -> float:
        """Seconds from its start until it is that far."""
        await self._process.wait_ready(reached, timeout=300)
        return time.monotonic() - self.started_at

    async def ready(self) -> bool:
        return (await _get(f"http://127.0.0.1:{self._probe_port}/readyz"))[0] == 200

    async def metric(self, name: str) -> float:
        """A metric without labels; 0 before it is there."""
        text = (await _get(f"http://127.0.0.1:{self._metrics_port}/metrics"))[1]
        return next((float(line.split()[1]) for line in text.splitlines() if line.startswith(f"{name} ")), 0.0)

    def memory_mib(self, field: str) -> int:
        """`VmRSS` (now) or `VmHWM` (the most so far)."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(next(line.split()[1] for line in status.splitlines() if line.startswith(field))) // 1024

    def cpu_seconds(self) -> float:
        """Processor time used so far."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100


async def _measure(api: Api, operator: Operator, pairs: int, samples: int) -> bool:
    ready = await operator.seconds_until(operator.ready)

    async def looked() -> bool:
        return await operator.metric("avance_plan_duration_seconds_count") >= pairs

    everything = await operator.seconds_until(looked)
    told = await operator.seconds_until(lambda: _all_told(api))
    print(f"{pairs} pairs, {2 * pairs} nodes, {8 * pairs} VMs")
    within = [
        _line("watches begun (/readyz)", ready, READY_BUDGET_S),
        _line("every pair looked at once", everything, READY_BUDGET_S),
    ]
    print(f"  {'every status written':<44}{told:8.2f} s")
    print(f"  {'processor time until then':<44}{operator.cpu_seconds():8.2f} s")
    before, began = operator.cpu_seconds(), time.monotonic()
    await asyncio.sleep(10)
    share = (operator.cpu_seconds() - before) / (time.monotonic() - began)
    print(f"  {'processor at rest':<44}{share:8.0%}")
    within += await _reactions(api, pairs, samples)
    most = operator.memory_mib("VmHWM")
    print(
        f"  {'memory at most':<44}{most:8} MiB   budget {MEMORY_BUDGET_MIB} MiB  {_verdict(most < MEMORY_BUDGET_MIB)}"
    )
    return all([*within, most < MEMORY_BUDGET_MIB])


async def _reactions(api: Api, pairs: int, samples: int) -> list[bool]:
    single = list(range(0, pairs, max(1, pairs // samples)))[:samples]
    burst = [number + 1 for number in single]
    async with reaction.Arrivals(api) as arrivals:
        floor = statistics.median(await reaction.bare(api, arrivals, samples))
        first, last = await reaction.one_by_one(api, arrivals, single)
        burst_first, burst_last = await reaction.all_at_once(api, arrivals, burst)
    print(f"  {'bare watch and one POST, median':<44}{floor:8.3f} s")
    ratio = statistics.median(first) / floor
    within = [
        _spread("condition to the first migration of a pair", first, floor),
        _spread("condition to the last of its 8", last, floor),
    ]
    _spread(f"first, {samples} pairs at the same moment", burst_first, floor)
    _spread(f"last, {samples} pairs at the same moment", burst_last, floor)
    print(f"  {'first migration beside the bare watch':<44}{ratio:8.1f} x")
    return within


def _spread(what: str, seconds: Iterable[float], floor: float) -> bool:
    ordered = sorted(seconds)
    middle, worst = statistics.median(ordered), ordered[-1]
    print(
        f"  {what:<44}{middle:8.3f} s  worst {worst:.3f} s  {middle / floor:5.1f} x floor"
        f"   budget {REACTION_BUDGET_S:g} s  {_verdict(worst < REACTION_BUDGET_S)}"
    )
    return worst < REACTION_BUDGET_S


def _line(what: str, seconds: float, budget: float) -> bool:
    print(f"  {what:<44}{seconds:8.2f} s   budget {budget:g} s  {_verdict(seconds < budget)}")
    return seconds < budget


def _verdict(good: bool) -> str:
    return "met" if good else "MISSED"


async def _all_told(api: Api) -> bool:
    listing = await api.get(PAIRS)
    return all("conditions" in (pair.get("status") or {}) for pair in listing["items"])


async def _get(url: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, await response.text()


# --- the fleet --------------------------------------------------------------------------------------------------------


async def _install(plane: ControlPlane, directory: Path) -> None:
    for crd in (*definitions(), fleet.answer_for_virt_api()):
        body = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", **crd}
        await plane.api.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", body)
    await install_chart(plane.binaries.helm, plane.kubeconfig, directory)
    await until_served(plane.api)
    for namespace in (fleet.NAMESPACE, fleet.KUBEVIRT):
        await plane.api.post("/api/v1/namespaces", {"metadata": {"name": namespace}})

    async def served() -> bool:
        try:
            await plane.api.get(reaction.MIGRATIONS)
            await plane.api.get(f"/api/v1/namespaces/{fleet.NAMESPACE}/serviceaccounts/default")
        except ApiError:
            return False
        return True

    await wait_until(served, 30, "KubeVirt's kinds and the fleet's namespace")
    await plane.api.post(KUBEVIRTS, fleet.kubevirt())


async def _start_kubelets(plane: ControlPlane, directory: Path, pairs: int) -> ServerProcess:
    names = directory / "nodes"
    names.write_text("\n".join(name for number in range(pairs) for name in fleet.node_names(number)))
    return await plane.processes.start("kubelets", sys.executable, "-m", "bench.kubelets", plane.kubeconfig, names)


async def _load(api: Api, pairs: int) -> None:
    began, gate = time.monotonic(), asyncio.Semaphore(PARALLEL)

    async def post(path: str, body: dict[str, Any]) -> Any:
        async with gate:
            return await api.post(path, body)

    await asyncio.gather(*(_load_pair(post, number) for number in range(pairs)))
    seconds = time.monotonic() - began
    objects = pairs * (1 + 2 + 4 * fleet.VMS_PER_PAIR)
    print(f"loaded {objects} objects in {seconds:.0f} s", flush=True)


async def _load_pair(post: Callable[[str, dict[str, Any]], Awaitable[Any]], number: int) -> None:
    await asyncio.gather(
        *(post(reaction.NODES, fleet.node(name, fleet.pair_name(number))) for name in fleet.node_names(number)),
        post(PAIRS, fleet.pair(number)),
    )
    await asyncio.gather(*(_load_vm(post, number, name) for name in fleet.vm_names(number)))


async def _load_vm(post: Callable[[str, dict[str, Any]], Awaitable[Any]], number: int, name: str) -> None:
    vm = fleet.machine(number, await post(PROTECTED_VMS, fleet.protected_vm(number, name)))
    vmi = fleet.instance(number, await post(f"{VMS}/virtualmachines", vm))
    pod = fleet.launcher(number, await post(f"{VMS}/virtualmachineinstances", vmi))
    await post(f"/api/v1/namespaces/{fleet.NAMESPACE}/pods", pod)


if __name__ == "__main__":
    sys.exit(main())
