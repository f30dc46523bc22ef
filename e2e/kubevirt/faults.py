"""Faults that can be put into guests, migrations and KubeVirt's own programs while they run."""

from collections.abc import Mapping
from typing import TypeVar

from e2e.kubevirt.api import Key
from e2e.kubevirt.guests import Guest, Guests
from e2e.kubevirt.node_side import NodeSide
from e2e.kubevirt.stream import Weather
from e2e.kubevirt.virt_api import VirtApi
from e2e.kubevirt.virt_controller import VirtController

T = TypeVar("T")

MIGRATION_MODES = ("normal", "fail", "stall")
BOOT_MODES = ("normal", "fail")


class FaultError(ValueError):
    """The fault can't be put there; the message says why and what can."""


class Faults:
    """Every method takes effect at once. Those on a guest raise FaultError when the VM has none running."""

    def __init__(
        self, guests: Guests, weather: Weather, api: VirtApi, controller: VirtController, sides: Mapping[str, NodeSide]
    ) -> None:
        self._guests, self._weather, self._sides = guests, weather, sides
        self._api, self._controller = api, controller

    def crash_guest(self, namespace: str, name: str) -> None:
        """QEMU dies: VMI Failed."""
        self._guests.crash(self._guest(namespace, name))

    def hang_guest(self, namespace: str, name: str) -> None:
        """The guest stops doing anything; only the agent's silence shows it."""
        self._guests.hang(self._guest(namespace, name))

    def panic_guest(self, namespace: str, name: str) -> None:
        """The guest's kernel panics: VMI Failed with a panic device, a hang without."""
        self._guests.panic(self._guest(namespace, name))

    def shutdown_guest(self, namespace: str, name: str) -> None:
        """Somebody shuts the guest down from inside: VMI Succeeded."""
        self._guests.power_down(self._guest(namespace, name))

    def io_error(self, namespace: str, name: str) -> None:
        """A disk fails under the guest: it is paused."""
        self._guests.pause(self._guest(namespace, name), "PausedIOError")

    def heal_io(self, namespace: str, name: str) -> None:
        """The disk is back: virt-handler resumes the guest."""
        self._guests.unpause(self._guest(namespace, name))

    def ignore_acpi(self, namespace: str, name: str, ignores: bool = True) -> None:
        """The VM's guests, this and later ones, do not react to the power button."""
        _switch(self._guests.ignoring_acpi, (namespace, name), ignores)

    def set_migrations(self, mode: str) -> None:
        """normal, fail (every stream breaks half-way) or stall (none makes progress)."""
        self._weather.mode = _known(mode, MIGRATION_MODES)

    def set_boot(self, mode: str, vm: Key | None = None, node: str | None = None) -> None:
        """Normal or fail (ends before it ever runs), for the guests of a VM or on a node."""
        fails = _known(mode, BOOT_MODES) == "fail"
        if vm is None and node is None:
            raise FaultError("set_boot needs a VM (namespace, name) or a node")
        if vm is not None:
            _switch(self._guests.failing_vms, vm, fails)
        if node is not None:
            _switch(self._guests.failing_nodes, node, fails)

    def webhooks_down(self, down: bool) -> None:
        """virt-api answers nothing: webhooks (failurePolicy Fail) and the aggregated API, discovery of it included."""
        self._api.set_down(down)

    def handler_down(self, node: str, down: bool) -> None:
        """virt-handler of a node is dead or back; kubelet and guests live on."""
        if node not in self._sides:
            raise FaultError(f"unknown node {node!r}: use one of {', '.join(self._sides)}")
        handler = self._sides[node].handler
        handler.down = down
        if not down:
            handler.resync()

    def controller_down(self, down: bool) -> None:
        """virt-controller does nothing and renews no Lease; what happened meanwhile it sees when it is back."""
        self._controller.set_down(down)

    def upgrade_kubevirt(self, launcher_image: str) -> None:
        """KubeVirt is of another release; what becomes of the old launchers, its workloadUpdateStrategy says."""
        self._controller.upgrade(launcher_image)

    def _guest(self, namespace: str, name: str) -> Guest:
        found = [guest for guest in self._guests.of_vm((namespace, name)) if guest.executing]
        if not found:
            raise FaultError(f"VM {namespace}/{name} has no running guest: start it first")
        return found[-1]


def _known(mode: str, modes: tuple[str, ...]) -> str:
    if mode not in modes:
        raise FaultError(f"unknown mode {mode!r}: use one of {', '.join(modes)}")
    return mode


def _switch(members: set[T], member: T, on: bool) -> None:
    if on:
        members.add(member)
    else:
        members.discard(member)
