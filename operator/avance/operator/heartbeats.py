"""The kubelets' Leases, by a watch of our own: hundreds of renewals a second that nothing else may hold up.

kopf would queue each of them behind all other changes, at many times the cost, and could watch them only in all
namespaces; these are in one.
"""

from __future__ import annotations

import asyncio
import logging

from avance.core.liveness import CONTACT_SECONDS
from avance.kube.client import Kube
from avance.kube.errors import ApiError
from avance.kube.resources import LEASES
from avance.operator.clock import Clock
from avance.operator.metrics import Metrics
from avance.operator.store import NODE_LEASES, Object, Store
from avance.operator.watching import Wake, pairs_of

log = logging.getLogger(__name__)

AGAIN_SECONDS = 1.0
"""After a watch that broke."""
SILENCE_SECONDS = 25.0
"""Every node renews its Lease each 10 s: a watch that shows none for this long is broken."""


async def follow_heartbeats(kube: Kube, store: Store, wake: Wake, metrics: Metrics, clock: Clock) -> None:
    """Keep the Leases in the store as fresh as they are, for ever."""
    while True:
        try:
            listing = await kube.list(LEASES, NODE_LEASES)
            store.drop_ghosts(LEASES, store.put_all(LEASES, listing.items), listing.resource_version)
            since = listing.resource_version
            async for change, lease in kube.watch(LEASES, NODE_LEASES, resource_version=since, silence=SILENCE_SECONDS):
                metrics.watch_events.labels(LEASES.kind).inc()
                _take_in(store, wake, clock, change, lease)
        except ApiError as error:
            log.warning("the kubelets' Leases are not heard for the moment: %s", error)
            await asyncio.sleep(AGAIN_SECONDS)


def _take_in(store: Store, wake: Wake, clock: Clock, change: str, lease: Object) -> None:
    """A renewal in time is no news to the rules; one after a pause is."""
    before = store.first_seen(LEASES, lease, "renewTime")
    if change == "DELETED":
        store.drop(LEASES, lease)
    elif not store.put(LEASES, lease) or clock.now() - before < CONTACT_SECONDS:
        return
    for pair in pairs_of(store, LEASES, lease):
        wake(pair)
