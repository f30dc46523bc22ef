"""Echo requests (ping) on one way to the peer, by a socket that stays open.

The kernel of the peer answers them, so a peer whose programs hang is still heard: it is not dead, and must not be taken
for it. A way with an interface is probed through that one alone; otherwise a broken private link would be answered for
by the route through the public network.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import struct

_REQUEST_4, _REPLY_4, _REQUEST_6, _REPLY_6 = 8, 0, 128, 129
_NOT_PERMITTED = (errno.EPERM, errno.EACCES)


class Echo:
    """Call `probe()` again and again; `unanswered` counts the probes since the last answer."""

    def __init__(self, address: str, interface: str = "") -> None:
        self.address = address
        self.unanswered = 0
        self.heard = False
        self.trouble = ""
        self._interface = interface
        self._six = ":" in address
        self._token = os.urandom(8)
        self._identity = int.from_bytes(os.urandom(2))
        self._sequence = 0
        self._socket: socket.socket | None = None

    def probe(self) -> None:
        """Send one request. Never raises: what cannot be sent is not answered, or a trouble."""
        self.unanswered += 1
        self._sequence = (self._sequence + 1) & 0xFFFF
        try:
            if self._socket is None:
                self._socket = self._open()
                asyncio.get_running_loop().add_reader(self._socket, self._read)
            self._socket.sendto(self._request(), (self.address, 0))
            self.trouble = ""
        except OSError as error:
            self.close()  # an interface that came back has another index
            permitted = error.errno not in _NOT_PERMITTED
            self.trouble = "" if permitted else "it needs the capability NET_RAW, and a firewall that lets pings out"

    def close(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError, ValueError):
                asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None

    def _open(self) -> socket.socket:
        family, protocol = (
            (socket.AF_INET6, socket.IPPROTO_ICMPV6) if self._six else (socket.AF_INET, socket.IPPROTO_ICMP)
        )
        link = socket.socket(family, socket.SOCK_RAW, protocol)
        try:
            link.setblocking(False)
            if self._interface:
                link.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, self._interface.encode())
        except OSError:
            link.close()
            raise
        return link

    def _request(self) -> bytes:
        kind = _REQUEST_6 if self._six else _REQUEST_4
        body = struct.pack("!HH", self._identity, self._sequence) + self._token
        checksum = (
            0 if self._six else _checksum(struct.pack("!BBH", kind, 0, 0) + body)
        )  # of ICMPv6 the kernel makes it
        return struct.pack("!BBH", kind, 0, checksum) + body

    def _read(self) -> None:
        """Everything that has come; only answers to this very process, from that very address, count."""
        while self._socket is not None:
            try:
                packet, (source, *_) = self._socket.recvfrom(1500)
            except BlockingIOError:
                return
            except OSError:
                self.close()
                return
            message = packet if self._six else packet[(packet[0] & 0x0F) * 4 :]
            if source.partition("%")[0] == self.address.partition("%")[0] and self._answers(message):
                self.unanswered = 0
                self.heard = True

    def _answers(self, message: bytes) -> bool:
        kind = _REPLY_6 if self._six else _REPLY_4
        return (
            len(message) >= 16
            and message[0] == kind
            and message[4:6] == struct.pack("!H", self._identity)
            and message[8:16] == self._token
        )


def _checksum(message: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    total: int = sum(struct.unpack(f"!{len(message) // 2}H", message))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF
