"""Delivers messages in the background. Nothing waits for it, and what it knows of each try is part of the next look.

Each try runs in a thread or process of its own that nobody waits for beyond its time: neither a receiver that hangs nor
a name server can hold up a plan, a deed, the renewal of the Lease, or the end of the process. A channel delivers one
message at a time.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace

from avance.api.notifications import Channel
from avance.api.pair import AvancePair
from avance.core.channels import NOT_TRIED, Delivery, Post, Standing
from avance.core.effects import SendMessage
from avance.core.model import PairView
from avance.kube.client import Kube
from avance.kube.secrets import Secret, SecretUnusable, read_secret
from avance.messaging import email, webhook
from avance.messaging.apprise import Sender
from avance.messaging.letter import DeliveryFailed, Letter, Line, Receipt
from avance.operator.clock import Clock
from avance.operator.messages import part_of

log = logging.getLogger(__name__)

LINES = 32
"""Messages of all pairs that are being delivered at one time."""
NO_SECRET = Secret({}, "", "")


class Postman:
    """One for all pairs; `wake(pair)` asks for a look at a pair once a try has ended."""

    def __init__(self, kube: Kube, namespace: str, clock: Clock, wake: Callable[[str], None]) -> None:
        """`namespace`: the operator's own, where the Secrets are."""
        self._kube = kube
        self._namespace = namespace
        self._clock = clock
        self._wake = wake
        self._known: dict[str, dict[str, Delivery]] = {}
        self._tasks: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._channels: dict[tuple[str, str], asyncio.Lock] = {}
        self._lines = asyncio.Semaphore(LINES)
        self._apprise = Sender()

    def deliver(self, pair: AvancePair, message: SendMessage) -> None:
        """Begin to deliver a message, unless that is under way or done already."""
        name = pair.metadata.name
        known = self._known.setdefault(name, {})
        before = known.get(message.action, NOT_TRIED)
        if before.under_way or before.receipt:
            return
        known[message.action] = replace(before, under_way=True)
        key = (name, message.action)
        self._tasks[key] = asyncio.create_task(self._deliver(pair, message), name=f"message {message.action}")

    def around(self, pair: AvancePair, view: PairView) -> PairView:
        """The view with what is known of the pair's channels and messages."""
        name = pair.metadata.name
        wanted = {action.name for action in view.actions if action.open and action.notification is not None}
        known = self._known.setdefault(name, {})
        for action in known.keys() - wanted:
            if not known[action].under_way:
                del known[action]
        since = {channel.name: channel.since.timestamp() for channel in pair.status.notifications}
        return replace(view, post=Post(since, _standing(pair), dict(known)))

    def forget(self, pair: str) -> None:
        """The pair is gone, and its channels with it."""
        for key in [key for key in self._tasks if key[0] == pair]:
            self._tasks[key].cancel()
        self._known.pop(pair, None)
        self._channels = {key: lock for key, lock in self._channels.items() if key[0] != pair}

    async def close(self) -> None:
        """Stop; a successor sends again what is not on record as delivered."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _deliver(self, pair: AvancePair, message: SendMessage) -> None:
        name, told = pair.metadata.name, message.notification
        lock = self._channels.setdefault((name, told.channel), asyncio.Lock())
        error, receipt = "", Receipt("")
        try:
            async with lock, self._lines:
                receipt = await self._try(pair, message)
        except (DeliveryFailed, SecretUnusable) as failure:
            error = str(failure)
        except Exception as failure:
            # Unforeseen, yet a failed try like any other: the message waits and is tried again.
            log.exception("message %s: the try failed for a reason nobody foresaw", message.action)
            error = f"{type(failure).__name__}: {failure}"
        finally:
            self._tasks.pop((name, message.action), None)
        known = self._known.get(name, {})
        tries = known.get(message.action, NOT_TRIED).tries + 1
        known[message.action] = Delivery(False, tries, self._clock.now(), error, receipt.words, receipt.refused)
        if error:
            log.warning("message %s of pair %s: try %d failed: %s", message.action, name, tries, error)
        else:
            log.info("message %s of pair %s: %s has taken it: %s", message.action, name, told.channel, receipt.words)
        self._wake(name)

    async def _try(self, pair: AvancePair, message: SendMessage) -> Receipt:
        told = message.notification
        channel = next((each for each in pair.spec.notifications.channels if each.name == told.channel), None)
        if channel is None:
            raise DeliveryFailed(f"channel {told.channel} is gone from spec.notifications")
        letter = Letter(
            id=message.action,
            pair=pair.metadata.name,
            kind=str(told.kind or "Test"),
            severity=told.severity.word,
            subject=told.subject,
            text=told.text,
            written_at=message.created_at,
            parts=tuple(map(part_of, told.parts)),
        )
        secret = await self._secret(channel)
        if channel.apprise is not None:
            return await self._apprise.send(letter, channel.apprise, secret.values, secret.ca_bundle)
        return await _in_a_thread(channel, lambda line: _send(letter, channel, secret, line))

    async def _secret(self, channel: Channel) -> Secret:
        """Read each time, so that a changed password counts from the next try on."""
        if channel.webhook is not None:
            return await read_secret(self._kube, self._namespace, channel.webhook.secret_name, "the key hmacKey")
        if channel.apprise is not None:
            key = f"the key {channel.apprise.key}"
            return await read_secret(self._kube, self._namespace, channel.apprise.secret_name, key)
        if channel.email is not None and channel.email.credentials_secret_name:
            name, keys = channel.email.credentials_secret_name, "the keys username and password"
            return await read_secret(self._kube, self._namespace, name, keys)
        return NO_SECRET


def _send(letter: Letter, channel: Channel, secret: Secret, line: Line) -> Receipt:
    if channel.email is not None:
        return email.send(letter, channel.email, secret.values, secret.ca_bundle, line)
    if channel.webhook is not None:
        return webhook.send(letter, channel.webhook, secret.values, secret.ca_bundle, line)
    raise DeliveryFailed(f"channel {channel.name} says neither email, webhook nor apprise: set one of them")


async def _in_a_thread(channel: Channel, send: Callable[[Line], Receipt]) -> Receipt:
    """Run it for as long as the channel allows. A thread that does not end by then is left behind, its line cut.

    No thread of a pool: those are few, others need them, and the process waits for them when it ends.
    """
    settings = channel.email or channel.webhook
    seconds = float(settings.timeout_seconds) if settings else 1.0
    loop, line = asyncio.get_running_loop(), Line()
    outcome: asyncio.Future[Receipt] = loop.create_future()

    def settle(receipt: Receipt | None, error: Exception | None) -> None:
        if outcome.done():
            return
        if receipt is not None:
            outcome.set_result(receipt)
        elif error is not None:
            outcome.set_exception(error)

    def work() -> None:
        result: tuple[Receipt | None, Exception | None]
        try:
            result = send(line), None
        except Exception as error:
            result = None, error
        with suppress(RuntimeError):  # the loop has ended meanwhile: nobody waits any more
            loop.call_soon_threadsafe(settle, *result)

    threading.Thread(target=work, name=f"channel {channel.name}", daemon=True).start()
    try:
        async with asyncio.timeout(seconds):
            return await outcome
    except TimeoutError:
        raise DeliveryFailed(f"not done within {seconds:g} s, {line.doing}") from None
    finally:
        line.cut()


def _standing(pair: AvancePair) -> tuple[Standing, ...]:
    holds: Mapping[str, bool | None] = {"True": True, "False": False}
    return tuple(
        Standing(
            condition.type,
            holds.get(condition.status),
            condition.reason,
            condition.message,
            condition.last_transition_time.timestamp(),
        )
        for condition in pair.status.conditions
    )
