"""The edit that pauses a pair or a VM, or ends its pause, and the operator's word that it has taken it in."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from argparse import Namespace
from dataclasses import dataclass
from typing import Any

from avance.cli.exits import OK, TIMED_OUT, USAGE, Failure
from avance.cli.looking import answered, look
from avance.cli.requests import POLL_SECONDS, written
from avance.kube.client import Kube
from avance.kube.errors import Unavailable
from avance.kube.resources import AVANCE_PAIRS, PROTECTED_VMS, Resource
from avance.operator.glimpse import Glimpse, connected

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Paused:
    """What is paused: a pair, or one VM of it."""

    resource: Resource
    name: str
    namespace: str = ""

    @property
    def words(self) -> str:
        return f"VM {self.namespace}/{self.name}" if self.namespace else f"pair {self.name}"


def edit(chosen: Namespace, pause: Object | None) -> int:
    """Write a pause, or end it with None; returns the exit status. Raises Failure."""
    seen = look(chosen, chosen.vm)
    what = _meant(seen, chosen.vm)
    return answered(_write(chosen, seen, what, pause))


def _meant(seen: Glimpse, vm: str) -> Paused:
    """Raises Failure for a VM that is not there, or that is not the only one of its name."""
    if not vm:
        return Paused(AVANCE_PAIRS, seen.pair.metadata.name)
    found = [key for key in seen.vms if vm in (key, key.partition("/")[2])]
    if len(found) != 1:
        there = ", ".join(found or seen.vms) or "none"
        raise Failure(f"say which VM is meant as NAMESPACE/NAME; there are: {there}", USAGE)
    namespace, _, name = found[0].partition("/")
    return Paused(PROTECTED_VMS, name, namespace)


async def _write(chosen: Namespace, seen: Glimpse, what: Paused, pause: Object | None) -> int:
    async with connected(chosen.kubeconfig, chosen.context) as kube:
        patch = {"spec": {"pause": pause}}
        made = await written(kube.patch_merge(what.resource, what.name, patch, what.namespace))
        if chosen.wait:
            if seen.nobody_acts:
                sys.stderr.write(f"it waits until an operator leads: {seen.nobody_acts}\n")
            made = await _taken_in(kube, what, made["metadata"]["generation"], chosen.timeout)
    told = f"{what.words} is paused until {pause['until']}" if pause else f"{what.words} is not paused"
    sys.stdout.write(f"{json.dumps(made)}\n" if chosen.output == "json" else f"{told}\n")
    return OK


async def _taken_in(kube: Kube, what: Paused, generation: int, timeout: float) -> Object:
    """The object once the operator has seen that it was changed: until then it may still begin something."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            obj = await kube.get(what.resource, what.name, what.namespace)
        except Unavailable:
            obj = {}
        if (obj.get("status") or {}).get("observedGeneration", 0) >= generation:
            return obj
        if time.monotonic() >= deadline:
            raise Failure(f"{what.words} is changed, but no operator has taken that in yet", TIMED_OUT)
        await asyncio.sleep(POLL_SECONDS)
