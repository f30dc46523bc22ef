"""What every channel delivers, and the line on which it does so."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple


class DeliveryFailed(Exception):
    """The message was not taken; the message of the error says why and what to do. It will be tried again."""


@dataclass(frozen=True, slots=True)
class Letter:
    """One message. A letter that is sent again is the same to the last byte."""

    id: str
    """Of the Notify: whoever gets it twice knows it by this."""
    pair: str
    kind: str
    """CallHome, Failover, PersonNeeded, Recovered, or Test."""
    severity: str
    subject: str
    text: str
    written_at: float
    """Seconds since the epoch."""
    parts: tuple[Mapping[str, Any], ...] = ()
    """The parts that it tells of, as the API spells them."""


class Receipt(NamedTuple):
    """The receiver's word that it has taken a letter."""

    words: str
    refused: str = ""
    """For whom it has not, and why; empty if it has for all."""


class Line:
    """The connection of one try. Another thread may cut it, and then whatever waits on it ends."""

    def __init__(self) -> None:
        self.doing = "connecting"
        """What is waited for, in words."""
        self._socket: socket.socket | None = None
        self._cut = False

    def connect(self, host: str, port: int, timeout: float) -> socket.socket:
        """`timeout`: seconds for each wait; the time for the whole is up to whoever cuts the line. Raises OSError."""
        connection = socket.create_connection((host, port), timeout)
        self.hold(connection)
        if self._cut:
            self.cut()
        return connection

    def hold(self, connection: socket.socket) -> None:
        """This is what `cut` ends from now on: encryption makes another socket of one."""
        self._socket = connection

    def cut(self) -> None:
        """End it now, whatever is under way."""
        self._cut = True
        connection = self._socket
        if connection is not None:
            with suppress(OSError):
                # Of the plain socket: an encrypted one would take leave of the other side first, and wait.
                socket.socket.shutdown(connection, socket.SHUT_RDWR)


def tls(verify: bool, ca_bundle: str) -> ssl.SSLContext:
    """Trust in `ca_bundle` alone if there is one, else in the authorities of the system. Raises DeliveryFailed."""
    try:
        context = ssl.create_default_context(cadata=ca_bundle or None)
    except ssl.SSLError as error:
        raise DeliveryFailed(f"ca.crt of the Secret holds no certificates ({error.reason}): write it anew") from error
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def in_words(error: OSError) -> str:
    """Why a connection did not come about or broke off, and what to do about a certificate."""
    if isinstance(error, ssl.SSLCertVerificationError):
        why = error.verify_message or str(error)
        return f"its certificate is not trusted ({why}): put the authority that signed it into ca.crt of the Secret"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({error.reason or error}): does this port speak TLS in this way?"
    if isinstance(error, socket.gaierror):
        return f"its name is not known ({error.strerror})"
    return error.strerror or str(error) or type(error).__name__
