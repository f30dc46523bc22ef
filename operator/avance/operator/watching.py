"""kopf's part: it watches the kinds that the operator reads and puts what it sees into the store.

Only event handlers are used. They write nothing to the objects (no finalizers, no annotations), they cannot be
throttled into silence by a failed patch, and a standby operator runs them too, so that it takes over with a full store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import kopf

from avance.kube.resources import (
    AVANCE_ACTIONS,
    AVANCE_PAIRS,
    DATA_VOLUMES,
    LEASES,
    NODES,
    PODS,
    PROTECTED_VMS,
    VIRTUAL_MACHINES,
    Resource,
)
from avance.operator.metrics import Metrics
from avance.operator.store import LAUNCHER_VM_LABELS, WATCHED, Store, key_of

Object = dict[str, Any]
Wake = Callable[[str], None]

LAUNCHER_SELECTOR = {"kubevirt.io": "virt-launcher"}
LISTED_AT_ONCE = 50
"""kopf starts a task for each object of a page before anything else gets its turn, and every kind is listed at the same
time: larger pages would keep the leader's Lease from being renewed, and one listing of 8,000 VMs ends in a time-out."""


def settings() -> kopf.OperatorSettings:
    """Kopf's settings: bounded waits everywhere, patient with an API server that is away, no peering."""
    chosen = kopf.OperatorSettings()
    chosen.peering.standalone = True
    chosen.posting.loggers = False
    chosen.watching.server_timeout = 240
    chosen.watching.client_timeout = 300
    chosen.watching.connect_timeout = 5
    chosen.watching.chunk_size = LISTED_AT_ONCE
    chosen.networking.request_timeout = 10
    chosen.networking.connect_timeout = 3
    chosen.networking.enforce_retry_after = True
    chosen.networking.error_backoffs = _PatientBackoffs()
    chosen.queueing.idle_timeout = 1
    chosen.queueing.error_delays = (1, 2, 3, 5)
    chosen.process.ultimate_exiting_timeout = 25
    return chosen


class _PatientBackoffs(Iterable[float]):
    """Endless: when the API server answers 5xx for a minute, kopf must not end the process that a failover needs."""

    def __iter__(self) -> Iterator[float]:
        yield from (0.5, 1, 2, 3)
        while True:
            yield 5


def registry(store: Store, wake: Wake, metrics: Metrics) -> kopf.OperatorRegistry:
    """Handlers that feed the store and wake the pairs that an object belongs to."""
    handlers = kopf.OperatorRegistry()
    kopf.on.login(registry=handlers, id="login")(_login)
    for resource in WATCHED:
        if resource is LEASES:
            continue  # see `heartbeats`
        handler = _handler(resource, store, wake, metrics)
        kopf.on.event(
            group=resource.group,
            version=resource.version,
            plural=resource.plural,
            registry=handlers,
            id=f"watch-{resource.plural}",
            labels=LAUNCHER_SELECTOR if resource is PODS else None,
        )(handler)
    return handlers


def _login(**kwargs: Any) -> kopf.ConnectionInfo | None:
    """The same credentials that the operator's own client takes: $KUBECONFIG, else the pod's service account."""
    return kopf.login_with_kubeconfig(**kwargs) or kopf.login_with_service_account(**kwargs)


def _handler(resource: Resource, store: Store, wake: Wake, metrics: Metrics) -> Any:
    async def watched(event: Any, **_: Any) -> None:
        metrics.watch_events.labels(resource.kind).inc()
        # kopf's bodies are live views: what the rules see must not change under them.
        obj: Object = dict(event["object"])
        concerned = set(pairs_of(store, resource, obj))
        if event["type"] == "DELETED":
            store.drop(resource, obj)
        elif not store.put(resource, obj, listed=event["type"] is None):
            return
        for pair in concerned | set(pairs_of(store, resource, obj)):
            wake(pair)

    return watched


def pairs_of(store: Store, resource: Resource, obj: Object) -> Iterator[str]:
    """Names of the pairs whose view an object is part of."""
    namespace, name = key_of(obj)
    if resource is AVANCE_PAIRS:
        yield name
    elif resource in (PROTECTED_VMS, AVANCE_ACTIONS):
        yield obj["spec"]["pairRef"]["name"]
    elif resource is NODES:
        for key, value in (obj["metadata"].get("labels") or {}).items():
            yield from (pair["metadata"]["name"] for pair in store.members(AVANCE_PAIRS, f"{key}={value}"))
    elif resource is LEASES:
        node = store.get(NODES, name)
        yield from pairs_of(store, NODES, node) if node else ()
    else:
        vm = store.get(PROTECTED_VMS, _vm_name(resource, obj), namespace)
        yield from pairs_of(store, PROTECTED_VMS, vm) if vm else ()


def _vm_name(resource: Resource, obj: Object) -> str:
    if resource is PODS:
        labels = obj["metadata"].get("labels") or {}
        return next((labels[label] for label in LAUNCHER_VM_LABELS if label in labels), "")
    if resource is DATA_VOLUMES:
        owners = obj["metadata"].get("ownerReferences") or ()
        return next((owner["name"] for owner in owners if owner["kind"] == VIRTUAL_MACHINES.kind), "")
    return str(obj["spec"].get("vmiName") or obj["metadata"]["name"])
