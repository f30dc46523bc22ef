"""Keeps what the storage says of every VM's disks fresh, without ever blocking on a storage that hangs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from avance.api.pair import AvancePair
from avance.api.storage import Storage
from avance.core.model import PairView, VmView
from avance.core.replication import why_ask_again, why_not_all_synced
from avance.core.storage import StorageView, VolumeView
from avance.kube.client import Kube
from avance.kube.resources import NODES, VIRTUAL_MACHINES
from avance.kube.secrets import SecretUnusable, read_secret
from avance.operator.clock import Clock
from avance.operator.store import Store
from avance.storage.claims import VolumeNames, claims_of
from avance.storage.conditions import CONDITION, by_conditions
from avance.storage.linstor import Linstor
from avance.storage.longhorn import Longhorn
from avance.storage.progress import SyncProgress
from avance.storage.provider import Provider, StorageError

log = logging.getLogger(__name__)

AT_LEISURE_SECONDS = 5.0
CLOSE_LOOK_SECONDS = 2.0
"""While something is done, or the disks are not in sync."""
STALE_SECONDS = 30.0
"""An answer older than this proves nothing, whatever keeps the next one."""

Claims = Mapping[str, tuple[str, ...]]
"""Names of the claims of each VM."""


Answers = dict[str, tuple[tuple[str, ...], StorageView | None]]
"""Of each VM: the claims that were asked for, and what was said of them. None: they hold nothing yet.

A claim that waits for its first consumer is bound when the VM first starts: what is not there is not stale.
"""


class StorageWatch:
    """The newest answer of the storage of each pair, asked for in the background, one question at a time for each."""

    def __init__(self, kube: Kube, namespace: str, store: Store, clock: Clock, wake: Callable[[str], None]) -> None:
        """`namespace`: the operator's own, where the Secrets are."""
        self._kube = kube
        self._namespace = namespace
        self._store = store
        self._clock = clock
        self._wake = wake
        self._names = VolumeNames(kube)
        self._progress = SyncProgress()
        self._providers: dict[str, tuple[Storage, Provider]] = {}
        self._answers: dict[str, tuple[Storage, float, Answers]] = {}
        self._asking: dict[str, asyncio.Task[None]] = {}
        self._asked_at: dict[str, float] = {}

    def around(self, pair: AvancePair, view: PairView) -> PairView:
        """The view with what is known of every VM's disks."""
        if pair.spec.storage.provider == "None":
            return view
        if pair.spec.storage.provider == "Conditions":
            told = by_conditions({node.name: self._condition(node.name) for node in view.nodes})
            return replace(view, vms=tuple(replace(vm, storage=told) for vm in view.vms))
        return replace(view, vms=tuple(replace(vm, storage=self._of(pair, vm)) for vm in view.vms))

    def keep_fresh(self, pair: AvancePair, view: PairView) -> float | None:
        """Ask if the last answer is older than wanted; returns when the next question falls due."""
        name, now = pair.metadata.name, self._clock.now()
        if pair.spec.storage.provider in ("None", "Conditions") or name in self._asking:
            return None
        urgent = any(why_ask_again(vm) for vm in view.vms)
        busy = any(action.open for action in view.actions) or bool(why_not_all_synced(view)[0])
        due = self._asked_at.get(name, float("-inf")) + (CLOSE_LOOK_SECONDS if busy else AT_LEISURE_SECONDS)
        if due > now and not urgent:
            return due
        self._asked_at[name] = now
        claims = {vm.key: self._claims(vm) for vm in view.vms}
        nodes = [node.name for node in view.nodes]
        self._asking[name] = asyncio.create_task(self._ask(pair, claims, nodes, awaited=urgent))
        return None

    async def ask(self, pair: AvancePair, view: PairView) -> PairView:
        """Ask now, once, and wait for the answer; the view with it."""
        self.keep_fresh(pair, view)
        task = self._asking.get(pair.metadata.name)
        if task is not None:
            await task
        return self.around(pair, view)

    async def close(self) -> None:
        """Stop asking."""
        tasks: list[asyncio.Task[Any]] = list(self._asking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for _, provider in self._providers.values():
            await provider.close()

    # ── what is known ──

    def _of(self, pair: AvancePair, vm: VmView) -> StorageView | None:
        claims = self._claims(vm)
        if vm.exists and not claims:
            return None  # it has no disk that could be stale
        known = self._answers.get(pair.metadata.name)
        if known is None or known[0] != pair.spec.storage or vm.key not in known[2] or known[2][vm.key][0] != claims:
            return StorageView(error="the storage has not been asked yet")
        _, at, answers = known
        told = answers[vm.key][1]
        if told is None:
            return None
        if self._clock.now() - at > STALE_SECONDS and not told.error:
            return replace(told, error="the last answer of the storage is too old")
        return told

    def _claims(self, vm: VmView) -> tuple[str, ...]:
        return claims_of(self._store.get(VIRTUAL_MACHINES, vm.name, vm.namespace))

    def _condition(self, node: str) -> tuple[str, str]:
        known = (self._store.get(NODES, node) or {}).get("status", {}).get("conditions") or ()
        found: dict[str, Any] = next((each for each in known if each["type"] == CONDITION), {})
        return str(found.get("status", "")), str(found.get("message", ""))

    # ── asking ──

    async def _ask(self, pair: AvancePair, claims: Claims, nodes: list[str], awaited: bool) -> None:
        name = pair.metadata.name
        before = self._answers.get(name)
        try:
            answers = await self._read(pair, claims, nodes)
        except Exception as error:
            if not isinstance(error, StorageError):
                log.exception("asking the storage of pair %s failed", name)
            known = before[2] if before else {}
            said = {vm: known[vm][1] if vm in known else None for vm in claims}
            silent = StorageView(error=str(error) or repr(error))
            answers = {vm: (names, replace(said[vm] or silent, error=silent.error)) for vm, names in claims.items()}
        finally:
            self._asking.pop(name, None)
        self._answers[name] = (pair.spec.storage, self._clock.now(), answers)
        if awaited or before is None or before[2] != answers:
            self._wake(name)

    async def _read(self, pair: AvancePair, claims: Claims, nodes: list[str]) -> Answers:
        handles: dict[str, list[str]] = {}
        for vm, names in claims.items():
            bound = [await self._names.of(vm.partition("/")[0], name) for name in names]
            handles[vm] = [handle for handle in bound if handle]
        provider = await self._provider(pair)
        asked_at = self._clock.now()
        found = await provider.read({handle for each in handles.values() for handle in each}, nodes)
        now = self._clock.now()
        found = {name: self._progress.estimate(volume, now) for name, volume in found.items()}
        views = {vm: self._view(vm, names, handles[vm], found) for vm, names in claims.items()}
        return {vm: (claims[vm], view and replace(view, asked_at=asked_at)) for vm, view in views.items()}

    def _view(
        self, vm: str, claims: tuple[str, ...], handles: list[str], found: Mapping[str, VolumeView]
    ) -> StorageView | None:
        if not handles:
            return None
        missing = [handle for handle in handles if handle not in found]
        if missing:
            for claim in claims:
                self._names.forget(vm.partition("/")[0], claim)
            return StorageView(error=f"the storage knows no volume {missing[0]}")
        return StorageView(tuple(found[handle] for handle in handles))

    async def _provider(self, pair: AvancePair) -> Provider:
        """The one that the spec asks for now. Raises StorageError."""
        name, spec = pair.metadata.name, pair.spec.storage
        known = self._providers.get(name)
        if known is not None and known[0] == spec:
            return known[1]
        provider = await self._connect(spec)
        self._providers[name] = (spec, provider)
        if known is not None:
            await known[1].close()
        return provider

    async def _connect(self, spec: Storage) -> Provider:
        if spec.provider == "Longhorn":
            return Longhorn(self._kube, spec.longhorn.namespace)
        if spec.linstor is None:
            raise StorageError("spec.storage.linstor is missing: write the address of LINSTOR there")
        bundle = ""
        if spec.linstor.ca_secret_name:
            bundle = await self._authority(spec.linstor.ca_secret_name)
        return Linstor(spec.linstor.url, spec.request_timeout_seconds, bundle)

    async def _authority(self, secret: str) -> str:
        """The certificates that LINSTOR's is checked against. Raises StorageError."""
        try:
            bundle = (await read_secret(self._kube, self._namespace, secret, "the key ca.crt")).ca_bundle
        except SecretUnusable as error:
            raise StorageError(f"the authority of LINSTOR cannot be read: {error}") from error
        if not bundle:
            raise StorageError(f"Secret {self._namespace}/{secret} has no key ca.crt: add LINSTOR's authority there")
        return bundle
