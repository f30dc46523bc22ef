"""KubeVirt's migration settings: read now and then, kept from post-copy for the pairs' VMs, raised where asked for.

They change once in a blue moon, so they are asked for and not watched.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any

from pydantic import ValidationError

from avance.api.meta import bytes_of
from avance.core.migration_settings import MigrationSettings, recommended
from avance.core.policy import Mode, PairPolicy
from avance.kube.client import Kube
from avance.kube.errors import ApiError, NotFound
from avance.kube.lease import LeadershipLost
from avance.kube.resources import AVANCE_PAIRS, KUBEVIRTS, MIGRATION_POLICIES
from avance.kubevirt.virtual_machine import PAIR_LABEL
from avance.operator.clock import Clock
from avance.operator.store import Store

Object = dict[str, Any]

log = logging.getLogger(__name__)

EVERY_SECONDS = 60.0
FIELD_MANAGER = "avance"


class MigrationSettingsWatch:
    """What is known of them, by pair."""

    def __init__(
        self,
        kube: Kube,
        store: Store,
        clock: Clock,
        policy_of_pair: Callable[[Object], PairPolicy],
        guard: Callable[[], AbstractAsyncContextManager[None]],
        wake: Callable[[str], None],
    ) -> None:
        self._kube = kube
        self._store = store
        self._clock = clock
        self._policy_of_pair = policy_of_pair
        self._guard = guard
        self._wake = wake
        self._known: dict[str, MigrationSettings] = {}
        self._new_pair = asyncio.Event()

    def of_pair(self, pair: str) -> MigrationSettings | None:
        """None before they could be read."""
        return self._known.get(pair)

    def look_soon(self) -> None:
        """There is a pair that was not there before."""
        self._new_pair.set()

    async def run(self) -> None:
        """Look again and again until cancelled; what cannot be read or written is tried again next time."""
        while True:
            self._new_pair.clear()
            try:
                async with self._guard():
                    await self.look()
            except (ApiError, LeadershipLost, ValidationError) as error:
                log.warning("KubeVirt's migration settings: %s", error)
            except Exception:
                log.exception("KubeVirt's migration settings could not be looked at for a reason nobody foresaw")
            with suppress(TimeoutError):
                await asyncio.wait_for(self._new_pair.wait(), EVERY_SECONDS)

    async def look(self) -> None:
        """Read the settings, and for every pair that is served put in place what it wants of them. Raises ApiError."""
        try:
            kubevirts = (await self._kube.list(KUBEVIRTS)).items
            found = (await self._kube.list(MIGRATION_POLICIES)).items
        except NotFound:
            return  # the API server does not serve them (yet); `FailoverReady` says that KubeVirt is missing
        policies = {policy["metadata"]["name"]: policy for policy in found}
        for pair in list(self._store.all(AVANCE_PAIRS)):
            name, wanted = pair["metadata"]["name"], migration_policy(pair)
            held = policies.get(wanted["metadata"]["name"], {}).get("spec") == wanted["spec"]
            policy = self._policy_of_pair(pair)
            if _acts(policy, self._clock.now()):
                if not held:
                    await self._kube.apply(MIGRATION_POLICIES, wanted, field_manager=FIELD_MANAGER, force=True)
                    held = True
                if policy.migration.apply_recommended and kubevirts:
                    kubevirts[0] = await self._raise_limits(kubevirts[0], policy)
            if kubevirts:
                self._note(name, settings_of(kubevirts[0], held))

    async def _raise_limits(self, kubevirt: Object, policy: PairPolicy) -> Object:
        found = settings_of(kubevirt, held=True)
        aim = recommended(found, policy.limits.max_vms)
        if aim == found:
            return kubevirt
        limits = {"parallelMigrationsPerCluster": aim.in_cluster, "parallelOutboundMigrationsPerNode": aim.from_node}
        patch = {"spec": {"configuration": {"migrations": limits}}}
        metadata = kubevirt["metadata"]
        log.info("raising KubeVirt's limits for migrations: %s", limits)
        return await self._kube.patch_merge(KUBEVIRTS, metadata["name"], patch, metadata["namespace"])

    def _note(self, pair: str, found: MigrationSettings) -> None:
        if self._known.get(pair) != found:
            self._known[pair] = found
            self._wake(pair)


def _acts(policy: PairPolicy, now: float) -> bool:
    """Neither Observe nor a pause: both change nothing."""
    return policy.mode is Mode.AUTOMATIC and (policy.pause is None or now >= policy.pause.until)


def migration_policy(pair: Object) -> Object:
    """The MigrationPolicy that keeps post-copy from the pair's VMs; it goes when its pair goes."""
    name = pair["metadata"]["name"]
    owner = {
        "apiVersion": AVANCE_PAIRS.api_version,
        "kind": AVANCE_PAIRS.kind,
        "name": name,
        "uid": pair["metadata"]["uid"],
    }
    return {
        "metadata": {
            "name": f"avance-{name}",
            "labels": {"app.kubernetes.io/managed-by": "avance", PAIR_LABEL: name},
            "ownerReferences": [owner],
        },
        "spec": {"allowPostCopy": False, "selectors": {"virtualMachineInstanceSelector": {PAIR_LABEL: name}}},
    }


def settings_of(kubevirt: Object, held: bool) -> MigrationSettings:
    """What a KubeVirt object says; what it leaves out has KubeVirt's default."""
    found = kubevirt.get("spec", {}).get("configuration", {}).get("migrations") or {}
    default = MigrationSettings()
    return MigrationSettings(
        in_cluster=int(found.get("parallelMigrationsPerCluster", default.in_cluster)),
        from_node=int(found.get("parallelOutboundMigrationsPerNode", default.from_node)),
        bandwidth=bytes_of(str(found.get("bandwidthPerMigration", default.bandwidth))),
        completion_seconds_per_gib=int(found.get("completionTimeoutPerGiB", default.completion_seconds_per_gib)),
        progress_seconds=int(found.get("progressTimeout", default.progress_seconds)),
        post_copy=bool(found.get("allowPostCopy", default.post_copy)),
        network=str(found.get("network", default.network)),
        post_copy_forbidden=held,
    )
