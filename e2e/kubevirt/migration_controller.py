"""virt-controller's part for migrations: target pods, limits, timeouts, hand-over to the virt-handlers, cancelling,
clean-up.
"""

import asyncio
import copy
from typing import Any

from e2e.kubevirt.api import (
    EVACUATION_ANNOTATION,
    MIGRATION_JOB_LABEL,
    MIGRATION_TARGET_LABEL,
    NODE,
    PENDING_TIMEOUT_ANNOTATION,
    POD,
    UNSCHEDULABLE_TIMEOUT_ANNOTATION,
    VMI,
    VMIM,
    VMIM_FINALIZER,
    Key,
    Object,
    annotations_of,
    is_deleting,
    is_final,
    key_of,
    labels_of,
    phase_of,
    seconds_since,
    timestamp,
    uid_of,
)
from e2e.kubevirt.conditions import condition
from e2e.kubevirt.configuration import Configuration, Timings
from e2e.kubevirt.launcher_pod import target_pod
from e2e.kubevirt.migration_policy import MigrationPolicies
from e2e.kubevirt.store import Client, Stores
from e2e.kubevirt.vmi_controller import containers_started, current_pod, pods_of
from e2e.kubevirt.workqueue import WorkQueue

_UNSCHEDULABLE_TIMEOUT_S = 300
_PENDING_TIMEOUT_S = 900
_KEPT_FINISHED = 5
_BACKOFF_S = 20
_HOST_LABELS = ("cpu-vendor.node.kubevirt.io/", "host-model-cpu.node.kubevirt.io/", "machine-type.node.kubevirt.io/")


class MigrationController:
    """`sync` brings one VirtualMachineInstanceMigration a step further."""

    def __init__(
        self,
        client: Client,
        stores: Stores,
        configuration: Configuration,
        policies: MigrationPolicies,
        timings: Timings,
    ) -> None:
        self._client = client
        self._migrations, self._vmis, self._pods, self._nodes = stores[VMIM], stores[VMI], stores[POD], stores[NODE]
        self._configuration, self._policies, self._timings = configuration, policies, timings
        self._slots = asyncio.Lock()
        self.queue: WorkQueue[Key] = WorkQueue("migration", self.sync)

    async def sync(self, key: Key) -> None:
        """Looks at the migration, its VMI and its pods and does what is due. Raises ApiError."""
        migration = self._migrations.get(key)
        if migration is None:
            return
        vmi = self._vmis.get((key[0], migration["spec"]["vmiName"]))
        target = self._target_pod(migration)
        if is_deleting(migration):
            await self._cancel(migration, vmi, target)
        elif vmi is None:
            await self._client.delete(VMIM, migration)
        elif is_final(migration):
            await self._clean_up(migration, vmi, target)
        else:
            phase = await self._next_phase(migration, vmi, target)
            if phase != phase_of(migration):
                await self._set_phase(migration, phase, vmi)

    async def _next_phase(self, migration: Object, vmi: Object, target: Object | None) -> str:
        phase = phase_of(migration)
        state = self._state(migration, vmi)
        if is_final(vmi):
            return "Failed"
        if phase == "":
            return "Pending"
        if phase == "Pending":
            return "Scheduling" if target or await self._create_target(migration, vmi) else "Pending"
        moved = bool(state.get("endTimestamp")) and not state.get("failed")
        if not moved and (target is None or is_final(target)):
            await self._mark_failed(migration, vmi, "target pod is down")
            return "Failed"
        if phase == "Scheduling":
            assert target is not None
            return "Scheduled" if containers_started(target) else await self._check_timeout(migration, target)
        if phase == "Scheduled":
            assert target is not None
            await self._hand_over(migration, vmi, target)
            return "PreparingTarget"
        return self._handed_over_phase(phase, state)

    def _handed_over_phase(self, phase: str, state: dict[str, Any]) -> str:
        if state.get("failed"):
            return "Failed"
        if state.get("completed"):
            return "Succeeded"
        if state.get("startTimestamp"):
            return "Running"
        return "TargetReady" if state.get("targetNodeAddress") else phase

    def _target_pod(self, migration: Object) -> Object | None:
        for pod in self._pods:
            if labels_of(pod).get(MIGRATION_JOB_LABEL) == uid_of(migration):
                return pod
        return None

    def _state(self, migration: Object, vmi: Object) -> dict[str, Any]:
        """The VMI's migration state if it is this migration's."""
        state: dict[str, Any] = (vmi.get("status") or {}).get("migrationState") or {}
        return state if state.get("migrationUid") == uid_of(migration) else {}

    # Pending: may it have a pod?

    async def _create_target(self, migration: Object, vmi: Object) -> bool:
        pods = pods_of(vmi, self._pods)
        if phase_of(vmi) != "Running" or sum(not is_final(pod) for pod in pods) > 1:
            self.queue.add(key_of(migration), self._timings.blocked_migration_retry)
            return False
        wait = self._backoff_left(migration)
        if wait > 0:
            self.queue.add(key_of(migration), wait)
            return False
        async with self._slots:  # counting and taking a slot is one step
            if not self._slot_free(vmi):
                self.queue.add(key_of(migration), self._timings.migration_retry)
                return False
            source = current_pod(vmi, pods)
            image = self._configuration.launcher_image
            made = target_pod(vmi, migration, source, self._host_labels(vmi), image)
            await self._client.create(POD, made)
        return True

    def _slot_free(self, vmi: Object) -> bool:
        limits = self._configuration.migrations()
        node = vmi["status"].get("nodeName")
        active = [migration for migration in self._migrations if self._is_active(migration)]
        outbound = [migration for migration in active if self._source_node(migration) == node]
        return len(active) < int(limits["parallelMigrationsPerCluster"]) and len(outbound) < int(
            limits["parallelOutboundMigrationsPerNode"]
        )

    def _is_active(self, migration: Object) -> bool:
        """From the moment its target pod exists until it is final, also when that pod can't be scheduled."""
        return not is_final(migration) and (
            phase_of(migration) not in ("", "Pending") or self._target_pod(migration) is not None
        )

    def _source_node(self, migration: Object) -> str:
        vmi = self._vmis.get((key_of(migration)[0], migration["spec"]["vmiName"])) or {}
        return str((vmi.get("status") or {}).get("nodeName", ""))

    def _backoff_left(self, migration: Object) -> float:
        """Only evacuations wait after failures: 20 s, 40 s, 80 s ..."""
        if EVACUATION_ANNOTATION not in annotations_of(migration):
            return 0
        failures, last = 0, 0.0
        for other in self._finished(migration):
            if phase_of(other) == "Succeeded":
                break
            failures += 1
            last = last or seconds_since(_ended(other))
        return _BACKOFF_S * 2 ** (failures - 1) - last if failures else 0

    def _host_labels(self, vmi: Object) -> dict[str, str]:
        node = self._nodes.get(("", vmi["status"].get("nodeName", ""))) or {"metadata": {}}
        return {label: value for label, value in labels_of(node).items() if label.startswith(_HOST_LABELS)}

    # Scheduling: for how long?

    async def _check_timeout(self, migration: Object, target: Object) -> str:
        if phase_of(target) == "Pending" and not is_deleting(target):
            scheduled = condition(target, "PodScheduled") or {}
            unschedulable = scheduled.get("status") == "False" and scheduled.get("reason") == "Unschedulable"
            annotation, default = (
                (UNSCHEDULABLE_TIMEOUT_ANNOTATION, _UNSCHEDULABLE_TIMEOUT_S)
                if unschedulable
                else (PENDING_TIMEOUT_ANNOTATION, _PENDING_TIMEOUT_S)
            )
            left = _seconds(migration, annotation, default) - seconds_since(target["metadata"]["creationTimestamp"])
            if left <= 0:
                await self._client.delete(POD, target)
            else:
                self.queue.add(key_of(migration), min(left, 5.0) if left > 0.05 else 0.05)
        return "Scheduling"

    # Hand-over to the virt-handlers

    async def _hand_over(self, migration: Object, vmi: Object, target: Object) -> None:
        new = copy.deepcopy(vmi)
        status, node = new["status"], target["spec"]["nodeName"]
        if self._state(migration, vmi):
            return
        options, policy = self._policies.options(vmi, self._configuration.migrations())
        source = current_pod(vmi, pods_of(vmi, self._pods))
        status["migrationState"] = {
            "migrationUid": uid_of(migration),
            "sourceNode": status["nodeName"],
            "sourcePod": source["metadata"]["name"] if source else "",
            "targetNode": node,
            "targetPod": target["metadata"]["name"],
            "migrationConfiguration": options,
            **({"migrationPolicyName": policy} if policy else {}),
        }
        new["metadata"].setdefault("labels", {})[MIGRATION_TARGET_LABEL] = node
        await self._client.update(VMI, new)

    async def _mark_failed(self, migration: Object, vmi: Object, reason: str) -> None:
        """Only while no virt-handler has begun to copy: then it is the source's virt-handler that tells the outcome."""
        state = self._state(migration, vmi)
        if not state or state.get("completed") or state.get("startTimestamp"):
            return
        new = copy.deepcopy(vmi)
        new["status"]["migrationState"].update(
            completed=True, failed=True, startTimestamp=timestamp(), endTimestamp=timestamp(), failureReason=reason
        )
        await self._client.update(VMI, new)

    # The end

    async def _cancel(self, migration: Object, vmi: Object | None, target: Object | None) -> None:
        """DELETE of a migration: before the hand-over its pod goes, after it the source is asked to abort."""
        state = self._state(migration, vmi) if vmi else {}
        if vmi is not None and not is_final(vmi) and state and not state.get("completed") and not is_final(migration):
            if not state.get("abortRequested"):
                new = copy.deepcopy(vmi)
                new["status"]["migrationState"]["abortRequested"] = True
                await self._client.update(VMI, new)
            return
        succeeded = bool(state.get("endTimestamp")) and not state.get("failed")
        if target is not None and not is_final(target) and not succeeded and phase_of(migration) != "Succeeded":
            await self._client.delete(POD, target)
        await self._forget_target(migration, vmi)
        finalizers = [name for name in migration["metadata"].get("finalizers") or [] if name != VMIM_FINALIZER]
        if finalizers != (migration["metadata"].get("finalizers") or []):
            version = migration["metadata"]["resourceVersion"]
            body = {"metadata": {"finalizers": finalizers, "resourceVersion": version}}
            await self._client.patch(VMIM, key_of(migration), body)

    async def _clean_up(self, migration: Object, vmi: Object, target: Object | None) -> None:
        if phase_of(migration) == "Failed" and target is not None and not is_final(target) and not is_deleting(target):
            handed_over = bool(self._state(migration, vmi))
            if not handed_over or is_final(vmi):  # else the target's virt-handler lets its launcher exit
                await self._client.delete(POD, target)
        await self._forget_target(migration, vmi)
        for old in self._finished(migration)[_KEPT_FINISHED:]:
            await self._client.delete(VMIM, old)

    async def _forget_target(self, migration: Object, vmi: Object | None) -> None:
        if (
            vmi is not None
            and MIGRATION_TARGET_LABEL in labels_of(vmi)
            and self._state(migration, vmi).get("completed")
        ):
            new = copy.deepcopy(vmi)
            del new["metadata"]["labels"][MIGRATION_TARGET_LABEL]
            await self._client.update(VMI, new)

    def _finished(self, migration: Object) -> list[Object]:
        """The finished migrations of the same VMI, newest first."""
        same = [
            other
            for other in self._migrations
            if is_final(other)
            and key_of(other)[0] == key_of(migration)[0]
            and other["spec"]["vmiName"] == migration["spec"]["vmiName"]
        ]
        return sorted(same, key=lambda other: str(other["metadata"]["creationTimestamp"]), reverse=True)

    async def _set_phase(self, migration: Object, phase: str, vmi: Object) -> None:
        new = copy.deepcopy(self._migrations.get(key_of(migration)) or migration)
        status = new.setdefault("status", {})
        status["phase"] = phase
        stamp = {"phase": phase, "phaseTransitionTimestamp": timestamp()}
        status["phaseTransitionTimestamps"] = [*(status.get("phaseTransitionTimestamps") or []), stamp]
        current = self._vmis.get(key_of(vmi)) or vmi
        if self._state(migration, current):
            status["migrationState"] = copy.deepcopy(current["status"]["migrationState"])
        await self._client.update(VMIM, new, "status")


def _ended(migration: Object) -> str:
    stamps = migration["status"].get("phaseTransitionTimestamps") or []
    return str(stamps[-1]["phaseTransitionTimestamp"] if stamps else migration["metadata"]["creationTimestamp"])


def _seconds(migration: Object, annotation: str, default: int) -> int:
    try:
        return int(annotations_of(migration).get(annotation, default))
    except ValueError:
        return default
