"""Messages are delivered in the background, by real servers, and nothing waits for those that hang."""

import asyncio
import base64
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from avance.api.pair import AvancePair
from avance.core.channels import NOT_TRIED, Delivery, MessageKind, Notification
from avance.core.effects import SendMessage
from avance.core.model import ActionType, ActionView, PairView
from avance.operator.clock import Clock
from avance.operator.postman import Postman
from tests.kubevirt.recorder import recording
from tests.messaging.servers import (
    PASSWORD,
    USER,
    Mailbox,
    Receiver,
    certificate,
    https_receiver,
    mail_server,
    raw_server,
)

SECRET = "GET /api/v1/namespaces/avance-system/secrets/mail"


@pytest.fixture(scope="module", name="trust")
def trust_in_a_certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, str]:
    directory: Path = tmp_path_factory.mktemp("tls")
    return certificate(directory)


def secret(ca: str) -> dict[str, Any]:
    plain = {"username": USER, "password": PASSWORD, "ca.crt": ca}
    data = {key: base64.b64encode(value.encode()).decode() for key, value in plain.items()}
    return {"metadata": {"name": "mail", "resourceVersion": "1"}, "data": data}


def pair(**ports: int) -> AvancePair:
    channels = [
        {
            "name": name,
            "email": {
                "host": "127.0.0.1", "port": port, "from": "avance@example.com", "to": ["ops@example.com"],
                "credentialsSecretName": "mail", "timeoutSeconds": 1,
            },
        }
        for name, port in ports.items()
    ]  # fmt: skip
    spec = {"nodeSelector": {"avance.dev/pair": "shop"}, "notifications": {"channels": channels}}
    return AvancePair.parse({"metadata": {"name": "shop", "uid": "u", "generation": 1}, "spec": spec})


def message(name: str, channel: str) -> SendMessage:
    return SendMessage(name, Notification(channel, MessageKind.CALL_HOME, subject="s", text="t"), 1e9, 0)


class Bench:
    def __init__(self, kube: Any) -> None:
        self.woken = asyncio.Event()
        self.postman = Postman(kube, "avance-system", Clock(), lambda _: self.woken.set())

    def delivery(self, of: AvancePair, name: str) -> Delivery:
        told = Notification("mail")
        action = ActionView(name, ActionType.NOTIFY, "shop", name, "R", "m", 0.0, notification=told)
        view = self.postman.around(of, PairView("shop", actions=(action,)))
        return view.post.deliveries.get(name, NOT_TRIED)

    async def until(self, so: Callable[[], bool]) -> None:
        async with asyncio.timeout(40):
            while not so():
                self.woken.clear()
                await self.woken.wait()


async def test_a_channel_that_hangs_delays_no_other_and_ends_in_words(trust: tuple[ssl.SSLContext, str]) -> None:
    mailbox = Mailbox()
    with mail_server(mailbox, trust[0], security="StartTLS", login=True) as good, raw_server(b"", close=False) as deaf:
        async with recording({SECRET: (200, secret(trust[1]))}) as (_, kube):
            bench, shop = Bench(kube), pair(mail=good, fax=deaf)
            began = time.monotonic()
            bench.postman.deliver(shop, message("a", "fax"))
            bench.postman.deliver(shop, message("b", "mail"))
            assert time.monotonic() - began < 0.5
            assert bench.delivery(shop, "a").under_way
            await bench.until(lambda: bool(bench.delivery(shop, "b").receipt))
            await bench.until(lambda: bool(bench.delivery(shop, "a").error))
            failed = bench.delivery(shop, "a")
            assert (failed.tries, failed.under_way, failed.receipt) == (1, False, "")
            assert "waiting for its greeting" in failed.error
            await bench.postman.close()
    assert len(mailbox.mails) == 1


async def test_a_missing_secret_is_a_failed_try_that_says_what_to_do() -> None:
    async with recording({}) as (_, kube):
        bench, shop = Bench(kube), pair(mail=1)
        bench.postman.deliver(shop, message("a", "mail"))
        await bench.until(lambda: bool(bench.delivery(shop, "a").error))
        assert "Secret avance-system/mail" in bench.delivery(shop, "a").error
        await bench.postman.close()


async def test_a_service_that_apprise_knows_is_told_and_its_url_is_nowhere(
    trust: tuple[ssl.SSLContext, str], caplog: pytest.LogCaptureFixture
) -> None:
    receiver, token = Receiver(), "T0KEN-that-nobody-sees"
    channels = [{"name": "chat", "apprise": {"secretName": "mail"}}]
    spec = {"nodeSelector": {"avance.dev/pair": "shop"}, "notifications": {"channels": channels}}
    shop = AvancePair.parse({"metadata": {"name": "shop", "uid": "u", "generation": 1}, "spec": spec})
    with https_receiver(receiver, trust[0]) as port:
        plain = {"url": f"jsons://127.0.0.1:{port}/{token}", "ca.crt": trust[1]}
        data = {key: base64.b64encode(value.encode()).decode() for key, value in plain.items()}
        answer = {"metadata": {"name": "mail", "resourceVersion": "1"}, "data": data}
        async with recording({SECRET: (200, answer)}) as (_, kube):
            bench = Bench(kube)
            receiver.status = 503
            bench.postman.deliver(shop, message("a", "chat"))
            await bench.until(lambda: bool(bench.delivery(shop, "a").error))
            refused = bench.delivery(shop, "a").error
            receiver.status = 200
            bench.postman.deliver(shop, message("a", "chat"))
            await bench.until(lambda: bool(bench.delivery(shop, "a").receipt))
            await bench.postman.close()
    assert "503" in refused
    assert len(receiver.got) == 2
    assert token not in f"{refused}{bench.delivery(shop, 'a').receipt}{caplog.text}"
