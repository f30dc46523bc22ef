import json
import ssl
from pathlib import Path
from typing import Any

import pytest

from avance.api.notifications import Webhook
from avance.messaging.letter import DeliveryFailed, Letter, Line, Receipt
from avance.messaging.webhook import send
from tests.messaging.servers import Receiver, certificate, https_receiver, raw_server

LETTER = Letter("notify-desk-1a2b3c4d", "shop", "CallHome", "Warning", "a fan failed", "fän", 1e9)
DOCS = Path(__file__).parents[2] / "docs" / "notifications.md"


@pytest.fixture(scope="module", name="trust")
def trust_in_a_certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, str]:
    return certificate(tmp_path_factory.mktemp("tls"))


def deliver(port: int, ca: str, **spec: Any) -> Receipt:
    data = {"url": f"https://127.0.0.1:{port}/hook?site=1", "secretName": "desk", "timeoutSeconds": 2, **spec}
    return send(LETTER, Webhook.parse(data), {"hmacKey": "k"}, ca, Line())


def test_an_event_arrives_and_the_documented_lines_verify_it(trust: tuple[ssl.SSLContext, str]) -> None:
    receiver = Receiver()
    with https_receiver(receiver, trust[0]) as port:
        assert deliver(port, trust[1]).words.startswith("204")
    headers, body = receiver.got[0]
    event = json.loads(body)
    assert headers["Content-Type"] == "application/cloudevents+json; charset=utf-8"
    assert {key: event[key] for key in ("specversion", "id", "source", "type", "time")} == {
        "specversion": "1.0",
        "id": "notify-desk-1a2b3c4d",
        "source": "/avance.dev/pairs/shop",
        "type": "dev.avance.callhome.v1",
        "time": "2001-09-09T01:46:40Z",
    }
    assert event["data"]["text"] == "fän"
    code = DOCS.read_text().split("```python\n")[1].split("```")[0]
    documented: dict[str, Any] = {}
    exec(code, documented)
    assert documented["is_from_avance"](b"k", headers, body)
    assert not documented["is_from_avance"](b"another", headers, body)
    assert not documented["is_from_avance"](b"k", headers, body + b" ")
    assert not documented["is_from_avance"](b"k", {}, body)


@pytest.mark.parametrize(
    ("status", "headers", "words"),
    [
        (404, {}, "answers 404 Not Found"),
        (503, {}, "answers 503 Service Unavailable"),
        (302, {"Location": "https://elsewhere.example/"}, "answers 302 Found; redirects are not followed"),
    ],
)
def test_every_answer_but_a_good_one_is_a_failure(
    trust: tuple[ssl.SSLContext, str], status: int, headers: dict[str, str], words: str
) -> None:
    receiver = Receiver()
    receiver.status, receiver.headers = status, headers
    with https_receiver(receiver, trust[0]) as port, pytest.raises(DeliveryFailed, match=words):
        deliver(port, trust[1])


def test_who_is_not_trusted_gets_nothing(trust: tuple[ssl.SSLContext, str]) -> None:
    receiver = Receiver()
    with https_receiver(receiver, trust[0]) as port, pytest.raises(DeliveryFailed, match="not trusted"):
        deliver(port, "")
    assert not receiver.got


@pytest.mark.parametrize("close", [True, False])
def test_what_hangs_or_breaks_off_ends_in_words(close: bool) -> None:
    with raw_server(b"", close=close) as port, pytest.raises(DeliveryFailed, match="beginning TLS: "):
        deliver(port, "", timeoutSeconds=1)


def test_a_receiver_without_a_key_is_told_what_to_do() -> None:
    channel = Webhook.parse({"url": "https://127.0.0.1/hook", "secretName": "desk"})
    with pytest.raises(DeliveryFailed, match="Secret desk has no key hmacKey"):
        send(LETTER, channel, {}, "", Line())
