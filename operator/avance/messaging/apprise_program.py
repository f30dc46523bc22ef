"""Sends one message by apprise and ends: `python -m avance.messaging.apprise_program`.

A process of its own, because apprise can be told neither which authorities to trust nor when to give up, and because a
service that hangs is ended with it. It reads one JSON object from its standard input (`url`, `title`, `body`, `kind`)
and writes one to its standard output (`taken`: true or false, and `words`). The URL holds tokens: no piece of it is in
the words.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from typing import Any
from urllib.parse import unquote

import apprise

_PIECES = re.compile(r"[^\s:/@?&=+,;#]+")
_SHORTEST_SECRET = 4
_HARMLESS = frozenset({"https", "http", "true", "false"})


class Words(logging.Handler):
    """What apprise says of its work; debugging output, which has whole URLs in it, is not wanted."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.said: list[tuple[int, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append((record.levelno, record.getMessage()))

    def of(self, level: int) -> str:
        return " ".join(" ".join(text.split()) for grave, text in self.said if grave >= level)


def main() -> None:
    """Does what its input says; its exit status says nothing."""
    asked = json.load(sys.stdin)
    answer, sys.stdout = sys.stdout, sys.stderr  # what a plug-in prints is no answer
    taken, words = deliver(asked["url"], asked["title"], asked["body"], asked["kind"])
    json.dump({"taken": taken, "words": without_secrets(words, asked["url"])}, answer)


def deliver(url: str, title: str, body: str, kind: str) -> tuple[bool, str]:
    """Whether the service has taken it, and what there is to say about that."""
    heard, logger = Words(), logging.getLogger("apprise")
    logger.setLevel(logging.INFO)
    logger.addHandler(heard)
    settings = apprise.AppriseAsset(async_mode=False, http_redirects=False)
    service: Any = apprise.Apprise.instantiate(url, asset=settings, suppress_exceptions=True)
    if service is None:
        return False, "no service that apprise knows has such a URL: write it as apprise's documentation says"
    refusal = why_not_encrypted(service, url)
    if refusal:
        return False, refusal
    service.redirects = False
    if "overflow=" not in url:
        service.overflow_mode = apprise.OverflowMode.TRUNCATE  # one message of its beginning, not a dozen of all of it
    taken = service.notify(body=body, title=title, notify_type=kind, body_format=apprise.NotifyFormat.TEXT)
    if taken:
        return True, heard.of(logging.INFO) or "the service has taken it"
    return False, heard.of(logging.WARNING) or "the service did not take it, and apprise does not say why"


def why_not_encrypted(service: Any, url: str) -> str:
    """Why this URL would send in plain text, or nowhere at all; empty if it is encrypted for certain."""
    scheme = url.partition("://")[0].strip().lower()
    secure = _names(service.secure_protocol)
    if scheme not in secure:
        instead = f": write {' or '.join(f'{name}://' for name in secure)}" if secure else ", and has no other way"
        return f"{scheme}:// does not encrypt{instead}; nothing is sent in plain text"
    mode = getattr(service, "secure_mode", None)
    if str(getattr(mode, "value", mode) or "").lower() == "insecure":
        return "mode=insecure does not encrypt: leave it out; nothing is sent in plain text"
    return ""


def without_secrets(words: str, url: str) -> str:
    """The words without any piece of the URL behind its scheme."""
    told = url.partition("://")[2]
    found = (*_PIECES.findall(told), *_PIECES.findall(unquote(told)))  # services name them as they are, too
    pieces = {piece for piece in found if len(piece) >= _SHORTEST_SECRET}
    for piece in sorted(pieces - _HARMLESS, key=len, reverse=True):
        words = words.replace(piece, "***")
    return words


def _names(protocol: Any) -> tuple[str, ...]:
    if not protocol:
        return ()
    return (protocol,) if isinstance(protocol, str) else tuple(protocol)


if __name__ == "__main__":
    main()
