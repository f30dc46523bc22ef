"""Everything that a preflight has to know of a site, read with a person's kubeconfig; nothing is changed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from avance.api.pair import AvancePair
from avance.core.installation import Site
from avance.core.kubevirt_health import KubeVirtHealth
from avance.core.model import NodeView, PairView
from avance.core.power import PowerReading
from avance.core.surroundings import Surroundings
from avance.fencing.agent import FencingError
from avance.fencing.credentials import FenceAgents
from avance.kube.client import Kube
from avance.kube.errors import ApiError, Forbidden, NotFound, Unavailable
from avance.kube.resources import (
    AVANCE_PAIRS,
    KUBEVIRTS,
    LEASES,
    NODES,
    SECRETS,
    STORAGE_PROFILES,
)
from avance.operator.actions import ActionLog
from avance.operator.clock import Clock, from_api
from avance.operator.glimpse import NoSuchPair, choose, connected, kubevirt_of, nodes_of, readings_of, why_nobody_acts
from avance.operator.instance_types import InstanceTypes
from avance.operator.migration_settings import settings_of
from avance.operator.observe import Observer
from avance.operator.resync import resync
from avance.operator.store import NODE_LEASES, Store

Object = dict[str, Any]

RENEWAL_SECONDS = 15.0
"""Kubelets renew their Leases every 10 s."""
AS_IF = "avance.dev/install-check"
"""A label that exists in this process only: it makes two nodes look like a pair before they are one."""


async def inspect(
    kubeconfig: str | None, pair: str, namespace: str, nodes: tuple[str, ...], context: str | None = None
) -> Site:
    """Look at a pair, or at two nodes that may become one. Raises NoSuchPair and Unreachable."""
    async with connected(kubeconfig, context) as kube:
        clock = Clock()
        store = Store(clock)
        await resync(kube, store, lambda name: None)
        obj, exists = _pair(store, pair, nodes)
        types = InstanceTypes(kube, clock)
        observer = Observer(store, ActionLog(store), dict(readings_of(obj)), types.answers)
        model = observer.pair(obj)
        await types.ask(observer.instance_types(model))
        kubevirt = await _first(kube, KUBEVIRTS)
        # Before there is a pair nobody asks KubeVirt: what its object says has a check of its own.
        health = kubevirt_of(obj) if exists else KubeVirtHealth(installed=kubevirt is not None)
        view = replace(observer.view(model), surroundings=Surroundings(kubevirt=health))
        names = [node.name for node in view.nodes]
        shared, skews = await asyncio.gather(_shared_storage(kube), _skews(kube, names))
        tried = await _tried(kube, namespace, model, view, clock) if exists else view
        return _site(kubevirt, tried, store, exists, await why_nobody_acts(kube, namespace, clock.now()), shared, skews)


def _pair(store: Store, name: str, nodes: tuple[str, ...]) -> tuple[Object, bool]:
    """The pair that is meant; or one that exists nowhere, of nodes that are named or that nobody has named yet."""
    if not nodes and (name or store.count(AVANCE_PAIRS)):
        return choose(store, name, ""), True
    for pair in store.all(AVANCE_PAIRS):
        if nodes and {node["metadata"]["name"] for node in nodes_of(store, pair)} == set(nodes):
            return pair, True
    for node in nodes:
        obj = store.get(NODES, node)
        if obj is None:
            known = ", ".join(sorted(each["metadata"]["name"] for each in store.all(NODES))) or "none"
            raise NoSuchPair(f"there is no node {node}; there are: {known}")
        labels = {**(obj["metadata"].get("labels") or {}), AS_IF: "yes"}
        version = str(int(obj["metadata"]["resourceVersion"]) + 1)
        store.put(NODES, {**obj, "metadata": {**obj["metadata"], "labels": labels, "resourceVersion": version}})
    metadata = {"name": "install-check", "uid": "", "resourceVersion": "1"}
    return {"metadata": metadata, "spec": {"nodeSelector": {AS_IF: "yes"}}}, False


def _site(
    kubevirt: Object | None,
    view: PairView,
    store: Store,
    exists: bool,
    nobody_acts: str,
    shared: bool | None,
    skews: dict[str, float | None],
) -> Site:
    status, configuration = (kubevirt or {}).get("status") or {}, _configuration(kubevirt)
    settings = settings_of(kubevirt, held=True) if kubevirt else None
    nodes = {node.name: store.get(NODES, node.name) or {} for node in view.nodes}
    return Site(
        view=replace(view, surroundings=replace(view.surroundings, migrations=settings)),
        exists=exists,
        nobody_acts=nobody_acts,
        kubevirt_version=str(status.get("observedKubeVirtVersion", "")) if kubevirt else None,
        kubevirt_phase=str(status.get("phase", "")),
        emulates=bool((configuration.get("developerConfiguration") or {}).get("useEmulation")),
        cpu_model=str(configuration.get("cpuModel", "")),
        labels={name: node.get("metadata", {}).get("labels") or {} for name, node in nodes.items()},
        shared_storage=shared,
        skews=skews,
    )


def _configuration(kubevirt: Object | None) -> Object:
    return dict((kubevirt or {}).get("spec", {}).get("configuration") or {})


async def _first(kube: Kube, resource: Any) -> Object | None:
    try:
        found = (await kube.list(resource)).items
    except NotFound:
        return None
    return found[0] if found else None


async def _shared_storage(kube: Kube) -> bool | None:
    """What the CDI knows of the storage classes; None without it."""
    try:
        profiles = (await kube.list(STORAGE_PROFILES)).items
    except (NotFound, Forbidden):
        return None
    sets = [one for profile in profiles for one in (profile.get("status") or {}).get("claimPropertySets") or ()]
    return any("ReadWriteMany" in one.get("accessModes", ()) for one in sets) if sets else None


async def _skews(kube: Kube, names: Iterable[str]) -> dict[str, float | None]:
    """By how much each node's clock is ahead of this one, from the next renewal of its Lease."""
    found: dict[str, float | None] = dict.fromkeys(names)
    if not found:
        return found
    version = (await kube.list(LEASES, NODE_LEASES)).resource_version
    with suppress(TimeoutError, Unavailable):
        async with asyncio.timeout(RENEWAL_SECONDS):
            async for _, lease in kube.watch(LEASES, NODE_LEASES, resource_version=version):
                name, renewed = lease["metadata"]["name"], lease.get("spec", {}).get("renewTime")
                if name in found and renewed:
                    found[name] = from_api(renewed) - time.time()
                if None not in found.values():
                    break
    return found


async def _tried(kube: Kube, namespace: str, pair: AvancePair, view: PairView, clock: Clock) -> PairView:
    """The view with what the BMCs answer here and now, where the person may read their Secrets.

    The operator's word stands where it has one and this machine does not reach a BMC: management networks are closed.
    """
    agents = FenceAgents(kube, namespace, clock.now)
    try:
        return replace(view, nodes=tuple([await _try_one(kube, namespace, agents, pair, node) for node in view.nodes]))
    finally:
        await agents.close()


async def _try_one(kube: Kube, namespace: str, agents: FenceAgents, pair: AvancePair, node: NodeView) -> NodeView:
    entry = next((each for each in pair.spec.fencing.nodes if each.name == node.name), None)
    if entry is None:
        return node
    try:
        await kube.get(SECRETS, entry.credentials_secret_name, namespace)
    except Forbidden:
        return node
    except ApiError as error:
        where = f"Secret {namespace}/{entry.credentials_secret_name}"
        return replace(node, power=PowerReading("", "", 0.0, f"{where} cannot be read: {error}", ""))
    try:
        reading = await (await agents.agent(entry, pair.spec.fencing.request_timeout_seconds)).status()
    except FencingError as error:
        reading = PowerReading("", "", 0.0, str(error), "")
    known = node.power
    return node if reading.error and known is not None and not known.error else replace(node, power=reading)
