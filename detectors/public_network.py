"""Public network interfaces: PublicNetworkProblem, by carrier, errors, and whether the gateway answers."""

from __future__ import annotations

import socket
import struct
import time
from functools import partial
from pathlib import Path

from detectors.counters import increase, remember_seen, seen_before
from detectors.finding import CantTellError, Fault, collect
from detectors.host import Host
from detectors.settings import PublicInterface

_NET = "sys/class/net"
_ERRORS = ("rx_errors", "tx_errors")
_MINUTE = 60.0
_ARP, _IPV4 = 0x0806, 0x0800
_TRIES, _PATIENCE = 3, 0.3
"""How often a gateway is asked, and how many seconds it has for each answer."""


def faults(host: Host) -> list[Fault]:
    """Every interface that carries nothing, corrupts much, or does not reach its gateway. Raises CantTellError."""
    interfaces = host.settings.public_interfaces or _of_default_route(host)
    return collect(partial(_of, host, interface) for interface in interfaces)


def _of_default_route(host: Host) -> tuple[PublicInterface, ...]:
    routes = _default_routes(host)
    if not routes:
        raise CantTellError("there is no default route: name the public interfaces in detectors.pairs")
    return tuple(PublicInterface(name, gateway) for name, gateway in sorted(routes.items()))


def _default_routes(host: Host) -> dict[str, str]:
    """The IPv4 gateway of each interface with a default route."""
    try:
        lines = host.read("proc/net/route").splitlines()[1:]
        fields = [line.split() for line in lines]
        return {
            field[0]: socket.inet_ntoa(struct.pack("<I", int(field[2], 16)))
            for field in reversed(fields)
            if field[1] == "00000000" and field[2] != "00000000"
        }
    except (OSError, IndexError, ValueError, struct.error):
        return {}


def _of(host: Host, interface: PublicInterface) -> list[Fault]:
    name = interface.name
    if time.monotonic() > host.deadline:
        raise CantTellError(f"no time was left to look at {name}: the other interfaces took it")
    known = f"interface-{name}"
    if not (host.root / _NET / name).exists():
        if seen_before(host, known):
            return [Fault(name, "gone", "the interface was there and is no more")]
        raise CantTellError(f"there is no interface {name}: correct detectors.pairs, or look for a dead card")
    remember_seen(host, known)
    if not carries(host, name):
        return [Fault(name, "down", "no carrier")]
    errors = sum(host.number(f"{_NET}/{name}/statistics/{counter}") or 0 for counter in _ERRORS)
    limit = host.settings.limits.network_errors_per_minute
    if increase(host, f"errors-{name}", errors, _MINUTE) >= limit:
        return [Fault(name, "errors", f"{limit} or more errors a minute: cable, port or card")]
    gateway = interface.gateway or _default_routes(host).get(name, "")
    if gateway and not answers(name, gateway, (host.root / _NET / name / "address")):
        return [Fault(name, "no-gateway", f"the gateway {gateway} does not answer")]
    return []


def carries(host: Host, interface: str) -> bool:
    """Whether there is a carrier; an interface that is switched off has none."""
    return host.number(f"{_NET}/{interface}/carrier") == 1


def answers(interface: str, gateway: str, address: Path) -> bool:
    """Whether a gateway answers ARP on that interface; many do not answer pings. Raises CantTellError."""
    try:
        mac = bytes.fromhex(address.read_text().strip().replace(":", ""))
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ARP)) as link:
            link.bind((interface, _ARP))
            own = _own_address(interface, gateway)
            return any(_asked(link, mac, own, socket.inet_aton(gateway)) for _ in range(_TRIES))
    except PermissionError:
        raise CantTellError("asking the gateway needs the capability NET_RAW") from None
    except (OSError, ValueError) as error:
        raise CantTellError(f"the gateway {gateway} cannot be asked on {interface}: {error}") from None


def _own_address(interface: str, gateway: str) -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
        probe.connect((gateway, 9))
        return socket.inet_aton(probe.getsockname()[0])


def _asked(link: socket.socket, mac: bytes, own: bytes, gateway: bytes) -> bool:
    """One ARP request and its answer within the patience."""
    header = b"\xff" * 6 + mac + struct.pack("!H", _ARP)
    request = struct.pack("!HHBBH", 1, _IPV4, 6, 4, 1) + mac + own + b"\x00" * 6 + gateway
    try:
        link.send(header + request)
    except OSError:
        return False  # the link went down under us: no answer either
    until = time.monotonic() + _PATIENCE
    while (left := until - time.monotonic()) > 0:
        link.settimeout(left)
        try:
            frame = link.recv(128)
        except TimeoutError:
            return False
        if len(frame) >= 42 and frame[20:22] == b"\x00\x02" and frame[28:32] == gateway:
            return True
    return False
