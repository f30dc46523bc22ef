"""Messages by apprise: a real HTTPS receiver that accepts, refuses, redirects and hangs; and nothing leaks."""

import json
import ssl
import time
from pathlib import Path
from typing import Any

import pytest

from avance.api.notifications import Apprise
from avance.messaging.apprise import Sender
from avance.messaging.apprise_program import deliver, without_secrets
from avance.messaging.letter import DeliveryFailed, Letter, Receipt
from tests.messaging.servers import Receiver, certificate, https_receiver, raw_server

LETTER = Letter("notify-chat-1a2b3c4d", "shop", "CallHome", "Warning", "[avance] shop: fän FAN1", "Tür\nzu", 1e9)
TOKEN = "T0KEN-that-nobody-sees"


@pytest.fixture(scope="module", name="trust")
def trust_in_a_certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, str]:
    directory: Path = tmp_path_factory.mktemp("tls")
    return certificate(directory)


async def send(url: str, ca: str, **spec: Any) -> Receipt:
    """By the real process."""
    channel = Apprise.parse({"secretName": "chat", "timeoutSeconds": 50, **spec})
    return await Sender().send(LETTER, channel, {"url": url}, ca)


async def test_a_message_arrives_whole_at_a_private_authoritys_service(trust: tuple[ssl.SSLContext, str]) -> None:
    receiver = Receiver()
    with https_receiver(receiver, trust[0]) as port:
        receipt = await send(f"jsons://127.0.0.1:{port}/{TOKEN}\n", trust[1])
    said = json.loads(receiver.got[0][1])
    assert (said["title"], said["message"], said["type"]) == ("[avance] shop: fän FAN1", "Tür\nzu", "warning")
    assert receipt.words.startswith("jsons: Sent")
    assert not receipt.refused


async def test_a_service_that_hangs_is_ended_with_its_time() -> None:
    with raw_server(b"", close=False) as port:
        began = time.monotonic()
        with pytest.raises(DeliveryFailed, match="did not take it within 1 s") as failed:
            await send(f"jsons://127.0.0.1:{port}/{TOKEN}", "", timeoutSeconds=1)
        assert time.monotonic() - began < 20
    assert TOKEN not in str(failed.value)


@pytest.mark.parametrize(("status", "words"), [(500, "error=500"), (302, "error=302"), (307, "error=307")])
def test_a_refusal_is_told_in_apprises_words_and_no_redirect_is_followed(
    trust: tuple[ssl.SSLContext, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, status: int, words: str
) -> None:
    authority = tmp_path / "ca.crt"
    authority.write_text(trust[1])
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority))
    receiver, elsewhere = Receiver(), Receiver()
    receiver.status = status
    with https_receiver(receiver, trust[0]) as port, https_receiver(elsewhere, trust[0]) as other:
        receiver.headers = {"Location": f"https://127.0.0.1:{other}/", "Content-Length": "0"}
        # A URL that asks for redirects gets none either: they may lead into plain text.
        taken, said = deliver(f"jsons://127.0.0.1:{port}/{TOKEN}?redirect=yes", "subject", "text", "info")
    assert not taken
    assert words in said
    assert len(receiver.got) == 1
    assert not elsewhere.got


async def test_who_is_not_trusted_gets_nothing(trust: tuple[ssl.SSLContext, str]) -> None:
    receiver = Receiver()
    with (
        https_receiver(receiver, trust[0]) as port,
        pytest.raises(DeliveryFailed, match=r"jsons .*Secret chat") as failed,
    ):
        await send(f"jsons://user:{TOKEN}@127.0.0.1:{port}/x", "")
    assert not receiver.got
    assert TOKEN not in str(failed.value)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("json://127.0.0.1/hook", "json:// does not encrypt: write jsons://"),
        ("ntfy://ntfy.example/topic", "ntfy:// does not encrypt: write ntfys://"),
        ("syslog://", "syslog:// does not encrypt, and has no other way"),
        ("mailtos://u:p@mail.example?mode=insecure&to=a@b.example", "mode=insecure does not encrypt"),
        ("nosuch://127.0.0.1/hook", "no service that apprise knows"),
        ("slack://short", "no service that apprise knows"),
    ],
)
def test_what_would_not_be_encrypted_or_is_no_service_is_refused_with_advice(url: str, words: str) -> None:
    taken, said = deliver(url, "subject", "text", "info")
    assert not taken
    assert words in said


@pytest.mark.parametrize("url", ["", "ops@example.com", "jsons://a.example jsons://b.example"])
async def test_a_secret_that_holds_no_url_says_what_it_has_to_hold(url: str) -> None:
    with pytest.raises(DeliveryFailed, match="key url of Secret chat has to hold one URL"):
        await send(url, "")


def test_no_piece_of_the_url_is_told() -> None:
    url = f"slack://{TOKEN}/B0B0B0/channel?secret=%68idden"
    words = without_secrets(f"slack: {TOKEN} of {url} and B0B0B0, https://hooks.slack.com/%68idden hidden", url)
    assert words == "slack: *** of slack://***/***/***?***=*** and ***, https://hooks.slack.com/*** ***"
