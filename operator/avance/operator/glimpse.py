"""One look at a live pair from outside the operator: reads, and changes nothing.

A person who asks needs neither the BMCs' passwords nor the operator's rights: what the operator has found out about the
fence paths is in the pair's status.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from avance.api.pair import AvancePair
from avance.api.protected_vm import ProtectedVM
from avance.core.kubevirt_health import KubeVirtHealth, as_told
from avance.core.model import PairView
from avance.core.moments import day_and_clock
from avance.core.power import PowerReading
from avance.core.storage import StorageProvider
from avance.kube.client import Kube
from avance.kube.errors import ApiError, Forbidden, NotFound
from avance.kube.resources import AVANCE_PAIRS, DATA_VOLUMES, LEASES, NODES, PROTECTED_VMS
from avance.operator.actions import ActionLog
from avance.operator.app import LEASE_NAME
from avance.operator.clock import Clock, from_api
from avance.operator.disk_status import storage_of
from avance.operator.instance_types import InstanceTypes
from avance.operator.observe import Observer
from avance.operator.power import NodeKey
from avance.operator.resync import resync
from avance.operator.store import WATCHED, Store, key_of

Object = dict[str, Any]

ABSENT_SECONDS = 60.0
"""A leader renews its Lease every 1.5 s; after this long none is there, however wrong this machine's clock is."""


class NoSuchPair(ValueError):
    """There is no pair of that name; says which ones there are."""


class Unreachable(Exception):
    """The cluster, or something in it that has to be read, cannot be read; says what to do."""


@dataclass(frozen=True, slots=True)
class Glimpse:
    pair: AvancePair
    """What the operator has said of it, in its status: it listens all the time, which one look cannot make up for."""
    vms: Mapping[str, ProtectedVM]
    """By `namespace/name`."""
    view: PairView
    seen_at: float
    nobody_acts: str
    """Why no operator would do anything at all, in words; empty if one leads."""


async def glimpse(
    kubeconfig: str | None, pair: str, namespace: str, about: str = "", *, context: str | None = None
) -> Glimpse:
    """Look at a pair: that of this name, else that of the node or VM that it is about, else the only one.

    Raises NoSuchPair and Unreachable.
    """
    async with connected(kubeconfig, context) as kube:
        return await _look(kube, pair, namespace, about)


@asynccontextmanager
async def connected(kubeconfig: str | None, context: str | None = None) -> AsyncIterator[Kube]:
    """A client for a person's command, by this kubeconfig and its context of this name.

    Raises Unreachable for whatever the cluster does not answer.
    """
    file = kubeconfig or os.environ.get("KUBECONFIG")
    if file and not Path(file).is_file():
        raise Unreachable(f"there is no kubeconfig {file}: name another one with --kubeconfig or $KUBECONFIG")
    try:
        kube = await Kube.connect(kubeconfig, context=context)
    except Exception as error:
        raise Unreachable(f"no cluster to ask: {error}; name a kubeconfig with --kubeconfig or $KUBECONFIG") from error
    try:
        yield kube
    except ApiError as error:
        raise Unreachable(f"the cluster does not answer what has to be asked: {error}") from error
    except ValidationError as error:
        raise Unreachable(f"an object does not fit this release's schema: {error}") from error
    finally:
        await kube.close()


async def _look(kube: Kube, name: str, namespace: str, about: str) -> Glimpse:
    clock = Clock()
    store = Store(clock)
    nobody_acts = await why_nobody_acts(kube, namespace, clock.now())
    await resync(kube, store, lambda pair: None, [kind for kind in WATCHED if kind is not DATA_VOLUMES])
    with suppress(Forbidden):  # who may not see them is told less of a VM whose disks are being made
        await resync(kube, store, lambda pair: None, [DATA_VOLUMES])
    obj = choose(store, name, about)
    types = InstanceTypes(kube, clock)
    observer = Observer(store, ActionLog(store), dict(readings_of(obj)), types.answers)
    pair = observer.pair(obj)
    await types.ask(observer.instance_types(pair))
    members = store.members(PROTECTED_VMS, pair.metadata.name)
    view = _with_disks(observer, store, observer.view(pair))
    return Glimpse(
        pair=pair,
        vms={"/".join(key_of(vm)): observer.protected_vm(vm) for vm in members},
        view=replace(view, surroundings=replace(view.surroundings, kubevirt=kubevirt_of(obj))),
        seen_at=clock.now(),
        nobody_acts=nobody_acts,
    )


def kubevirt_of(pair: Object) -> KubeVirtHealth:
    """What the operator has written about KubeVirt, which not everybody may ask."""
    conditions = (pair.get("status") or {}).get("conditions") or ()
    told: Object = next((each for each in conditions if each["type"] == "KubeVirtReady"), {})
    return as_told(told.get("status", ""), told.get("reason", ""))


def _with_disks(observer: Observer, store: Store, view: PairView) -> PairView:
    """What the operator has written about the copies of the disks: who looks from outside may not reach the storage."""
    if view.policy.storage.provider is StorageProvider.NONE:
        return view
    known = {vm.key: store.get(PROTECTED_VMS, vm.name, vm.namespace) for vm in view.vms}
    found = {key: storage_of(observer.protected_vm(obj).status) for key, obj in known.items() if obj}
    return replace(view, vms=tuple(replace(vm, storage=found.get(vm.key)) for vm in view.vms))


def choose(store: Store, name: str, about: str) -> Object:
    """The pair of this name, or that of a node or VM, or the only one. Raises NoSuchPair: it says which there are."""
    pairs = {obj["metadata"]["name"]: obj for obj in store.all(AVANCE_PAIRS)}
    known = ", ".join(sorted(pairs))
    if not pairs:
        raise NoSuchPair("there is no AvancePair yet: avance init NODE-A NODE-B writes one")
    if name:
        if name not in pairs:
            raise NoSuchPair(f"there is no AvancePair {name}; there are: {known}")
        return pairs[name]
    meant = {pair: obj for pair, obj in pairs.items() if not about or about in _belongings(store, obj)}
    if not meant:
        raise NoSuchPair(f"no pair has a node or VM {about}; the pairs are: {known}")
    if len(meant) != 1:
        raise NoSuchPair(f"say which pair is meant by --pair; there are: {', '.join(sorted(meant))}")
    return next(iter(meant.values()))


def nodes_of(store: Store, pair: Object) -> Iterator[Object]:
    """The Node objects that a pair's selector matches."""
    wanted = pair["spec"]["nodeSelector"].items()
    return (node for node in store.all(NODES) if wanted <= (node["metadata"].get("labels") or {}).items())


def _belongings(store: Store, pair: Object) -> Iterator[str]:
    """Names of what belongs to a pair: nodes, and VMs with and without their namespace."""
    yield from (node["metadata"]["name"] for node in nodes_of(store, pair))
    for vm in store.members(PROTECTED_VMS, pair["metadata"]["name"]):
        yield vm["metadata"]["name"]
        yield "/".join(key_of(vm))


def readings_of(pair: Object) -> list[tuple[NodeKey, PowerReading]]:
    """What the operator has written about its last try of each fence path."""
    found = []
    for node in (pair.get("status") or {}).get("nodes") or ():
        path = (node.get("fence") or {}).get("path") or {}
        error = path.get("message", "") if path.get("state") == "Failed" else ""
        if path.get("state") in ("Healthy", "Failed"):
            at = from_api(path.get("checkedAt", ""))
            state = "" if error else "On"
            reading = PowerReading(state, node.get("systemUUID", ""), at, error, "as the operator has found it")
            found.append(((pair["metadata"]["name"], node["name"]), reading))
    return found


async def why_nobody_acts(kube: Kube, namespace: str, now: float) -> str:
    """Whether an operator holds the leader's Lease."""
    try:
        lease = await kube.get(LEASES, LEASE_NAME, namespace)
    except NotFound:
        return f"no operator leads in namespace {namespace}: install it, or name its namespace with --namespace"
    renewed = from_api(lease["spec"].get("renewTime") or "")
    if lease["spec"].get("holderIdentity") and now - renewed < ABSENT_SECONDS:
        return ""
    last = day_and_clock(renewed) if renewed else "never"
    return (
        f"no operator leads: its Lease {namespace}/{LEASE_NAME} was renewed last at {last}; see why its pods do not run"
    )
