"""The hardware of one lab: what is physically true of its servers, and the ways to break and repair it.

Everything else (kubelets, BMCs, detectors, guests) follows from the state held here. Faults take effect at once; only
booting takes time. Each method that needs a node or component raises HardwareError with the valid choices.
"""

import asyncio
import uuid
from pathlib import Path

from e2e.controlplane import Api, ApiError, ControlPlane
from e2e.hardware.bmc import Bmc, BmcMode
from e2e.hardware.components import DERIVED, ComponentKind, Fault, component_kind
from e2e.hardware.detectors import USER, ProblemDetector, allow_detectors
from e2e.hardware.events import (
    ComponentsChanged,
    HardwareEvent,
    Healed,
    Listener,
    NodeBooted,
    NodeDied,
    Partitioned,
    PrivateLinkChanged,
)
from e2e.hardware.kubelet import Kubelet, allow_kubelets
from e2e.hardware.servers import KUBELET_VERSION, PAIR_NODES, Power, Server, new_servers

REGISTRATION_RETRY_S = 1.0


class HardwareError(ValueError):
    """What was asked is not possible; the message says what is."""


class Hardware:
    """Three servers (`servers`), the BMCs of the two pair nodes (`bmcs`), and the private link between these two.

    `boot_time` is how long a boot takes, `reset_delay` how long a BMC takes to carry out a reset (both in seconds).
    """

    def __init__(
        self, control_plane: ControlPlane, state_dir: Path, boot_time: float = 2.0, reset_delay: float = 1.0
    ) -> None:
        self.servers = new_servers()
        self.private_link_up = True
        self._control_plane = control_plane
        self._boot_time = boot_time
        self._kubelets = {name: _KubeletKeeper(control_plane, server) for name, server in self.servers.items()}
        self.bmcs = {name: self._bmc(name, state_dir / "bmc" / name, reset_delay) for name in PAIR_NODES}
        self._detectors: dict[str, ProblemDetector] = {}
        self._detector_api: Api | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._boots: dict[str, asyncio.Task[None]] = {}
        self._listeners: list[Listener] = []

    async def start(self) -> None:
        """Boots all servers; returns when their Nodes are Ready and the BMCs answer. Raises ServerCrashed."""
        await allow_kubelets(self._control_plane)
        await allow_detectors(self._control_plane)
        self._detector_api = await self._control_plane.client_for(USER)
        await asyncio.gather(
            *(keeper.settle() for keeper in self._kubelets.values()), *(bmc.start() for bmc in self.bmcs.values())
        )
        for name in PAIR_NODES:
            self._detectors[name] = ProblemDetector(self._detector_api, self.servers[name], self)
            self._tasks.append(asyncio.create_task(self._detectors[name].run(), name=f"detector {name}"))
        await asyncio.gather(*(keeper.kubelet.wait_ready() for keeper in self._kubelets.values()))

    async def stop(self) -> None:
        """Ends all processes of the hardware."""
        tasks = [*self._boots.values(), *self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(keeper.kubelet.kill() for keeper in self._kubelets.values()))
        await asyncio.gather(*(bmc.stop() for bmc in self.bmcs.values()))
        if self._detector_api is not None:
            await self._detector_api.close()

    def subscribe(self, listener: Listener) -> None:
        """Calls `listener` with every HardwareEvent from now on, at the moment it happens."""
        self._listeners.append(listener)

    def alive(self, node: str) -> bool:
        """Whether the node's kernel runs."""
        return self._server(node).alive

    def api_reachable(self, node: str) -> bool:
        """Whether programs on the node run and can talk to the API server."""
        return self._server(node).api_reachable

    def boot_id(self, node: str) -> str:
        """Changes with every boot."""
        return self._server(node).boot_id

    def booting(self, node: str) -> bool:
        """Whether the node has power and its kernel is about to run."""
        return node in self._boots

    def peer(self, node: str) -> str:
        """The other node of the pair."""
        return next(name for name in PAIR_NODES if name != node)

    def private_link_carries(self, node: str) -> bool:
        """Whether the private link is up with a live peer at its other end."""
        return self.private_link_up and self.alive(self.peer(node))

    def hears_peer(self, node: str) -> bool:
        """Whether the peer answers over the private link or the public network, as a probe on `node` finds it."""
        peer = self.servers[self.peer(node)]
        publicly = not peer.partitioned and not self._server(node).partitioned
        return peer.alive and (self.private_link_up or publicly)

    async def power_cut(self, node: str) -> None:
        """The server loses power at once. Its BMC lives on and reads Off."""
        await self._lose_power(node)
        if node in self.bmcs:
            await self.bmcs[node].set_power(Power.OFF)

    async def crash(self, node: str) -> None:
        """The kernel is dead without a word; power stays on."""
        await self._die(self._server(node))

    async def power_on(self, node: str) -> None:
        """Somebody presses the button: boots a server that is off, resets one whose kernel is dead."""
        server = self._server(node)
        if server.alive or node in self._boots:
            raise HardwareError(f"{node} is already on")
        self._begin_boot(server)
        if node in self.bmcs:
            await self.bmcs[node].set_power(Power.ON)

    def install_kubelet(self, node: str, version: str = KUBELET_VERSION) -> None:
        """Another release of it, from the node's next boot on; without a version the one that there was at first."""
        self._server(node).kubelet_version = version

    async def partition(self, node: str) -> None:
        """The node and its guests run on, but it can't reach the API server (nor its peer over the public network)."""
        server = self._server(node)
        server.partitioned = True
        self._emit(Partitioned(node))
        await self._kubelets[node].settle()

    async def heal(self, node: str) -> None:
        """Ends a partition."""
        server = self._server(node)
        if not server.partitioned:
            raise HardwareError(f"{node} is not partitioned")
        server.partitioned = False
        self._emit(Healed(node))
        await self._kubelets[node].settle()

    async def cut_private_link(self) -> None:
        """The cable between the two pair nodes is pulled."""
        self.private_link_up = False
        self._emit(PrivateLinkChanged("", up=False))

    async def restore_private_link(self) -> None:
        """The cable is plugged in again."""
        self.private_link_up = True
        self._emit(PrivateLinkChanged("", up=True))

    async def fail_component(
        self,
        node: str,
        kind: str,
        component: str,
        *,
        state: str = "failed",
        part: str = "",
        serial: str = "",
        detail: str = "",
    ) -> None:
        """A component of a pair node fails. `kind` is a condition type or its friendly name (`PowerSupply`)."""
        known = self._component_kind(node, kind)
        if not component or ";" in component or " " in component:
            raise HardwareError(f"component {component!r}: use a name without spaces and semicolons, such as psu1")
        self._server(node).failed[known.condition, component] = Fault(
            component,
            state,
            part or known.part,
            serial or f"SN-{node}-{component}",
            detail or f"{component} of {node} is broken",
        )
        self._emit(ComponentsChanged(node))

    async def repair_component(self, node: str, kind: str, component: str) -> None:
        """A failed component is replaced by a good one."""
        known = self._component_kind(node, kind)
        failed = self._server(node).failed
        if failed.pop((known.condition, component), None) is None:
            names = ", ".join(f"{kind} {name}" for kind, name in sorted(failed)) or "nothing"
            raise HardwareError(f"{component} of {node} has not failed ({known.condition}); failed there: {names}")
        self._emit(ComponentsChanged(node))

    async def set_bmc_mode(self, node: str, mode: str) -> None:
        """Makes the node's BMC behave, or misbehave, from the next request on."""
        if node not in self.bmcs:
            raise HardwareError(f"{node!r} has no BMC: use one of {', '.join(self.bmcs)}")
        if mode not in list(BmcMode):
            raise HardwareError(f"unknown BMC mode {mode!r}: use one of {', '.join(BmcMode)}")
        await self.bmcs[node].set_mode(BmcMode(mode))

    def _bmc(self, node: str, directory: Path, reset_delay: float) -> Bmc:
        server = self.servers[node]

        async def carry_out(power: Power) -> None:
            if power is Power.OFF:
                await self._lose_power(node)
            elif server.power is Power.OFF:
                self._begin_boot(server)

        return Bmc(self._control_plane, server, directory, reset_delay, carry_out)

    async def _lose_power(self, node: str) -> None:
        server = self._server(node)
        server.power = Power.OFF
        await self._die(server)

    async def _die(self, server: Server) -> None:
        boot = self._boots.pop(server.name, None)
        if boot is not None:
            boot.cancel()
        if server.kernel_running:
            server.kernel_running = False
            self._emit(NodeDied(server.name))
        await self._kubelets[server.name].settle()

    def _begin_boot(self, server: Server) -> None:
        server.power = Power.ON
        if server.name not in self._boots:
            self._boots[server.name] = asyncio.create_task(self._boot(server), name=f"boot {server.name}")

    async def _boot(self, server: Server) -> None:
        await asyncio.sleep(self._boot_time)
        del self._boots[server.name]
        server.kernel_running, server.boot_id = True, str(uuid.uuid4())
        self._emit(NodeBooted(server.name, server.boot_id))
        task = asyncio.create_task(self._kubelets[server.name].settle(), name=f"kubelet {server.name}")
        self._tasks.append(task)

    def _emit(self, event: HardwareEvent) -> None:
        for detector in self._detectors.values():
            detector.wake()
        for listener in self._listeners:
            listener(event)

    def _server(self, node: str) -> Server:
        if node not in self.servers:
            raise HardwareError(f"unknown node {node!r}: use one of {', '.join(self.servers)}")
        return self.servers[node]

    def _component_kind(self, node: str, kind: str) -> ComponentKind:
        if node not in PAIR_NODES:
            raise HardwareError(f"unknown pair node {node!r}: use one of {', '.join(PAIR_NODES)}")
        try:
            known = component_kind(kind)
        except ValueError as error:
            raise HardwareError(str(error)) from None
        if known.condition in DERIVED:
            raise HardwareError(f"{known.condition} follows from other faults: use {DERIVED[known.condition]}")
        return known


class _KubeletKeeper:
    """Makes the kubelet's process agree with its server: one per boot, none while the API server is out of reach."""

    def __init__(self, control_plane: ControlPlane, server: Server) -> None:
        self.kubelet = Kubelet(control_plane, server)
        self._server = server
        self._runs_for: str | None = None
        self._one_at_a_time = asyncio.Lock()

    async def settle(self) -> None:
        """Kills, starts or restarts the kubelet until it fits."""
        async with self._one_at_a_time:
            while self._runs_for != self._wanted():
                await self.kubelet.kill()
                self._runs_for = None
                wanted = self._wanted()
                if wanted is None:
                    return
                try:
                    await self.kubelet.start()
                    self._runs_for = wanted
                except (ApiError, OSError, TimeoutError):
                    await asyncio.sleep(REGISTRATION_RETRY_S)

    def _wanted(self) -> str | None:
        return self._server.boot_id if self._server.api_reachable else None
