"""Manifests that a command has made, followed until what they ask for is there."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from argparse import Namespace
from collections.abc import Sequence
from typing import Any

import yaml

from avance.cli.exits import NO, OK, TIMED_OUT, UNREACHABLE, USAGE, Failure
from avance.cli.requests import POLL_SECONDS
from avance.cli.terminal import length, one_line
from avance.core.provisioning import NEEDS_A_PERSON
from avance.kube.client import Kube
from avance.kube.errors import AlreadyExists, Forbidden, Invalid, NotFound, Unavailable
from avance.kube.resources import PROTECTED_VMS, SECRETS, Resource
from avance.operator.glimpse import why_nobody_acts

Object = dict[str, Any]

FAILING_SECONDS = 15.0
"""A server that did not answer once may answer the next time."""

_RESOURCES = {each.kind: each for each in (PROTECTED_VMS, SECRETS)}


def show(chosen: Namespace, objects: Sequence[Object]) -> int:
    """Print manifests that were not made, for `kubectl apply -f -`."""
    if chosen.output == "json":
        for obj in objects:
            sys.stdout.write(f"{json.dumps(obj)}\n")
    else:
        sys.stdout.write(yaml.safe_dump_all(objects, sort_keys=False))
    return OK


async def make(chosen: Namespace, kube: Kube, objects: Sequence[Object]) -> int:
    """Create them all, and follow the last one, a ProtectedVM. Raises Failure."""
    for obj in objects:
        await created(kube, _RESOURCES[obj["kind"]], obj)
    vm = objects[-1]
    key = f"{vm['metadata']['namespace']}/{vm['metadata']['name']}"
    if not chosen.wait:
        return tell(chosen, vm, f"{key} is asked for; `avance explain {key}` tells how far it is")
    nobody_acts = await why_nobody_acts(kube, chosen.namespace, time.time())
    if nobody_acts:
        say(f"it waits until an operator leads: {nobody_acts}")
    return await _follow(chosen, kube, vm)


async def created(kube: Kube, resource: Resource, obj: Object) -> Object:
    """Raises Failure with what is to be done where it cannot be made."""
    namespace, name = obj["metadata"]["namespace"], obj["metadata"]["name"]
    try:
        return await kube.create(resource, obj, namespace)
    except AlreadyExists as error:
        raise Failure(f"there is a {resource.kind} {namespace}/{name} already: choose another name", NO) from error
    except NotFound as error:
        hint = f"kubectl create namespace {namespace}" if "namespaces" in error.message else "see docs/install.md"
        raise Failure(f"{error.message}: {hint}", USAGE) from error
    except Invalid as error:
        raise Failure(f"the API server refuses it: {error.message}", USAGE) from error
    except Forbidden as error:
        raise Failure(f"the API server refuses it: {error.message}", UNREACHABLE) from error


async def _follow(chosen: Namespace, kube: Kube, vm: Object) -> int:
    """Show how far it is until it runs, or until its disks are there if it shall not run."""
    namespace, name = vm["metadata"]["namespace"], vm["metadata"]["name"]
    patience, told = Patience(chosen.timeout), ""
    goal = "Provisioned" if vm["spec"].get("running") is False else "Ready"
    while True:
        obj = await read(kube, PROTECTED_VMS, name, namespace)
        conditions = conditions_of(obj or vm)
        if conditions.get(goal, {}).get("status") == "True":
            return tell(chosen, obj or vm, _done(namespace, name, obj or vm, goal))
        news = _news(conditions)
        if news and news != told:
            say(news)
            told = news
        if patience.is_lost(failing=conditions.get("Provisioned", {}).get("reason") in NEEDS_A_PERSON):
            undo = f"kubectl delete pvm {name} -n {namespace}"
            raise Failure(f"{told}; it is tried again for ever: to give it up, {undo}", NO)
        if patience.is_over:
            waited = f"{namespace}/{name} does not run after {length(chosen.timeout)}"
            raise Failure(f"{waited}, and goes on: {told or 'no news'}", TIMED_OUT)
        await asyncio.sleep(POLL_SECONDS)


class Patience:
    """How long a command waits: until its time is up, or until what it waits for has kept failing for a while."""

    def __init__(self, timeout: float) -> None:
        self._deadline = time.monotonic() + timeout
        self._failing_since: float | None = None

    def is_lost(self, *, failing: bool) -> bool:
        """Whether it has been failing without a break for so long that a person has to act."""
        now = time.monotonic()
        self._failing_since = (self._failing_since or now) if failing else None
        return self._failing_since is not None and now - self._failing_since >= FAILING_SECONDS

    @property
    def is_over(self) -> bool:
        """Whether the time is up."""
        return time.monotonic() >= self._deadline


def _done(namespace: str, name: str, vm: Object, goal: str) -> str:
    if goal == "Provisioned":
        return f"the disks of {namespace}/{name} are there; it starts once its spec says running: true"
    return f"{namespace}/{name} runs on {vm['status'].get('primary', 'its node')}"


def _news(conditions: dict[str, Object]) -> str:
    """The first condition that keeps it from running, in the order in which things happen."""
    for each in ("Admitted", "Provisioned", "Ready"):
        found = conditions.get(each, {})
        if found.get("status") == "False":
            return one_line(str(found.get("message", "")))
    return ""


def conditions_of(obj: Object) -> dict[str, Object]:
    """An object's conditions by type."""
    return {each["type"]: each for each in (obj.get("status") or {}).get("conditions") or ()}


async def read(kube: Kube, resource: Resource, name: str, namespace: str) -> Object | None:
    """The object as it is now; None while the API server is away. Raises Failure when it is gone."""
    try:
        return await kube.get(resource, name, namespace)
    except NotFound as error:
        raise Failure(f"{namespace}/{name} was deleted meanwhile", NO) from error
    except Unavailable as error:
        say(f"no news for a moment: {error}")
        return None


def tell(chosen: Namespace, obj: Object, sentence: str) -> int:
    """The result, for people or for programs."""
    written = {"json": lambda: f"{json.dumps(obj)}\n", "yaml": lambda: yaml.safe_dump(obj, sort_keys=False)}
    sys.stdout.write(written.get(chosen.output, lambda: f"{sentence}\n")())
    return OK


def say(news: str) -> None:
    """Beside the result, so that a program that reads that is not disturbed."""
    sys.stderr.write(f"{news}\n")
    sys.stderr.flush()
