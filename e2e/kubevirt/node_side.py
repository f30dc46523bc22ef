"""Everything of KubeVirt on one node, and how it follows the hardware: power, boots, partitions.

While a node is partitioned its guests run on and nothing here touches them; what the API forgot meanwhile is
cleaned up only some time after the node reaches the API again. That time is the window for a second instance.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from e2e.kubevirt.api import DOMAIN_ANNOTATION, Object, annotations_of, key_of, labels_of, timestamp, uid_of
from e2e.kubevirt.configuration import Timings
from e2e.kubevirt.guests import Guest, Guests
from e2e.kubevirt.handler import Handler, nodes_of
from e2e.kubevirt.kubelet import LauncherKubelet
from e2e.kubevirt.launcher import Launcher
from e2e.kubevirt.store import Client, Stores
from e2e.kubevirt.stream import Weather


class HardwareView(Protocol):
    """What the node side needs to know of the hardware."""

    private_link_up: bool

    def alive(self, node: str) -> bool:
        """Whether the node's kernel runs."""

    def api_reachable(self, node: str) -> bool:
        """Whether programs on the node run and can talk to the API server."""

    def boot_id(self, node: str) -> str:
        """Changes with every boot."""

    def subscribe(self, listener: Callable[[Any], None]) -> None:
        """Calls `listener` with every later event, at the moment it happens."""


class NodeSide:
    """One node's kubelet (for launcher pods) and virt-handler."""

    def __init__(
        self, node: str, hardware: HardwareView, kubelet_client: Client, handler_client: Client, stores: Stores,
        guests: Guests, timings: Timings, weather: Weather,
    ) -> None:  # fmt: skip
        self.node = node
        self._hardware, self._guests, self._timings = hardware, guests, timings
        self._was_online = self._online()
        self._kubelet_open = self._handler_open = bool(self._was_online)
        self._timers: list[asyncio.TimerHandle] = []
        self._heartbeat: asyncio.Task[None] | None = None
        self.kubelet = LauncherKubelet(node, kubelet_client, stores, guests, timings, self._kubelet_acts)
        self.handler = Handler(self.kubelet, handler_client, stores, guests, timings, weather, self._handler_acts)
        self.kubelet.on_launcher = self._launcher_changed

    def start(self) -> None:
        """Begins to act."""
        self.kubelet.queue.start()
        self.handler.queue.start()
        self._heartbeat = asyncio.create_task(self.handler.heartbeat(), name=f"heartbeat {self.node}")

    async def stop(self) -> None:
        """Ends for good."""
        for timer in self._timers:
            timer.cancel()
        if self._heartbeat is not None:
            self._heartbeat.cancel()
        self.handler.stop()
        await self.kubelet.queue.stop()
        await self.handler.queue.stop()

    @property
    def ready(self) -> bool:
        """Whether virt-handler is up and the kubelet admits launchers."""
        return self.handler.active and self.kubelet.devices_ready

    def hardware_changed(self) -> None:
        """Something happened somewhere: follows what is true of this node now."""
        if not self._hardware.alive(self.node):
            self.kubelet.forget_all()
            self.handler.forget_all()
            self._guests.cut_power(self.node)
            self.kubelet.devices_ready = False
        online = self._online()
        if online == self._was_online:
            return
        self._was_online = online
        self._kubelet_open = self._handler_open = False
        for timer in self._timers:
            timer.cancel()
        if online:
            loop = asyncio.get_running_loop()
            self._timers = [
                loop.call_later(self._timings.kubelet_back, self._open_kubelet),
                loop.call_later(self._timings.handler_back, self._open_handler),
            ]

    def _online(self) -> str:
        """The boot under which the node reaches the API server, empty while it does not."""
        return self._hardware.boot_id(self.node) if self._hardware.api_reachable(self.node) else ""

    def pod_changed(self, pod: Object, gone: bool) -> None:
        """A launcher pod changed in the API."""
        if gone:
            self._note_removal(uid_of(pod))
        if pod["spec"].get("nodeName") == self.node and DOMAIN_ANNOTATION in annotations_of(pod):
            self.kubelet.queue.add(key_of(pod))
            self.handler.queue.add((key_of(pod)[0], annotations_of(pod)[DOMAIN_ANNOTATION]))
        elif not gone and labels_of(pod).get("kubevirt.io") == "virt-handler" and self.handler.active:
            self.handler.resync()

    def _note_removal(self, pod_uid: str) -> None:
        """For the ledger: the API has forgotten a pod whose guest still executes here."""
        launcher = self.kubelet.launchers.get(pod_uid)
        guest = launcher.guest if launcher else None
        if guest is not None and guest.run is not None and guest.executing:
            where = self.node if self._online() else f"{self.node}, which could not reach the API server"
            removal = f"{timestamp()}: pod {guest.pod} was removed from the API while its guest executed on {where}"
            guest.run.notes.append(removal)

    def vmi_changed(self, vmi: Object, gone: bool) -> None:
        """A VMI changed in the API."""
        if self.node in nodes_of(vmi) or any(one.vmi == key_of(vmi) for one in self.kubelet.launchers.values()):
            self.handler.queue.add(key_of(vmi))

    def guest_changed(self, guest: Guest) -> None:
        """A guest on this node booted, hung, ended ..."""
        for launcher in self.kubelet.launchers.values():
            if launcher.guest is guest:
                self.kubelet.guest_changed(launcher)
        self.handler.queue.add(guest.vm)

    def _launcher_changed(self, launcher: Launcher) -> None:
        self.handler.queue.add(launcher.vmi)

    def _kubelet_acts(self) -> bool:
        return self._kubelet_open and self._hardware.api_reachable(self.node)

    def _handler_acts(self) -> bool:
        return self._handler_open and self._hardware.api_reachable(self.node)

    def _open_kubelet(self) -> None:
        self._kubelet_open = True
        self.kubelet.resync()

    def _open_handler(self) -> None:
        self._handler_open = True
        self.handler.resync()
