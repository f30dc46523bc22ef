import ssl
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import pytest

from avance.api.notifications import Email
from avance.messaging.email import send
from avance.messaging.letter import DeliveryFailed, Letter, Line, Receipt
from tests.messaging.servers import PASSWORD, USER, Mailbox, certificate, mail_server, raw_server

LETTER = Letter(
    "notify-mail-1a2b3c4d",
    "shop",
    "CallHome",
    "Warning",
    "[avance] shop: Warning: fän FAN1\nBcc: x@y",
    "Tür\n.\nzu",
    1e9,
)
LOGIN = {"username": USER, "password": PASSWORD}


@pytest.fixture(scope="module", name="trust")
def trust_in_a_certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, str]:
    directory: Path = tmp_path_factory.mktemp("tls")
    return certificate(directory)


def deliver(port: int, ca: str, secrets: dict[str, str] | None = None, **spec: Any) -> Receipt:
    data = {"host": "127.0.0.1", "port": port, "from": "avance@example.com", "to": ["ops@example.com"]}
    login = {"credentialsSecretName": "mail"} if secrets is not None else {}
    channel = Email.parse({**data, **login, "timeoutSeconds": 2, **spec})
    return send(LETTER, channel, secrets or {}, ca, Line())


@pytest.mark.parametrize("security", ["StartTLS", "TLS"])
@pytest.mark.parametrize("login", [True, False])
def test_a_message_arrives_encrypted_and_whole(trust: tuple[ssl.SSLContext, str], security: str, login: bool) -> None:
    mailbox = Mailbox()
    with mail_server(mailbox, trust[0], security=security, login=login) as port:
        receipts = [deliver(port, trust[1], LOGIN if login else None, security=security) for _ in range(2)]
    assert receipts[0] == ("250 2.0.0 queued as 4711", "")
    first, again = (message_from_bytes(mail.content, policy=default) for mail in mailbox.mails)
    assert first["Subject"] == "[avance] shop: Warning: fän FAN1 Bcc: x@y"
    assert first["Bcc"] is None
    assert first["Message-ID"] == again["Message-ID"] == "<notify-mail-1a2b3c4d.shop@example.com>"
    assert first["Auto-Submitted"] == "auto-generated"
    assert first.get_content().splitlines() == ["Tür", ".", "zu"]
    assert mailbox.mails[0].rcpt_tos == ["ops@example.com"]


def test_who_is_not_trusted_gets_nothing(trust: tuple[ssl.SSLContext, str]) -> None:
    mailbox = Mailbox()
    with mail_server(mailbox, trust[0], security="StartTLS", login=False) as port:
        with pytest.raises(DeliveryFailed, match=r"not trusted.*ca\.crt of the Secret"):
            deliver(port, "")
        assert not mailbox.mails
        deliver(port, "", verifyTLS=False)
    assert len(mailbox.mails) == 1


def test_nothing_is_sent_in_plain_text(trust: tuple[ssl.SSLContext, str]) -> None:
    mailbox = Mailbox()
    with (
        mail_server(mailbox, trust[0], security="None", login=False) as port,
        pytest.raises(DeliveryFailed, match="offers no STARTTLS"),
    ):
        deliver(port, trust[1])
    assert not mailbox.mails


def test_refusals_are_told_in_the_servers_words(trust: tuple[ssl.SSLContext, str]) -> None:
    mailbox = Mailbox()
    with mail_server(mailbox, trust[0], security="StartTLS", login=True) as port:
        with pytest.raises(DeliveryFailed, match="logging in: 535"):
            deliver(port, trust[1], {**LOGIN, "password": "wrong"})
        with pytest.raises(DeliveryFailed, match="Secret mail has no key password"):
            deliver(port, trust[1], {"username": USER})
        mailbox.refuse_recipients = {"ops@example.com"}
        with pytest.raises(DeliveryFailed, match=r"takes no mail for ops@example.com \(550 5.1.1 nobody"):
            deliver(port, trust[1], LOGIN)
        taken = deliver(port, trust[1], LOGIN, to=["ops@example.com", "desk@example.com"])
        assert taken.refused == "ops@example.com (550 5.1.1 nobody of that name here)"
        mailbox.answer = "452 4.3.1 no room"
        with pytest.raises(DeliveryFailed, match=r"handing the message over: 452 4\.3\.1 no room"):
            deliver(port, trust[1], LOGIN, to=["desk@example.com"])
    assert [mail.rcpt_tos for mail in mailbox.mails] == [["desk@example.com"]]


@pytest.mark.parametrize(
    ("first", "close", "words"),
    [
        (b"", True, "waiting for its greeting: it broke the connection off"),
        (b"", False, "waiting for its greeting: it broke the connection off|no answer in time"),
        (b"554 not today\r\n", True, "554 not today"),
        (b"220 hello\r\n", True, "beginning TLS: it broke the connection off"),
    ],
)
def test_what_hangs_or_breaks_off_ends_in_words(first: bytes, close: bool, words: str) -> None:
    with raw_server(first, close=close) as port, pytest.raises(DeliveryFailed, match=words):
        deliver(port, "", timeoutSeconds=1)


def test_nobody_listens() -> None:
    with raw_server(b"", close=True) as port:
        pass
    with pytest.raises(DeliveryFailed, match=r"connecting: Connection refused"):
        deliver(port, "")
