"""Kubernetes Events, with the same reasons and sentences as the log. Posting never holds anything up."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from avance.kube.client import Kube
from avance.kube.errors import ApiError
from avance.kube.resources import EVENTS, Resource

Object = dict[str, Any]

log = logging.getLogger(__name__)

QUEUE_LENGTH = 1000
"""Events that wait to be posted; more are dropped, and the log has them all the same."""


class EventPoster:
    """Logs each event at once and posts it in the background."""

    def __init__(self, kube: Kube, reporting_instance: str) -> None:
        self._kube = kube
        self._instance = reporting_instance
        self._queue: asyncio.Queue[tuple[Object, str]] = asyncio.Queue(QUEUE_LENGTH)

    def tell(self, resource: Resource, obj: Object, reason: str, message: str, *, warning: bool = False) -> None:
        """Say what was decided or happened about an object."""
        metadata = obj["metadata"]
        level = logging.WARNING if warning else logging.INFO
        log.log(level, "%s: %s", reason, message, extra={"object": f"{resource.kind}/{metadata['name']}"})
        namespace = metadata.get("namespace") or "default"
        event = {
            "apiVersion": EVENTS.api_version,
            "kind": EVENTS.kind,
            "metadata": {"name": f"{metadata['name'][:200]}.{uuid4().hex[:16]}", "namespace": namespace},
            "eventTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "reportingController": "avance.dev/operator",
            "reportingInstance": self._instance,
            "action": reason,
            "reason": reason,
            "note": message[:1024],
            "type": "Warning" if warning else "Normal",
            "regarding": {
                "apiVersion": resource.api_version,
                "kind": resource.kind,
                "name": metadata["name"],
                "uid": metadata["uid"],
                **({"namespace": metadata["namespace"]} if metadata.get("namespace") else {}),
            },
        }
        try:
            self._queue.put_nowait((event, namespace))
        except asyncio.QueueFull:
            log.warning("too many events wait to be posted; dropped %s: %s", reason, message)

    async def run(self) -> None:
        """Post what is told, for ever."""
        while True:
            event, namespace = await self._queue.get()
            try:
                await self._kube.create(EVENTS, event, namespace)
            except ApiError as error:
                log.warning("event %s was not posted: %s", event["reason"], error)
