"""The guests that physically run: QEMU processes on nodes, obeying electricity and nobody's API objects.

A guest ends only because it shut down, crashed, was destroyed on its node, or its node lost power. Ends, hangs and
boots are told to `on_change`; everything that executes is written to the ledger. Times come from `Timings`.
"""

import asyncio
import contextlib
import enum
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from e2e.kubevirt.api import Key, Object, key_of, uid_of
from e2e.kubevirt.configuration import Timings
from e2e.kubevirt.ledger import Ledger, Run


class State(enum.Enum):
    """What a QEMU process does."""

    BOOTING = "booting"
    RUNNING = "running"
    PAUSED = "paused"
    HUNG = "hung"
    INCOMING = "incoming"
    """Waits for the stream of a live migration; executes nothing."""
    ENDED = "ended"


class End(enum.Enum):
    """Why a QEMU process ended."""

    SHUTDOWN = "shut down by the guest"
    CRASHED = "crashed"
    PANICKED = "panicked"
    BOOT_FAILED = "failed to boot"
    DESTROYED = "destroyed"
    MIGRATED = "migrated away"
    POWER_LOST = "its node lost power"


@dataclass(eq=False)
class Guest:
    """One QEMU process."""

    vm: Key
    vmi_uid: str
    node: str
    pod: str
    devices: dict[str, Any]
    state: State = State.BOOTING
    end: End | None = None
    agent: bool = False
    """Whether the guest agent answers."""
    pause_reason: str = ""
    shutting_down: bool = False
    run: Run | None = None
    timers: list[asyncio.TimerHandle] = field(default_factory=list)

    @property
    def executing(self) -> bool:
        """Whether virtual CPUs may touch disks and network."""
        return self.run is not None and not self.run.ended

    @property
    def started(self) -> bool:
        """Whether it finished booting and is there."""
        return self.state in (State.RUNNING, State.PAUSED, State.HUNG)


class Guests:
    """All guests of the cluster and what can be done to them where they run."""

    def __init__(self, ledger: Ledger, timings: Timings) -> None:
        self.ledger = ledger
        self.on_change: Callable[[Guest], None] = lambda guest: None
        self._timings = timings
        self._guests: list[Guest] = []
        self.ignoring_acpi: set[Key] = set()
        self.failing_vms: set[Key] = set()
        self.failing_nodes: set[str] = set()

    def of_vm(self, vm: Key) -> list[Guest]:
        """The processes of a VM that have not ended, the executing one first."""
        found = [guest for guest in self._guests if guest.vm == vm and guest.state is not State.ENDED]
        return sorted(found, key=lambda guest: not guest.executing)

    def boot(self, vmi: Object, node: str, pod: str) -> Guest:
        """Starts a QEMU; it executes from now on."""
        guest = self._create(vmi, node, pod, State.BOOTING)
        guest.run = self.ledger.begin(guest.vm, guest.vmi_uid, node, pod, "booted")
        fails = guest.vm in self.failing_vms or node in self.failing_nodes
        self._later(guest, self._timings.boot, self._boot_failed if fails else self._booted)
        return guest

    def prepare_incoming(self, vmi: Object, node: str, pod: str) -> Guest:
        """Starts a QEMU that waits for a migration stream."""
        return self._create(vmi, node, pod, State.INCOMING)

    def cut_over(self, source: Guest, target: Guest) -> None:
        """The last step of a live migration: the target executes from the instant at which the source stops."""
        assert source.run is not None
        self.ledger.end(source.run, End.MIGRATED.value)
        target.run = self.ledger.begin(target.vm, target.vmi_uid, target.node, target.pod, "migrated in")
        target.state, target.agent = source.state, source.agent
        target.pause_reason = source.pause_reason
        self._end(source, End.MIGRATED)
        self.on_change(target)

    def shut_down(self, guest: Guest, grace: float) -> None:
        """ACPI power button; what has not obeyed after `grace` seconds is destroyed, at once without grace."""
        if guest.state is State.INCOMING or grace <= 0:
            return self.destroy(guest)
        if guest.shutting_down:
            return None
        guest.shutting_down = True
        obeys = guest.state in (State.RUNNING, State.BOOTING) and guest.vm not in self.ignoring_acpi
        self._later(guest, self._timings.shutdown if obeys else grace, self._powered_down if obeys else self.destroy)
        return None

    def destroy(self, guest: Guest) -> None:
        """SIGKILL."""
        self._end(guest, End.DESTROYED)

    def crash(self, guest: Guest) -> None:
        """QEMU dies."""
        self._end(guest, End.CRASHED)

    def power_down(self, guest: Guest) -> None:
        """Somebody inside the guest shuts it down."""
        self._later(guest, self._timings.shutdown, self._powered_down)

    def panic(self, guest: Guest) -> None:
        """The guest's kernel panics: QEMU learns of it only through a panic device."""
        if guest.devices.get("panicDevices"):
            self._end(guest, End.PANICKED)
        else:
            self.hang(guest)

    def hang(self, guest: Guest) -> None:
        """The guest does nothing any more; a watchdog device fires some time later if there is one."""
        guest.state, guest.agent = State.HUNG, False
        self.on_change(guest)
        if guest.devices.get("watchdog"):
            self._later(guest, self._timings.watchdog, self._watchdog_fires)

    def reboot(self, guest: Guest) -> None:
        """Resets inside the same QEMU."""
        guest.state, guest.agent = State.BOOTING, False
        self.on_change(guest)
        self._later(guest, self._timings.boot, self._booted)

    def pause(self, guest: Guest, reason: str) -> None:
        """Stops the virtual CPUs; `reason` is that of the Paused condition."""
        guest.state, guest.agent, guest.pause_reason = State.PAUSED, False, reason
        self.on_change(guest)

    def unpause(self, guest: Guest) -> None:
        """Lets them go on."""
        guest.state, guest.pause_reason = State.RUNNING, ""
        self._later(guest, self._timings.agent_connects, self._agent_answers)
        self.on_change(guest)

    def cut_power(self, node: str) -> None:
        """Everything on the node ends at this instant."""
        for guest in [guest for guest in self._guests if guest.node == node]:
            self._end(guest, End.POWER_LOST)

    def _create(self, vmi: Object, node: str, pod: str, state: State) -> Guest:
        devices = (vmi["spec"].get("domain") or {}).get("devices") or {}
        guest = Guest(key_of(vmi), uid_of(vmi), node, pod, devices, state)
        self._guests.append(guest)
        return guest

    def _booted(self, guest: Guest) -> None:
        guest.state = State.RUNNING
        self._later(guest, self._timings.agent_connects, self._agent_answers)
        self.on_change(guest)

    def _boot_failed(self, guest: Guest) -> None:
        self._end(guest, End.BOOT_FAILED)

    def _agent_answers(self, guest: Guest) -> None:
        if guest.state is State.RUNNING:
            guest.agent = True
            self.on_change(guest)

    def _powered_down(self, guest: Guest) -> None:
        if guest.state in (State.RUNNING, State.BOOTING):
            self._end(guest, End.SHUTDOWN)

    def _watchdog_fires(self, guest: Guest) -> None:
        if guest.state is not State.HUNG:
            return
        action = (guest.devices["watchdog"].get("i6300esb") or {}).get("action") or "reset"
        if action == "reset":
            self.reboot(guest)
        elif action == "poweroff":
            self._end(guest, End.DESTROYED)
        # "shutdown" is the ACPI button again, which a hung guest does not hear

    def _end(self, guest: Guest, end: End) -> None:
        if guest.state is State.ENDED:
            return
        for timer in guest.timers:
            timer.cancel()
        guest.state, guest.end, guest.agent = State.ENDED, end, False
        if guest.run is not None and not guest.run.ended:
            self.ledger.end(guest.run, end.value)
        with contextlib.suppress(ValueError):
            self._guests.remove(guest)
        self.on_change(guest)

    def _later(self, guest: Guest, delay: float, then: Callable[[Guest], None]) -> None:
        if guest.state is not State.ENDED:
            guest.timers.append(asyncio.get_running_loop().call_later(delay, then, guest))
