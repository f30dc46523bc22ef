"""Whatever people use: chats, push services and SMS, through apprise, which runs in a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from avance.api.notifications import Apprise
from avance.messaging.letter import DeliveryFailed, Letter, Receipt

AT_ONE_TIME = 3
"""Processes of all pairs: each takes some 60 MB while it sends."""
WORDS_SHOWN = 400
KINDS = {"Info": "info", "Warning": "warning", "Critical": "failure"}
"""How apprise calls the severities; what is over is a success."""
PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "PYTHONPATH")


class Sender:
    """Delivers by apprise, for all pairs."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(AT_ONE_TIME)

    async def send(self, letter: Letter, channel: Apprise, secrets: Mapping[str, str], ca_bundle: str) -> Receipt:
        """Deliver to the service. Raises DeliveryFailed, never with a piece of the URL in its words."""
        url = secrets.get(channel.key, "").strip()
        if "://" not in url or len(url.split()) > 1:
            wanted = "one URL as apprise writes it, such as slack://… or ntfys://…"
            raise DeliveryFailed(f"key {channel.key} of Secret {channel.secret_name} has to hold {wanted}")
        kind = "success" if letter.kind == "Recovered" else KINDS[letter.severity]
        asked = {"url": url, "title": letter.subject, "body": letter.text, "kind": kind}
        async with self._places:
            answer = await _run(json.dumps(asked).encode(), ca_bundle, float(channel.timeout_seconds))
        service = url.partition("://")[0]
        words = " ".join(str(answer.get("words", "")).split())[:WORDS_SHOWN]
        if not answer.get("taken"):
            raise DeliveryFailed(f"{service} (Secret {channel.secret_name}): {words}")
        return Receipt(f"{service}: {words}")


async def _run(asked: bytes, ca_bundle: str, seconds: float) -> dict[str, object]:
    """The program's answer. It is ended, whatever it does, after so many seconds."""
    with tempfile.TemporaryDirectory(prefix="avance-apprise-") as home:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "avance.messaging.apprise_program",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,  # what goes wrong in there may name the URL
            env=_environment(Path(home), ca_bundle),
            cwd=home,
        )
        try:
            async with asyncio.timeout(seconds):
                output, _ = await process.communicate(asked)
        except TimeoutError:
            raise DeliveryFailed(f"the service did not take it within {seconds:g} s") from None
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await asyncio.shield(process.wait())
    try:
        answer: dict[str, object] = json.loads(output)
    except ValueError:
        raise DeliveryFailed(f"apprise broke off with exit status {process.returncode}") from None
    return answer


def _environment(home: Path, ca_bundle: str) -> dict[str, str]:
    """Nothing of the operator's own environment but where programs are found, and whom to trust."""
    kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    if ca_bundle:
        authority = home / "ca.crt"
        authority.write_text(ca_bundle)
        kept |= {"REQUESTS_CA_BUNDLE": str(authority), "SSL_CERT_FILE": str(authority)}
    return {**kept, "LANG": "C.UTF-8", "HOME": str(home)}
