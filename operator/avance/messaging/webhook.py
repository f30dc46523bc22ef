"""A signed webhook: a CloudEvent 1.0 in structured JSON, with the HMAC-SHA256 of the body in a header."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import urlsplit

from avance import __version__
from avance.api.notifications import Webhook
from avance.messaging.letter import DeliveryFailed, Letter, Line, Receipt, in_words, tls

SIGNATURE = "Avance-Signature"
"""Header with `sha256=` and the HMAC of the body in hexadecimal digits."""
ANSWER_LENGTH = 200
"""Bytes of an answer that are told to people."""


def send(letter: Letter, channel: Webhook, secrets: Mapping[str, str], ca_bundle: str, line: Line) -> Receipt:
    """Deliver to the receiver; blocks. Raises DeliveryFailed for every answer but 2xx.

    At most `timeout_seconds` for each wait; whoever wants a limit for all of it cuts the line.
    """
    key = secrets.get("hmacKey", "").strip()
    if not key:
        raise DeliveryFailed(f"Secret {channel.secret_name} has no key hmacKey: add it, and give it to the receiver")
    url, body = urlsplit(channel.url), event_of(letter)
    host, where = url.hostname or "", f"{url.hostname}{url.path}"
    headers = {
        "Content-Type": "application/cloudevents+json; charset=utf-8",
        "User-Agent": f"avance/{__version__}",
        SIGNATURE: signature(key, body),
        "Connection": "close",
    }
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    try:
        context = tls(channel.verify_tls, ca_bundle)
        connection = http.client.HTTPSConnection(host, url.port or 443)
        plain = line.connect(host, url.port or 443, float(channel.timeout_seconds))
        line.doing = "beginning TLS"
        connection.sock = context.wrap_socket(plain, server_hostname=host)
        line.hold(connection.sock)
        line.doing = "waiting for its answer"
        try:
            connection.request("POST", target, body, headers)
            answer = connection.getresponse()
            words = answer.read(ANSWER_LENGTH).decode(errors="replace")
        finally:
            connection.close()
    except http.client.HTTPException as error:
        raise DeliveryFailed(f"{where}, {line.doing}: it broke off, or speaks no HTTP ({error!r})") from error
    except OSError as error:
        raise DeliveryFailed(f"{where}, {line.doing}: {in_words(error)}") from error
    told = " ".join(f"{answer.status} {answer.reason} {words}".split())
    if not 200 <= answer.status < 300:
        redirected = "; redirects are not followed: write the url where it ends" if answer.status // 100 == 3 else ""
        raise DeliveryFailed(f"{where} answers {told}{redirected}")
    return Receipt(told)


def event_of(letter: Letter) -> bytes:
    """The body: structured mode of CloudEvents 1.0 (JSON). Source and id together name it for good."""
    event = {
        "specversion": "1.0",
        "id": letter.id,
        "source": f"/avance.dev/pairs/{letter.pair}",
        "type": f"dev.avance.{letter.kind.lower()}.v1",
        "time": datetime.fromtimestamp(letter.written_at, UTC).isoformat().replace("+00:00", "Z"),
        "subject": letter.pair,
        "datacontenttype": "application/json",
        "data": {
            "pair": letter.pair,
            "kind": letter.kind,
            "severity": letter.severity,
            "subject": letter.subject,
            "text": letter.text,
            "parts": list(letter.parts),
        },
    }
    return json.dumps(event, ensure_ascii=False).encode()


def signature(key: str, body: bytes) -> str:
    """What the header holds: `sha256=` and 64 hexadecimal digits."""
    return "sha256=" + hmac.new(key.encode(), body, hashlib.sha256).hexdigest()
