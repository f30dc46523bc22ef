"""Asks KubeVirt itself now and then whether it could start and move VMs: with the answers of a well one nobody waits
for the crash that would tell.

virt-api is asked through the API server, as the verbs are; virt-controller tells by its Lease; the fields that a
version lacks by the definition. A field that the API server does not know it drops without a word.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from avance.core.kubevirt_health import LEASE_SILENCE_SECONDS, KubeVirtHealth
from avance.kube.client import Kube
from avance.kube.errors import ApiError, Forbidden, NotFound
from avance.kube.resources import CUSTOM_RESOURCE_DEFINITIONS, KUBEVIRTS, LEASES, MIGRATIONS
from avance.operator.clock import Clock

Object = dict[str, Any]

log = logging.getLogger(__name__)

EVERY_SECONDS = 5.0
IN_DOUBT_SECONDS = 1.0
DEFINITION_SECONDS = 60.0
"""A definition changes with an upgrade of KubeVirt."""
CONTROLLER_LEASE = "virt-controller"
VERBS = "/apis/subresources.kubevirt.io/v1"
TARGET = ("spec", "addedNodeSelector")
"""What aims a migration at the other server of the pair; without it a VM would go anywhere in the cluster."""


class KubeVirtWatch:
    """What is known of KubeVirt; `changed` is called when that has become something else."""

    def __init__(self, kube: Kube, clock: Clock, changed: Callable[[], None]) -> None:
        self._kube = kube
        self._clock = clock
        self._changed = changed
        self._renewal: tuple[str, float, bool] | None = None
        """The Lease's renewal time, when it was first seen, and whether it was seen to change."""
        self._lacks: tuple[str, ...] = ()
        self._definition_due = 0.0
        self.health: KubeVirtHealth | None = None

    async def run(self) -> None:
        """Ask again and again until cancelled."""
        while True:
            found = await self.look()
            if found != self.health:
                if self.health is None or found.well != self.health.well:
                    log.info("KubeVirt: %s", found)
                self.health = found
                self._changed()
            await asyncio.sleep(IN_DOUBT_SECONDS if found.not_told else EVERY_SECONDS)

    async def look(self) -> KubeVirtHealth:
        """Ask once. What cannot be asked leaves what was known, and is told."""
        before = self.health or KubeVirtHealth()
        try:
            found = await self._ask()
        except ApiError as error:
            return replace(before, not_told=str(error))
        except Exception:
            log.exception("KubeVirt could not be asked for a reason nobody foresaw")
            return replace(before, not_told="its answer was not understood; the operator's log has it")
        return replace(found, well_since=self._clock.now() if found.well > before.well else before.well_since)

    async def _ask(self) -> KubeVirtHealth:
        try:
            kubevirts = (await self._kube.list(KUBEVIRTS)).items
        except NotFound:
            kubevirts = []
        if not kubevirts:
            return KubeVirtHealth(installed=False)
        silent, in_doubt = await self._controller(kubevirts[0]["metadata"]["namespace"])
        return KubeVirtHealth(
            api_failure=await self._api_failure(),
            controller_silent=silent,
            lacks=await self._fields_that_are_missing(),
            not_told=in_doubt,
        )

    async def _api_failure(self) -> str:
        """The API server has just answered, so what goes wrong here goes wrong behind it."""
        try:
            await self._kube.discover(VERBS)
        except Forbidden:
            raise
        except ApiError as error:
            return error.message
        return ""

    async def _controller(self, namespace: str) -> tuple[bool, str]:
        """Whether it is silent, and what is in doubt. By this process's own clock, as with the kubelets' Leases."""
        now = self._clock.now()
        try:
            lease = await self._kube.get(LEASES, CONTROLLER_LEASE, namespace)
        except NotFound:
            return True, ""
        renewal = str(lease["spec"].get("renewTime"))
        if self._renewal is None:
            self._renewal = (renewal, now, False)
        elif self._renewal[0] != renewal:
            self._renewal = (renewal, now, True)
        _, since, renewed = self._renewal
        silent = now - since >= LEASE_SILENCE_SECONDS
        return silent, "" if silent or renewed else "virt-controller has not been seen to renew its Lease yet"

    async def _fields_that_are_missing(self) -> tuple[str, ...]:
        now = self._clock.now()
        if self._lacks or now >= self._definition_due:
            definition = await self._kube.get(CUSTOM_RESOURCE_DEFINITIONS, f"{MIGRATIONS.plural}.{MIGRATIONS.group}")
            known = has_field(definition, MIGRATIONS.version, TARGET)
            self._lacks = () if known else (f"{'.'.join(TARGET)} in {MIGRATIONS.kind}",)
            self._definition_due = now + DEFINITION_SECONDS
        return self._lacks


def has_field(definition: Object, version: str, path: tuple[str, ...]) -> bool:
    """Whether the API server keeps this field of an object of that version."""
    schemas = [
        found["schema"]["openAPIV3Schema"] for found in definition["spec"]["versions"] if found["name"] == version
    ]
    if not schemas:
        return False
    schema: Object = schemas[0]
    for name in path:
        if schema.get("x-kubernetes-preserve-unknown-fields"):
            return True
        if name not in (schema.get("properties") or {}):
            return False
        schema = schema["properties"][name]
    return True
