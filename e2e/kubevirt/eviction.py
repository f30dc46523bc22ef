"""The eviction interceptor: what the eviction API answers for launcher pods, and the mark that an eviction leaves on
the VMI.
"""

from e2e.controlplane.client import JSON_PATCH, ApiError
from e2e.kubevirt.admission import Refusal, Review
from e2e.kubevirt.api import (
    APP_LABEL,
    DOMAIN_ANNOTATION,
    POD,
    VMI,
    Object,
    annotations_of,
    controller_uid,
    is_final,
    key_of,
    labels_of,
    uid_of,
)
from e2e.kubevirt.conditions import is_true
from e2e.kubevirt.configuration import Configuration
from e2e.kubevirt.store import Client, Stores


class EvictionInterceptor:
    """`review` lets an eviction of a launcher pod through or refuses it with 429, by the VMI's eviction strategy."""

    def __init__(self, client: Client, stores: Stores, configuration: Configuration) -> None:
        self._client = client
        self._pods, self._vmis = stores[POD], stores[VMI]
        self._configuration = configuration

    async def review(self, review: Review) -> None:
        """Raises Refusal(429) when the pod must not be deleted by this eviction."""
        pod = self._pods.get((review.namespace, review.name))
        if pod is None or labels_of(pod).get(APP_LABEL) != "virt-launcher" or is_final(pod):
            return
        vmi = self._vmis.get((review.namespace, annotations_of(pod).get(DOMAIN_ANNOTATION, "")))
        if vmi is None or controller_uid(pod) != uid_of(vmi) or is_final(vmi):
            return
        if self._blocks(vmi):
            await self._mark(vmi, pod, review.dry_run)

    def _blocks(self, vmi: Object) -> bool:
        strategy = vmi["spec"].get("evictionStrategy") or self._configuration.eviction_strategy()
        migratable = is_true(vmi, "LiveMigratable")
        if strategy == "LiveMigrate" and not migratable:
            raise Refusal(
                429, f"VMI {key_of(vmi)[1]} is configured with an eviction strategy but is not live-migratable"
            )
        return strategy in ("LiveMigrate", "External") or (strategy == "LiveMigrateIfPossible" and migratable)

    async def _mark(self, vmi: Object, pod: Object, dry_run: bool) -> None:
        namespace, name = key_of(vmi)
        node = pod["spec"].get("nodeName", "")
        marked = (vmi["status"].get("evacuationNodeName") or "") != ""
        if node != vmi["status"].get("nodeName"):
            raise Refusal(429, f'Eviction request for target Pod of VMI "{namespace}/{name}"')
        if not marked and not dry_run:
            patch = [{"op": "add", "path": "/status/evacuationNodeName", "value": node}]
            try:
                await self._client.patch(VMI, (namespace, name), patch, content_type=JSON_PATCH)
            except ApiError as error:
                raise Refusal(500, f"kubevirt failed marking the vmi for eviction: {error.message}") from error
        if marked:
            raise Refusal(429, f'Evacuation in progress: Eviction triggered evacuation of VMI "{namespace}/{name}"')
        raise Refusal(429, f'Eviction triggered evacuation of VMI "{namespace}/{name}"')
