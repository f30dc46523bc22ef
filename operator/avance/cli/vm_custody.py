"""Asks for a VirtualMachine to be adopted or let go, and follows it: whether it may be is the operator's to say."""

from __future__ import annotations

import asyncio
import time
from argparse import Namespace
from typing import Any

from avance.cli.exits import NO, TIMED_OUT, USAGE, Failure
from avance.cli.following import conditions_of, created, read, say, show, tell
from avance.cli.looking import answered
from avance.cli.requests import POLL_SECONDS
from avance.cli.terminal import length, one_line
from avance.cli.vm_making import pair_of
from avance.cli.vm_manifest import split_name
from avance.kube.client import Kube
from avance.kube.errors import NotFound, Unavailable
from avance.kube.resources import PROTECTED_VMS, VIRTUAL_MACHINES, VMIS
from avance.operator.glimpse import connected, why_nobody_acts

Object = dict[str, Any]

NOT_YET = frozenset({"", "Adopting", "LettingGo", "Moving"})
"""Reasons of Protected that go away by themselves, where others want something done."""


def adopt(chosen: Namespace) -> int:
    """`avance vm adopt`. Raises Failure."""
    return answered(_adopt(chosen))


def release(chosen: Namespace) -> int:
    """`avance vm release`. Raises Failure."""
    return answered(_release(chosen))


async def _adopt(chosen: Namespace) -> int:
    namespace, name = split_name(chosen.name)
    async with connected(chosen.kubeconfig, chosen.context) as kube:
        if await _found(kube, VIRTUAL_MACHINES, name, namespace) is None:
            raise Failure(f"there is no VirtualMachine {namespace}/{name}: kubectl get vm -A lists them", USAGE)
        pvm = _protected_vm(chosen, await pair_of(kube, chosen.pair), await _runs(kube, namespace, name))
        if chosen.dry_run:
            return show(chosen, [pvm])
        made = await created(kube, PROTECTED_VMS, pvm)
        if not chosen.wait:
            return tell(chosen, made, f"{namespace}/{name} is to be adopted; `avance explain {namespace}/{name}` tells")
        await _say_if_nobody_acts(chosen, kube)
        return await _follow(chosen, kube, made)


def _protected_vm(chosen: Namespace, pair: str, runs: bool) -> Object:
    namespace, name = split_name(chosen.name)
    spec: Object = {
        "pairRef": {"name": pair},
        "vmRef": {"name": name},
        "restartPriority": chosen.priority,
        # Adopting neither starts nor stops it.
        **({} if runs else {"running": False}),
    }
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "avance.dev/v1alpha1", "kind": "ProtectedVM", "metadata": metadata, "spec": spec}


async def _runs(kube: Kube, namespace: str, name: str) -> bool:
    vmi = await _found(kube, VMIS, name, namespace)
    return vmi is not None and (vmi.get("status") or {}).get("phase") not in ("Succeeded", "Failed")


async def _follow(chosen: Namespace, kube: Kube, pvm: Object) -> int:
    """Until it is adopted, or until the operator says what stands against that."""
    namespace, name = pvm["metadata"]["namespace"], pvm["metadata"]["name"]
    deadline, why = time.monotonic() + chosen.timeout, "no news"
    while True:
        obj = await read(kube, PROTECTED_VMS, name, namespace) or pvm
        protected, adopted = conditions_of(obj).get("Protected", {}), bool(obj["metadata"].get("finalizers"))
        why = one_line(str(protected.get("message") or why))
        if adopted and "not adopted" not in why and protected:
            restart = conditions_of(obj).get("RestartNeeded", {})
            if restart.get("status") == "True":
                say(f"restart needed: {one_line(str(restart['message']))}")
            word = "" if protected["status"] == "True" else f", and is not protected yet: {why}"
            return tell(chosen, obj, f"{namespace}/{name} is adopted{word}")
        if protected.get("reason", "") not in NOT_YET:
            left = f"{namespace}/{name} is left as it is: {why}"
            raise Failure(f"{left}. It is adopted once that is mended; `avance vm release` forgets it", NO)
        if time.monotonic() >= deadline:
            raise Failure(f"{namespace}/{name} is not adopted within {length(chosen.timeout)}: {why}", TIMED_OUT)
        await asyncio.sleep(POLL_SECONDS)


async def _release(chosen: Namespace) -> int:
    namespace, name = split_name(chosen.name)
    key = f"{namespace}/{name}"
    async with connected(chosen.kubeconfig, chosen.context) as kube:
        pvm = await _found(kube, PROTECTED_VMS, name, namespace)
        if pvm is None:
            raise Failure(f"there is no ProtectedVM {key}: kubectl get pvm -A lists them", USAGE)
        if not pvm["spec"].get("vmRef"):
            own = f"{key} is defined by its ProtectedVM and goes with it"
            raise Failure(f"{own}: there is nothing to leave it as. kubectl delete pvm removes both", USAGE)
        await kube.delete(PROTECTED_VMS, name, namespace, uid=pvm["metadata"]["uid"], missing_ok=True)
        if not chosen.wait:
            return tell(chosen, pvm, f"{key} is to be let go")
        await _say_if_nobody_acts(chosen, kube)
        return await _follow_out(chosen, kube, pvm)


async def _follow_out(chosen: Namespace, kube: Kube, pvm: Object) -> int:
    namespace, name = pvm["metadata"]["namespace"], pvm["metadata"]["name"]
    deadline, told = time.monotonic() + chosen.timeout, ""
    while True:
        try:
            obj = await _found(kube, PROTECTED_VMS, name, namespace)
        except Unavailable as error:
            say(f"no news for a moment: {error}")
            obj = pvm
        if obj is None or obj["metadata"]["uid"] != pvm["metadata"]["uid"]:
            return tell(chosen, pvm, f"{namespace}/{name} is let go: its VirtualMachine is as it was")
        protected = conditions_of(obj).get("Protected", {})
        why = one_line(str(protected.get("message", ""))) if protected.get("reason") == "LettingGo" else ""
        if why and why != told:
            say(why)
            told = why
        if time.monotonic() >= deadline:
            waited = f"{namespace}/{name} is not let go within {length(chosen.timeout)}"
            raise Failure(f"{waited}, and will be: {told or 'no news'}", TIMED_OUT)
        await asyncio.sleep(POLL_SECONDS)


async def _found(kube: Kube, resource: Any, name: str, namespace: str) -> Object | None:
    try:
        return await kube.get(resource, name, namespace)
    except NotFound:
        return None


async def _say_if_nobody_acts(chosen: Namespace, kube: Kube) -> None:
    nobody_acts = await why_nobody_acts(kube, chosen.namespace, time.time())
    if nobody_acts:
        say(f"it waits until an operator leads: {nobody_acts}")
