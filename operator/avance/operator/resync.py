"""Full listings: once before an operator begins to lead, and now and then against what a watch may have missed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from avance.kube.client import Kube
from avance.kube.errors import ApiError, NotFound
from avance.kube.resources import DATA_VOLUMES, LEASES, PODS, Resource
from avance.operator.store import NODE_LEASES, WATCHED, Store
from avance.operator.watching import LAUNCHER_SELECTOR, pairs_of

log = logging.getLogger(__name__)

EVERY_SECONDS = 300.0


async def resync(kube: Kube, store: Store, wake: Callable[[str], None], kinds: Sequence[Resource] = WATCHED) -> None:
    """List every kind, drop ghosts, wake the pairs that they haunted. A kind that is not installed has no objects."""
    for resource in kinds:
        selector = ",".join(f"{key}={value}" for key, value in LAUNCHER_SELECTOR.items()) if resource is PODS else ""
        namespace = NODE_LEASES if resource is LEASES else ""
        uids: set[str] = set()
        try:
            async for page in kube.pages(resource, namespace, label_selector=selector):
                uids = store.put_all(resource, page.items) | (set() if page.first else uids)
                as_of = page.resource_version
        except NotFound:
            level = logging.DEBUG if resource is DATA_VOLUMES else logging.WARNING  # not everybody needs CDI
            log.log(level, "%s is not known to the API server: is KubeVirt installed?", resource.plural)
            continue
        for ghost in store.drop_ghosts(resource, uids, as_of):
            log.warning("%s %s was gone without a word", resource.kind, ghost["metadata"]["name"])
            for pair in pairs_of(store, resource, ghost):
                wake(pair)


async def resync_for_ever(kube: Kube, store: Store, wake: Callable[[str], None]) -> None:
    """Repeat it; an API server that is away is asked again next time."""
    while True:
        await asyncio.sleep(EVERY_SECONDS)
        try:
            await resync(kube, store, wake)
        except ApiError as error:
            log.warning("no full listing this time: %s", error)
