"""Keeps the sizes of KubeVirt's instance types at hand: a VM that is sized by one counts before it has ever run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from avance.kube.client import Kube
from avance.kube.errors import ApiError, NotFound
from avance.kube.resources import CLUSTER_INSTANCE_TYPES, CONTROLLER_REVISIONS, INSTANCE_TYPES
from avance.operator.clock import Clock

Object = dict[str, Any]
Key = tuple[str, str, str]
"""Kind, namespace (empty for the cluster's) and name."""

FRESH_SECONDS = 30.0
TROUBLE_SECONDS = 3.0
"""Between questions for one that is missing: somebody waits for it."""
_RESOURCES = {each.kind: each for each in (CLUSTER_INSTANCE_TYPES, INSTANCE_TYPES, CONTROLLER_REVISIONS)}


@dataclass(frozen=True, slots=True)
class TypeAnswer:
    """What is known of one instance type."""

    at: float
    """When it was asked for."""
    spec: Object | None
    """Its spec; None if there is none, or if it could not be read."""
    trouble: str = ""
    """Why not, in words."""


TypeAnswers = Mapping[Key, TypeAnswer]


class InstanceTypes:
    """Asks in the background, one look at a time, and wakes whoever waits for an answer that changed.

    `answers`: what is known by now.
    """

    def __init__(self, kube: Kube, clock: Clock) -> None:
        self._kube = kube
        self._clock = clock
        self.answers: dict[Key, TypeAnswer] = {}
        self._asking: dict[str, asyncio.Task[None]] = {}

    def keep_fresh(self, asker: str, wanted: Iterable[Key], wake: Callable[[], None]) -> float | None:
        """Ask for what is unknown or old; returns when the next question falls due, None without any."""
        keys = set(wanted)
        if not keys or (asker in self._asking and not self._asking[asker].done()):
            return None
        now = self._clock.now()
        due_at = {key: self._due_at(key) for key in keys}
        due = {key for key, at in due_at.items() if at <= now}
        if due:
            self._asking[asker] = asyncio.create_task(self._ask(due, wake))
        return min(now + TROUBLE_SECONDS if key in due else at for key, at in due_at.items())

    def _due_at(self, key: Key) -> float:
        known = self.answers.get(key)
        if known is None:
            return 0.0
        return known.at + (TROUBLE_SECONDS if known.trouble else FRESH_SECONDS)

    async def ask(self, wanted: Iterable[Key]) -> None:
        """Ask now, and wait for the answers."""
        await self._ask(set(wanted), lambda: None)

    async def close(self) -> None:
        """Stop asking."""
        for task in self._asking.values():
            task.cancel()
        await asyncio.gather(*self._asking.values(), return_exceptions=True)

    async def _ask(self, keys: set[Key], wake: Callable[[], None]) -> None:
        changed = False
        for key in sorted(keys):
            before = self.answers.get(key)
            answer = self.answers[key] = await self._look_up(key, before)
            changed |= before is None or (before.spec, before.trouble) != (answer.spec, answer.trouble)
        if changed:
            wake()

    async def _look_up(self, key: Key, before: TypeAnswer | None) -> TypeAnswer:
        kind, namespace, name = key
        now, resource = self._clock.now(), _RESOURCES[kind]
        try:
            found = await self._kube.get(resource, name, namespace)
        except NotFound:
            where = f" in namespace {namespace}" if namespace else ""
            return TypeAnswer(now, None, f"there is no {kind} {name}{where}: make it, or name another one")
        except ApiError as error:
            if before is not None and before.spec is not None:
                return TypeAnswer(now, before.spec)  # silence says nothing new
            return TypeAnswer(now, None, f"{kind} {name} cannot be read: {error}")
        spec = (found.get("data") or {}).get("spec") if kind == "ControllerRevision" else found.get("spec")
        return TypeAnswer(now, spec or {})
