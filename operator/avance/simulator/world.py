"""The physical truth: servers with power, links between them, management controllers, and the guests that really run.

Nothing here knows Kubernetes. Guests are kept in a ledger for good, so that a second running instance of a VM is seen
whoever caused it and whatever any API says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from avance.core.power import PowerReading
from avance.simulator.timing import Timing

SLOW_ANSWER = 8.0
HANG_TIMEOUT = 10.0


class State(StrEnum):
    UP = "up"
    BOOTING = "booting"
    HUNG = "hung"
    """It has power and runs nothing: a kernel that panicked."""
    OFF = "off"


class BmcMode(StrEnum):
    NORMAL = "answers normally"
    SLOW = "answers slowly"
    REFUSE = "refuses connections"
    HANG = "hangs"
    PASSWORD = "refuses the password"
    POWERING_OFF = "says PoweringOff for ever"
    WRONG_SERVER = "is that of the other server"
    LIE_ACCEPT = "accepts orders and does nothing"
    LIE_OFF = "says Off whatever is true"


BMC_ERRORS = {
    BmcMode.REFUSE: "connection refused",
    BmcMode.HANG: "no answer in 10 s",
    BmcMode.PASSWORD: "401: the BMC refuses the user name or password",
}


@dataclass
class Server:
    name: str
    system_uuid: str
    boot_seconds: float = 30.0
    state: State = State.UP
    boots: int = 1
    bmc: BmcMode = BmcMode.NORMAL
    api_link: bool = True
    public_link: bool = True
    kubelet: bool = True
    detectors: bool = True
    """Something on it reports its own faults, and whether it hears the other server."""
    virt_handler: bool = True
    broken: dict[tuple[str, str], str] = field(default_factory=dict)
    """(condition, component) to the detail that the detector reports."""
    up_at: float | None = None
    off_at: float | None = None
    powering_off: bool = False
    reachable_since: float = 0.0
    """Since when its kubelet reaches the API, if it does."""
    killed_by_us: bool = False
    cured_by_boot: list[Callable[[], None]] = field(default_factory=list)
    """What breaks no longer once it has booted: a wedged driver, a port that hangs."""
    deaf: bool = False
    """Its detector hears nothing of the other server, whatever is true."""
    detectors_hang: bool = False
    """They report nothing new: what they said last stands."""
    clock_ahead: float = 0.0
    """Seconds by which its clock is ahead of everybody else's."""

    @property
    def boot_id(self) -> str:
        return f"{self.name}-boot-{self.boots}"

    @property
    def up(self) -> bool:
        return self.state is State.UP

    @property
    def reports(self) -> bool:
        """Its detectors reach the API."""
        return self.up and self.api_link and self.detectors and not self.detectors_hang

    @property
    def connected(self) -> bool:
        """Its kubelet reaches the API."""
        return self.up and self.api_link and self.kubelet


@dataclass
class Mind:
    """What goes on inside a guest; it moves with it."""

    hung_at: float | None = None
    paused: bool = False
    frozen: bool = False
    agent_stopped: bool = False
    up_at: float = 0.0
    """When it has booted, for the last time."""
    answered: bool = False
    """It has answered since this life began."""
    silent_at: float | None = None
    """When it last ceased to answer; None while it answers."""

    @property
    def still(self) -> bool:
        """It hears nothing: neither a ping nor the power button."""
        return self.hung_at is not None or self.paused


@dataclass
class Guest:
    """One life of a VM on one server, as it physically was."""

    vm: str
    instance_uid: str
    pod_uid: str
    server: str
    boot_id: str
    started_at: float
    ended_at: float | None = None
    end: str = ""
    """crash, shutdown, migrated, power or killed."""
    mind: Mind = field(default_factory=lambda: Mind())
    end_known: bool = False
    """A live kubelet has told the API, or ended it itself at the API's word."""

    @property
    def runs(self) -> bool:
        return self.ended_at is None


class World:
    def __init__(self, servers: list[Server], tell: Callable[[str, str], None]) -> None:
        self.servers = {server.name: server for server in servers}
        self.timing = Timing()
        self.private_link = True
        self.ledger: list[Guest] = []
        self.now = 0.0
        self._tell = tell

    def tick(self, now: float) -> None:
        self.now = now
        for server in self.servers.values():
            if server.off_at is not None and now >= server.off_at:
                self._lose_power(server)
            if server.state is State.BOOTING and server.up_at is not None and now >= server.up_at:
                server.state, server.up_at = State.UP, None
                self._tell("hardware", f"{server.name} has booted")

    # ── other servers ──

    def replace(self, name: str, system_uuid: str, *, old_runs_on: bool) -> None:
        """Another server takes a name and boots; the old one is taken apart, or runs on unseen by anybody."""
        old = self.servers[name]
        for guest in self.guests_on(name):
            if old_runs_on:
                guest.server = f"the old {name}"
            else:
                self.end_guest(guest, "power")
        self.servers[name] = Server(name, system_uuid, old.boot_seconds, State.OFF, old.boots)
        self._tell("hardware", f"another server is {name} now ({system_uuid})")
        self.switch_on(name)

    # ── power ──

    def cut_power(self, name: str) -> None:
        self._lose_power(self.servers[name])

    def hang(self, name: str) -> None:
        server = self.servers[name]
        if server.state in (State.UP, State.BOOTING):
            server.state = State.HUNG
            self._end_guests(server, "power")

    def switch_on(self, name: str) -> None:
        server = self.servers[name]
        if server.state is State.OFF:
            server.state, server.up_at = State.BOOTING, self.now + server.boot_seconds
            server.boots += 1
            server.kubelet = server.virt_handler = True
            server.killed_by_us = server.detectors_hang = False
            while server.cured_by_boot:
                server.cured_by_boot.pop()()
            self._tell("hardware", f"{name} has power and boots")

    def reset(self, name: str) -> None:
        """It loses power for a moment and boots again."""
        self.cut_power(name)
        self.switch_on(name)

    def _lose_power(self, server: Server) -> None:
        server.off_at, server.powering_off = None, False
        if server.state is not State.OFF:
            server.state, server.up_at = State.OFF, None
            self._tell("hardware", f"{server.name} is off")
            self._end_guests(server, "power")

    def _end_guests(self, server: Server, end: str) -> None:
        for guest in self.guests_on(server.name):
            self.end_guest(guest, end)

    # ── the management controller ──

    def ask_bmc(self, name: str) -> tuple[PowerReading, float]:
        """What the BMC that is configured for a server answers, and after how many seconds."""
        server = self.servers[name]
        if server.bmc in BMC_ERRORS:
            error = f"the BMC of {name}: {BMC_ERRORS[server.bmc]}"
            delay = HANG_TIMEOUT if server.bmc is BmcMode.HANG else 0.1
            return PowerReading("", "", self.now, error, f"bmc-{name}"), delay
        answering = self._behind_bmc(server)
        state = "Off" if answering.state is State.OFF or server.bmc is BmcMode.LIE_OFF else "On"
        if server.powering_off:
            state = "PoweringOff"
        delay = SLOW_ANSWER if server.bmc is BmcMode.SLOW else 0.1
        return PowerReading(state, answering.system_uuid, self.now, "", f"bmc-{name}"), delay

    def order_off(self, name: str, system_uuid: str) -> None:
        """Ask the BMC to cut the power; it does so only if it is that of the server meant."""
        server = self.servers[name]
        if server.bmc in BMC_ERRORS or self._behind_bmc(server).system_uuid != system_uuid:
            return
        if server.bmc is BmcMode.POWERING_OFF:
            server.powering_off = server.state is not State.OFF
        elif server.bmc in (BmcMode.NORMAL, BmcMode.SLOW) and server.state is not State.OFF:
            server.off_at = server.off_at or self.now + self.timing.power_off

    def order_on(self, name: str, system_uuid: str) -> None:
        server = self.servers[name]
        if server.bmc in (BmcMode.NORMAL, BmcMode.SLOW) and server.system_uuid == system_uuid:
            self.switch_on(name)

    def mend_bmc(self, name: str) -> None:
        self.servers[name].bmc, self.servers[name].powering_off = BmcMode.NORMAL, False

    def _behind_bmc(self, server: Server) -> Server:
        return self.peer(server.name) if server.bmc is BmcMode.WRONG_SERVER else server

    # ── links ──

    def peer(self, name: str) -> Server:
        return next(server for server in self.servers.values() if server.name != name)

    def carrier(self, name: str) -> bool:
        """The private link has a live other end."""
        return self.private_link and self.peer(name).state in (State.UP, State.HUNG)

    def hears(self, name: str) -> bool:
        """A server gets an answer from its peer on some path."""
        me, peer = self.servers[name], self.peer(name)
        return me.up and peer.up and not me.deaf and (self.private_link or (me.public_link and peer.public_link))

    # ── guests ──

    def start_guest(self, vm: str, instance_uid: str, pod_uid: str, server: str, mind: Mind | None = None) -> Guest:
        boot_id = self.servers[server].boot_id
        guest = Guest(
            vm,
            instance_uid,
            pod_uid,
            server,
            boot_id,
            self.now,
            mind=mind or Mind(up_at=self.now + self.timing.boot_of(vm)),
        )
        self.ledger.append(guest)
        return guest

    def end_guest(self, guest: Guest, end: str, *, known: bool = False) -> None:
        guest.ended_at, guest.end, guest.end_known = self.now, end, known

    def guests_on(self, server: str) -> list[Guest]:
        return [guest for guest in self.ledger if guest.runs and guest.server == server]

    def guests_of(self, vm: str) -> list[Guest]:
        return [guest for guest in self.ledger if guest.runs and guest.vm == vm]

    def guest_of_pod(self, pod_uid: str) -> Guest | None:
        return next((guest for guest in reversed(self.ledger) if guest.pod_uid == pod_uid), None)

    def longest_gap(self, vm: str, since: float) -> float:
        """The longest time after `since` in which nothing ran the VM, up to now."""
        lives = sorted((g.started_at, g.ended_at or self.now) for g in self.ledger if g.vm == vm)
        gap, covered = 0.0, since
        for start, end in lives:
            gap, covered = max(gap, start - covered), max(covered, end)
        return max(gap, self.now - covered)
