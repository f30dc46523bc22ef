"""How a hung or crashed guest is noticed: what a ProtectedVM asks of its guest, and which devices report for it."""

from typing import Annotated, Literal

from pydantic import Field

from avance.api.base import ApiModel, ListOf, Rule, exactly_one

_Port = Annotated[int, Field(ge=1, le=65535)]
_Period = Annotated[int, Field(ge=1, le=3600)]
_Failures = Annotated[int, Field(ge=1, le=100)]
_BootTime = Annotated[int, Field(ge=0, le=3600)]


class GuestAgentPing(ApiModel):
    """Restarts the VM when the QEMU guest agent inside answers no more."""

    enabled: bool = False
    """Switch it on only when the guest runs the agent. A guest whose agent has never answered is left alone."""
    period_seconds: _Period = 10
    """How often it is asked."""
    failure_threshold: _Failures = 3
    """After how many silences in a row the guest counts as hung."""
    initial_delay_seconds: _BootTime = 120
    """How long the guest may take to boot. A guest whose agent has left may be rebooting and is given this time too."""


class HttpGet(ApiModel):
    """A page that the guest serves on the pod network."""

    port: _Port
    """Port that it listens on."""
    path: Annotated[str, Field(max_length=1024, pattern="^/")] = "/"
    """Path of the page."""
    scheme: Literal["HTTP", "HTTPS"] = "HTTP"
    """HTTPS: its certificate is not looked at."""


class TcpSocket(ApiModel):
    """A port that the guest accepts connections on, on the pod network."""

    port: _Port
    """Port that it listens on."""


class Exec(ApiModel):
    """A command that the guest agent runs inside."""

    command: Annotated[ListOf[Annotated[str, Field(min_length=1, max_length=1024)]], Field(min_length=1, max_length=32)]
    """The program and its arguments; exit status 0 is an answer."""


class Probe(ApiModel):
    """Restarts the VM when what it serves answers no more. A probe that has never succeeded restarts nothing."""

    rules = (Rule(exactly_one("httpGet", "tcpSocket", "exec"), "give exactly one of httpGet, tcpSocket and exec"),)

    http_get: HttpGet | None = None
    """Get a page."""
    tcp_socket: TcpSocket | None = None
    """Open a connection."""
    exec: Exec | None = None
    """Run a command inside, by the guest agent."""
    period_seconds: _Period = 10
    """How often it is tried."""
    timeout_seconds: Annotated[int, Field(ge=1, le=300)] = 5
    """How long one try may take."""
    failure_threshold: _Failures = 3
    """After how many failures in a row the guest counts as hung."""
    initial_delay_seconds: _BootTime = 120
    """How long the guest may take to boot."""


class HealthChecks(ApiModel):
    """How a hung or crashed guest is noticed. Nothing is judged while the VM is paused, frozen for a snapshot, moving
    or booting, or while its node is in doubt.
    """

    rules = (
        Rule(
            "!has(self.probe) || !has(self.guestAgentPing.enabled) || !self.guestAgentPing.enabled",
            "a VM has one check: remove probe, or set guestAgentPing.enabled to false",
        ),
    )

    guest_agent_ping: GuestAgentPing = GuestAgentPing()
    """Restarts the VM when the QEMU guest agent inside answers no more."""
    probe: Probe | None = None
    """Restarts the VM when what it serves answers no more."""
    watchdog: Literal["None", "Reset", "PowerOff"] = "None"
    """A watchdog device, and what it does when the guest feeds it no more; the guest must run a watchdog daemon. \
After a Reset the guest boots in its old instance; after a PowerOff the operator restarts the VM."""
    panic_device: bool = False
    """A device that lets the guest's kernel report its panic; the operator then restarts the VM at once."""
