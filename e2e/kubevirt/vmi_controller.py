"""virt-controller's part for VMIs: launcher pods, phases up to the hand-over to virt-handler, conditions, and the
pod-gone rule.

A VMI object leaves the API only when it is final and no pod owned by it is left. That is KubeVirt's only protection
against two instances, and this module keeps exactly that and nothing more.
"""

import copy
from collections.abc import Iterable

from e2e.controlplane.client import STRATEGIC, ApiError
from e2e.kubevirt.api import (
    MIGRATION_JOB_LABEL,
    NETWORK_ATTACHMENT,
    NODE_NAME_LABEL,
    POD,
    PVC,
    UNPAUSED_GATE,
    VMI,
    VMI_FINALIZER,
    Key,
    Object,
    controller_uid,
    is_deleting,
    is_final,
    key_of,
    labels_of,
    phase_of,
    timestamp,
    uid_of,
)
from e2e.kubevirt.conditions import condition, is_true, put_condition, remove_condition, set_condition
from e2e.kubevirt.configuration import Configuration
from e2e.kubevirt.launcher_pod import claim_name, launcher_pod
from e2e.kubevirt.store import Client, Stores
from e2e.kubevirt.workqueue import WorkQueue

_CREATE_RETRY_S = 5.0


def set_phase(vmi: Object, phase: str) -> None:
    """Moves a VMI into a phase and notes when."""
    status = vmi.setdefault("status", {})
    if status.get("phase") != phase:
        status["phase"] = phase
        stamps = status.setdefault("phaseTransitionTimestamps", [])
        stamps.append({"phase": phase, "phaseTransitionTimestamp": timestamp()})


def was_running(vmi: Object) -> bool:
    """Whether it ever reached Running."""
    stamps = (vmi.get("status") or {}).get("phaseTransitionTimestamps") or []
    return any(stamp["phase"] == "Running" for stamp in stamps)


def pods_of(vmi: Object, pods: Iterable[Object]) -> list[Object]:
    """The launcher pods that a VMI owns, whatever their state."""
    return [pod for pod in pods if controller_uid(pod) == uid_of(vmi)]


def current_pod(vmi: Object, pods: list[Object]) -> Object | None:
    """The pod that the VMI runs in: the newest on its node; before it has a node, the newest that no migration made.

    A Succeeded pod that an earlier migration left on that node counts too, as it does for the real virt-controller.
    """
    node = (vmi.get("status") or {}).get("nodeName")
    if node:
        own = [pod for pod in pods if pod["spec"].get("nodeName") == node]
    else:
        own = [pod for pod in pods if MIGRATION_JOB_LABEL not in labels_of(pod)]
    return max(own, key=_age_key, default=None)


def _age_key(pod: Object) -> tuple[str, int]:
    return pod["metadata"]["creationTimestamp"], int(pod["metadata"]["resourceVersion"])


def containers_started(pod: Object) -> bool:
    """Whether the pod can be handed over: its one container runs. Its readiness probe is that of the guest to come."""
    statuses = (pod.get("status") or {}).get("containerStatuses") or []
    return bool(statuses) and all("running" in status.get("state", {}) for status in statuses)


class VMIController:
    """`sync` brings one VMI a step further."""

    def __init__(self, client: Client, stores: Stores, configuration: Configuration) -> None:
        self._client, self._configuration = client, configuration
        self._vmis, self._pods, self._claims = stores[VMI], stores[POD], stores[PVC]
        self._networks = stores[NETWORK_ATTACHMENT]
        self.queue: WorkQueue[Key] = WorkQueue("vmi", self.sync)

    async def sync(self, key: Key) -> None:
        """Looks at the VMI and its pods and does what is due. Raises ApiError."""
        vmi = self._vmis.get(key)
        if vmi is None:
            return
        pods = pods_of(vmi, self._pods)
        new = copy.deepcopy(vmi)
        new.setdefault("status", {})
        await self._set_gates(new, pods)
        if is_deleting(vmi):
            for pod in pods:
                if not is_deleting(pod):
                    await self._client.delete(POD, pod)
        elif not pods and phase_of(vmi) in ("", "Pending"):
            await self._create_pod(new)
            pods = pods_of(vmi, self._pods)
        self._update_phase(new, pods)
        self._update_conditions(new, current_pod(new, pods))
        self._release(new, pods)
        if new != vmi:
            await self._client.update(VMI, new)

    async def _create_pod(self, vmi: Object) -> None:
        missing = [
            name for name in map(claim_name, vmi["spec"].get("volumes") or []) if name and not self._claim(vmi, name)
        ]
        if missing:
            message = f"PVC {key_of(vmi)[0]}/{missing[0]} does not exist, waiting for it to appear"
            set_condition(vmi, "Synchronized", False, "FailedPvcNotFound", message)
            return
        network = self._missing_network(vmi)
        if network:
            message = f"failed to render launch manifest: failed to locate network attachment definition {network}"
            set_condition(vmi, "Synchronized", False, "FailedCreate", message)
            self.queue.add(key_of(vmi), _CREATE_RETRY_S)
            return
        try:
            await self._client.create(POD, launcher_pod(vmi, self._configuration.launcher_image))
        except ApiError as error:
            set_condition(
                vmi, "Synchronized", False, "FailedCreate", f"failed to create virtual machine pod: {error.message}"
            )
            self.queue.add(key_of(vmi), _CREATE_RETRY_S)
            return
        remove_condition(vmi, "Synchronized")

    def _missing_network(self, vmi: Object) -> str:
        """`namespace/name` of a NetworkAttachmentDefinition that there is not; without a namespace it is the VMI's."""
        for network in vmi["spec"].get("networks") or ():
            name = str((network.get("multus") or {}).get("networkName") or "")
            namespace, _, name = name.rpartition("/")
            namespace = namespace or key_of(vmi)[0]
            if name and self._networks.get((namespace, name)) is None:
                return f"{namespace}/{name}"
        return ""

    def _claim(self, vmi: Object, name: str) -> Object | None:
        return self._claims.get((key_of(vmi)[0], name))

    def _update_phase(self, vmi: Object, pods: list[Object]) -> None:
        phase, pod = phase_of(vmi), current_pod(vmi, pods)
        if phase == "":
            set_phase(vmi, "Pending")
        if phase in ("", "Pending"):
            if pod is not None:
                set_phase(vmi, "Scheduling")
            elif is_deleting(vmi):
                set_phase(vmi, "Succeeded")
        elif phase == "Scheduling":
            self._schedule(vmi, pod)
        elif phase in ("Scheduled", "Running") and pod is None:
            set_phase(vmi, "Failed")
        vmi["status"]["activePods"] = {
            uid_of(pod): pod["spec"].get("nodeName", "") for pod in pods if not is_final(pod)
        }

    def _schedule(self, vmi: Object, pod: Object | None) -> None:
        if pod is None or is_final(pod):
            set_phase(vmi, "Failed")
        elif containers_started(pod) and not is_deleting(pod):
            node = pod["spec"]["nodeName"]
            vmi["status"]["nodeName"] = node
            vmi["metadata"].setdefault("labels", {})[NODE_NAME_LABEL] = node
            set_phase(vmi, "Scheduled")

    def _update_conditions(self, vmi: Object, pod: Object | None) -> None:
        scheduled = condition(pod, "PodScheduled") if pod else None
        if scheduled and scheduled["status"] == "False" and not is_final(vmi):
            put_condition(vmi, {**scheduled, "lastProbeTime": None})
        else:
            remove_condition(vmi, "PodScheduled")
        external = vmi["spec"].get("evictionStrategy") == "External"
        if external and vmi["status"].get("evacuationNodeName"):
            set_condition(vmi, "EvictionRequested", True)
        else:
            remove_condition(vmi, "EvictionRequested")
        if pod is None or is_final(vmi):
            set_condition(vmi, "Ready", False, "PodNotExists", "virt-launcher pod has not yet been scheduled")
        elif is_deleting(pod):
            set_condition(vmi, "Ready", False, "PodTerminating", "virt-launcher pod is terminating")
        elif phase_of(vmi) != "Running":
            set_condition(vmi, "Ready", False, "GuestNotRunning", "Guest VM is not reported as running")
        else:
            self._copy_readiness(vmi, pod)

    def _copy_readiness(self, vmi: Object, pod: Object) -> None:
        ready = condition(pod, "Ready")
        if ready is None:
            set_condition(
                vmi, "Ready", False, "PodConditionMissing", "virt-launcher pod is missing the Ready condition"
            )
        else:
            set_condition(vmi, "Ready", ready["status"] == "True", ready.get("reason", ""), ready.get("message", ""))

    def _release(self, vmi: Object, pods: list[Object]) -> None:
        """Lets the object go when it is final and nothing of it is left in the API."""
        finalizers = vmi["metadata"].get("finalizers") or []
        if is_deleting(vmi) and is_final(vmi) and not pods and VMI_FINALIZER in finalizers:
            vmi["metadata"]["finalizers"] = [name for name in finalizers if name != VMI_FINALIZER]

    async def _set_gates(self, vmi: Object, pods: list[Object]) -> None:
        """The readiness gate of the pods says whether the guest is paused."""
        paused = is_true(vmi, "Paused")
        for pod in pods:
            if is_final(pod):
                continue
            changed = copy.deepcopy(pod)
            reason = "Paused" if paused else "NotPaused"
            set_condition(
                changed, UNPAUSED_GATE, not paused, reason, f"the virtual machine is {'' if paused else 'not '}paused"
            )
            if changed["status"] != pod.get("status"):
                gate = condition(changed, UNPAUSED_GATE)
                await self._client.patch(POD, key_of(pod), {"status": {"conditions": [gate]}}, "status", STRATEGIC)
