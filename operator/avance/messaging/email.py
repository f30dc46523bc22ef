"""E-mail by SMTP (RFC 5321): always encrypted, plain text, one message for all recipients."""

from __future__ import annotations

import smtplib
import socket
from collections.abc import Mapping
from contextlib import suppress
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate

from avance.api.notifications import Email
from avance.messaging.letter import DeliveryFailed, Letter, Line, Receipt, in_words, tls

PORTS = {"StartTLS": 587, "TLS": 465}


def send(letter: Letter, channel: Email, secrets: Mapping[str, str], ca_bundle: str, line: Line) -> Receipt:
    """Deliver to the mail server; blocks. Raises DeliveryFailed.

    At most `timeout_seconds` for each wait; whoever wants a limit for all of it cuts the line.
    """
    where = f"mail server {channel.host}:{_port(channel)}"
    try:
        with _connected(channel, ca_bundle, line) as server:
            if channel.credentials_secret_name:
                line.doing = "logging in"
                _log_in(server, secrets, channel.credentials_secret_name)
            return _hand_over(server, letter, channel, line)
    except smtplib.SMTPResponseException as error:
        text = error.smtp_error.decode(errors="replace") if isinstance(error.smtp_error, bytes) else error.smtp_error
        words = _one_line(f"{error.smtp_code} {text}")
        raise DeliveryFailed(f"{where}, {line.doing}: {words}") from error
    except smtplib.SMTPServerDisconnected as error:
        raise DeliveryFailed(f"{where}, {line.doing}: it broke the connection off") from error
    except smtplib.SMTPException as error:
        raise DeliveryFailed(f"{where}, {line.doing}: {_one_line(str(error))}") from error
    except OSError as error:
        raise DeliveryFailed(f"{where}, {line.doing}: {in_words(error)}") from error


def mail_of(letter: Letter, sender: str, recipients: tuple[str, ...]) -> bytes:
    """The message as it goes over the wire. Its Message-ID names the Notify, so copies of it are known as such."""
    mail = EmailMessage(policy=SMTP)
    mail["From"] = sender
    mail["To"] = ", ".join(recipients)
    mail["Subject"] = _one_line(letter.subject)
    mail["Date"] = formatdate(letter.written_at)
    mail["Message-ID"] = f"<{letter.id}.{letter.pair}@{sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(letter.text, charset="utf-8", cte="quoted-printable")
    return mail.as_bytes()


def _connected(channel: Email, ca_bundle: str, line: Line) -> smtplib.SMTP:
    """An encrypted connection that has been greeted."""
    context, timeout = tls(channel.verify_tls, ca_bundle), float(channel.timeout_seconds)
    # The name of this machine is given, because smtplib would ask the DNS for it, which may take for ever.
    server = smtplib.SMTP(local_hostname=socket.gethostname(), timeout=timeout)
    connection = line.connect(channel.host, _port(channel), timeout)
    if channel.security == "TLS":
        line.doing = "beginning TLS"
        connection = context.wrap_socket(connection, server_hostname=channel.host)
        line.hold(connection)
    server.sock, server.file = connection, None
    line.doing = "waiting for its greeting"
    code, words = server.getreply()
    if code != 220:
        server.close()
        raise smtplib.SMTPConnectError(code, words)
    if channel.security == "StartTLS":
        line.doing = "beginning TLS"
        server.ehlo_or_helo_if_needed()
        if not server.has_extn("starttls"):
            server.close()
            raise DeliveryFailed(
                f"mail server {channel.host}:{_port(channel)} offers no STARTTLS: nothing is sent in plain text; "
                "use a port that does, or security: TLS"
            )
        server._host = channel.host  # type: ignore[attr-defined] # what starttls compares the certificate with
        server.starttls(context=context)
        if server.sock is not None:
            line.hold(server.sock)
    return server


def _log_in(server: smtplib.SMTP, secrets: Mapping[str, str], secret_name: str) -> None:
    for key in ("username", "password"):
        if not secrets.get(key):
            raise DeliveryFailed(f"Secret {secret_name} has no key {key}: add it")
    server.ehlo_or_helo_if_needed()
    if not server.has_extn("auth"):
        raise DeliveryFailed("the mail server offers no login: leave credentialsSecretName out if it needs none")
    server.login(secrets["username"], secrets["password"])


def _hand_over(server: smtplib.SMTP, letter: Letter, channel: Email, line: Line) -> Receipt:
    line.doing = f"naming the sender {channel.from_}"
    server.ehlo_or_helo_if_needed()
    _expect(server.mail(channel.from_))
    refused = []
    for recipient in channel.to:
        line.doing = f"naming the recipient {recipient}"
        code, words = server.rcpt(recipient)
        if code not in (250, 251):
            refused.append(f"{recipient} ({code} {_one_line(words.decode(errors='replace'))})")
    if len(refused) == len(channel.to):
        raise DeliveryFailed(f"mail server {channel.host} takes no mail for {' and '.join(refused)}")
    line.doing = "handing the message over"
    code, words = server.data(mail_of(letter, channel.from_, channel.to))
    _expect((code, words))
    with suppress(smtplib.SMTPException, OSError):
        server.quit()  # it has the message: whether it says good-bye is all one
    return Receipt(f"{code} {_one_line(words.decode(errors='replace'))}", " and ".join(refused))


def _expect(reply: tuple[int, bytes]) -> None:
    if reply[0] != 250:
        raise smtplib.SMTPResponseException(*reply)


def _port(channel: Email) -> int:
    return channel.port or PORTS[channel.security]


def _one_line(text: str) -> str:
    return " ".join(text.split())
