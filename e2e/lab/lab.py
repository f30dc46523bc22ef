"""A whole lab in this process: start it, break things, look at what physically happens, stop it.

Composes control plane, hardware, KubeVirt stand-in, chart and operators in that order. The command line drives the same
methods through a daemon; tests use `async with Lab("name") as lab`.
"""

import asyncio
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from e2e.cdi import Cdi
from e2e.controlplane import ControlPlane, ensure_binaries
from e2e.controlplane.processes import Processes, end_leftovers
from e2e.hardware import PAIR_NODES, Hardware
from e2e.kubevirt import KubeVirt
from e2e.lab.install import NAMESPACE, SERVICE_ACCOUNT, create_bmc_secrets, install_chart, until_noted, until_served
from e2e.lab.operator_process import OperatorProcess
from e2e.lab.state import LabError, lab_directory

__all__ = ["Lab", "LabError", "LabOptions"]

PAIR_LABEL = "avance.dev/pair"


@dataclass(frozen=True)
class LabOptions:
    """What a lab consists of. Times in seconds."""

    pair: str = "demo"
    """Value of the label avance.dev/pair on the two pair nodes; empty: not labelled."""
    kubevirt: bool = True
    """Whether the KubeVirt stand-in runs."""
    cdi: bool = True
    """Whether the CDI stand-in runs, beside KubeVirt's."""
    chart: bool = True
    """Whether the chart (CRDs, RBAC) is installed and the BMC Secrets are made."""
    operators: int = 1
    """How many operators run. Needs the chart."""
    boot_time: float = 2.0
    """From power to kernel."""
    reset_delay: float = 1.0
    """From a reset's acceptance by a BMC to its effect."""


class Lab:
    """Attributes once started: `control_plane`, `hardware`, `kubevirt` (None without it), `operators` by number."""

    def __init__(
        self,
        name: str = "default",
        options: LabOptions | None = None,
        say: Callable[[str], None] = lambda phase: None,
    ) -> None:
        self.name = name
        self.options = options or LabOptions()
        self.state_dir = lab_directory(name)
        self.operators: dict[int, OperatorProcess] = {}
        self.kubevirt: KubeVirt | None = None
        self.cdi: Cdi | None = None
        self.control_plane: ControlPlane
        self.hardware: Hardware
        self._say = say
        self._started: list[Any] = []

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Brings everything up in a fresh state directory; takes it down again if that fails."""
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Ends everything in the opposite order. Logs stay in the state directory."""
        await asyncio.gather(*(operator.stop() for operator in self.operators.values()))
        while self._started:
            await self._started.pop().stop()

    async def fail(
        self,
        node: str,
        kind: str,
        component: str,
        state: str = "failed",
        part: str = "",
        serial: str = "",
        detail: str = "",
    ) -> None:
        """A component of a pair node fails. `kind`: a Node condition's type or its friendly name (`PowerSupply`)."""
        await self.hardware.fail_component(node, kind, component, state=state, part=part, serial=serial, detail=detail)

    async def repair(self, node: str, kind: str, component: str) -> None:
        """A failed component is replaced by a good one."""
        await self.hardware.repair_component(node, kind, component)

    async def power_cut(self, node: str) -> None:
        """The server loses power; its BMC reads Off."""
        await self.hardware.power_cut(node)

    async def crash(self, node: str) -> None:
        """The kernel dies; the BMC still reads On."""
        await self.hardware.crash(node)

    async def power_on(self, node: str) -> None:
        """Somebody presses the power button."""
        await self.hardware.power_on(node)

    async def partition(self, node: str) -> None:
        """The node runs on but can't reach the API server."""
        await self.hardware.partition(node)

    async def heal(self, node: str) -> None:
        """Ends a partition."""
        await self.hardware.heal(node)

    async def cut_link(self) -> None:
        """The private link goes down."""
        await self.hardware.cut_private_link()

    async def restore_link(self) -> None:
        """The private link comes up."""
        await self.hardware.restore_private_link()

    async def bmc(self, node: str, mode: str) -> None:
        """How the node's BMC behaves from now on."""
        await self.hardware.set_bmc_mode(node, mode)

    async def guest(self, how: str, vm: str) -> None:
        """Something happens inside a guest. `how`: crash, hang, shutdown or panic; `vm`: NAMESPACE/NAME."""
        namespace, slash, name = vm.partition("/")
        if not slash:
            namespace, name = "default", vm
        faults = self._require_kubevirt().faults
        actions = {
            "crash": faults.crash_guest,
            "hang": faults.hang_guest,
            "shutdown": faults.shutdown_guest,
            "panic": faults.panic_guest,
        }
        actions[how](namespace, name)

    async def migrations(self, mode: str) -> None:
        """How live migrations go from now on: normal, fail or stall."""
        self._require_kubevirt().faults.set_migrations(mode)

    async def ledger(self) -> dict[str, Any]:
        """The guests that physically run, all that ever ran, and violations (a VM that ran twice at once)."""
        ledger = self._require_kubevirt().ledger
        return {"running": ledger.running(), "history": ledger.history(), "violations": ledger.violation_list()}

    async def operator(self, action: str, number: int = 1) -> None:
        """Starts, stops (SIGTERM) or kills (SIGKILL) the operator `number`."""
        running = self.operators.get(number)
        if action == "start":
            if running is not None and running.pid is not None:
                raise LabError(f"operator {number} is already running")
            self.operators[number] = await self._new_operator(number)
            await self.operators[number].start()
        elif running is None or running.pid is None:
            raise LabError(f"operator {number} is not running")
        else:
            await (running.kill() if action == "kill" else running.stop())

    async def status(self) -> dict[str, Any]:
        """What is physically true now."""
        hardware = self.hardware
        return {
            "private_link": "up" if hardware.private_link_up else "down",
            "nodes": {
                name: {
                    "power": str(server.power),
                    "kernel": "running" if server.alive else "dead",
                    "network": "partitioned" if server.partitioned else "connected",
                    "boot_id": server.boot_id,
                    "bmc": str(hardware.bmcs[name].mode) if name in hardware.bmcs else "none",
                    "failed": [f"{kind}: {fault}" for (kind, _), fault in sorted(server.failed.items())],
                }
                for name, server in hardware.servers.items()
            },
            "operators": {operator.name: operator.pid for operator in self.operators.values()},
            "options": asdict(self.options),
        }

    async def _start(self) -> None:
        if self.options.operators and not self.options.chart:
            raise LabError("an operator needs the chart: its ServiceAccount comes from there")
        binaries = await ensure_binaries()
        _clear(self.state_dir)
        self._say("control plane")
        operator = f"system:serviceaccount:{NAMESPACE}:{SERVICE_ACCOUNT}"
        self.control_plane = ControlPlane(self.state_dir, binaries, Processes(self.state_dir), audited=operator)
        await self._bring_up(self.control_plane)
        self._say("hardware")
        self.hardware = Hardware(self.control_plane, self.state_dir, self.options.boot_time, self.options.reset_delay)
        await self._bring_up(self.hardware)
        if self.options.pair:
            nodes = [f"node/{node}" for node in PAIR_NODES]
            await self.control_plane.kubectl("label", *nodes, f"{PAIR_LABEL}={self.options.pair}")
        if self.options.kubevirt and self.options.cdi:
            self._say("CDI stand-in")
            self.cdi = Cdi(self.control_plane)
            await self._bring_up(self.cdi)
        if self.options.kubevirt:
            self._say("KubeVirt stand-in")
            self.kubevirt = KubeVirt(self.control_plane, self.hardware, self.state_dir)
            await self._bring_up(self.kubevirt)
        if self.options.chart:
            self._say("chart")
            await install_chart(binaries.helm, self.control_plane.kubeconfig, self.state_dir)
            await until_served(self.control_plane.api)
            await until_noted(self.control_plane.api)
            await create_bmc_secrets(self.control_plane.api, self.hardware.bmcs)
        for number in range(1, self.options.operators + 1):
            self._say(f"operator {number}")
            await self.operator("start", number)

    async def _bring_up(self, part: Any) -> None:
        self._started.append(part)  # first: what fails half-way has to be stopped too
        await part.start()

    async def _new_operator(self, number: int) -> OperatorProcess:
        kubeconfig = await self.control_plane.service_account_kubeconfig(NAMESPACE, SERVICE_ACCOUNT)
        return OperatorProcess(number, kubeconfig, self.control_plane.processes)

    def _require_kubevirt(self) -> KubeVirt:
        if self.kubevirt is None:
            raise LabError("this lab runs without the KubeVirt stand-in")
        return self.kubevirt


def _clear(state_dir: Path) -> None:
    """An empty state directory, but for what a daemon that is starting has just put there."""
    end_leftovers(state_dir)
    keep = ("lab.json", "socket", "daemon.log")
    if state_dir.exists():
        for entry in state_dir.iterdir():
            if entry.name in keep:
                continue
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    state_dir.mkdir(parents=True, exist_ok=True)
