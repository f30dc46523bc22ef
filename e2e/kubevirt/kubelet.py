"""The kubelet's part for launcher pods of one node: containers, pod status, probes, graceful and forced ends.

kwok runs all other pods. Restart policy is Never: a pod whose container is lost to a reboot has Failed.
"""

import asyncio
import copy
from collections.abc import Callable
from typing import Any

from e2e.controlplane.client import STRATEGIC
from e2e.kubevirt.api import (
    DOMAIN_ANNOTATION,
    POD,
    UNPAUSED_GATE,
    Key,
    Object,
    annotations_of,
    is_deleting,
    is_final,
    key_of,
    phase_of,
    timestamp,
    uid_of,
)
from e2e.kubevirt.conditions import is_true, set_condition
from e2e.kubevirt.configuration import Timings
from e2e.kubevirt.guests import Guests
from e2e.kubevirt.launcher import Launcher
from e2e.kubevirt.store import Client, Stores, suppress_gone
from e2e.kubevirt.workqueue import WorkQueue

_ACKNOWLEDGE_S = 2.0
_EXIT_S = 0.05


class LauncherKubelet:
    """`sync` handles one pod; does nothing while the node is dead or can't reach the API server."""

    def __init__(
        self, node: str, client: Client, stores: Stores, guests: Guests, timings: Timings, acts: Callable[[], bool]
    ) -> None:
        self.node = node
        self.launchers: dict[str, Launcher] = {}
        """By pod UID; what runs on this node, whatever the API says."""
        self.devices_ready = False
        """Since this boot virt-handler has offered /dev/kvm to the kubelet; no launcher is admitted before."""
        self.on_launcher: Callable[[Launcher], None] = lambda launcher: None
        self._client, self._pods = client, stores[POD]
        self._guests, self._timings, self._acts = guests, timings, acts
        self.queue: WorkQueue[Key] = WorkQueue(f"kubelet {node}", self.sync)

    def resync(self) -> None:
        """Looks at every pod of the node, and at every container without one."""
        for launcher in self.launchers.values():
            self.queue.add(launcher.pod)
        for pod in self._pods:
            if self._owns(pod):
                self.queue.add(key_of(pod))

    def _owns(self, pod: Object) -> bool:
        return pod["spec"].get("nodeName") == self.node and DOMAIN_ANNOTATION in annotations_of(pod)

    def forget_all(self) -> None:
        """The node lost power."""
        self.launchers.clear()

    def guest_changed(self, launcher: Launcher) -> None:
        """Its guest booted, hung, or ended; the last one ends the container too."""
        launcher.note_responsiveness()
        if launcher.guest_ended and not launcher.exiting:
            launcher.exiting = True
            asyncio.get_running_loop().call_later(_EXIT_S, self._exit, launcher)
        self.queue.add(launcher.pod)

    def _exit(self, launcher: Launcher) -> None:
        launcher.exited = True
        self.queue.add(launcher.pod)

    async def sync(self, key: Key) -> None:
        """Brings pod and container together. Raises ApiError."""
        if not self._acts():
            return
        pod = self._pods.get(key)
        self._kill_strays(key, uid_of(pod) if pod else "")
        if pod is None or not self._owns(pod):
            return
        launcher = self.launchers.get(uid_of(pod))
        if is_deleting(pod):
            await self._terminate(pod, launcher)
        elif launcher is not None:
            await self._check(pod, launcher)
        elif phase_of(pod) == "Pending":
            await self._start(pod)
        elif phase_of(pod) == "Running":
            await self._write_end(pod, "Failed", "Error", "the node restarted while the container ran")

    def _kill_strays(self, key: Key, uid: str) -> None:
        """A container whose pod was removed from the API by force gets no grace."""
        for launcher in [found for found in self.launchers.values() if found.pod == key and found.pod_uid != uid]:
            del self.launchers[launcher.pod_uid]
            if launcher.guest is not None:
                self._guests.destroy(launcher.guest)

    async def _start(self, pod: Object) -> None:
        if not self.devices_ready:
            message = "Allocate failed due to no healthy devices present; cannot allocate devices.kubevirt.io/kvm"
            await self._write_end(pod, "Failed", "UnexpectedAdmissionError", message)
            return
        await asyncio.sleep(self._timings.container_start)
        if not self._acts() or self._pods.get(key_of(pod)) is None or uid_of(pod) in self.launchers:
            return
        launcher = self.launchers[uid_of(pod)] = Launcher.of(pod)
        await self._check(self._pods.get(key_of(pod)) or pod, launcher)
        self.on_launcher(launcher)

    async def _check(self, pod: Object, launcher: Launcher) -> None:
        if launcher.exited:
            if not is_final(pod):
                await self._write_end(pod, "Succeeded", "Completed")
            return
        self._probe(launcher)
        await self._write_running(pod, launcher)

    def _probe(self, launcher: Launcher) -> None:
        launcher.note_responsiveness()
        first_try = launcher.ready_in()
        if first_try is not None:
            self.queue.add(launcher.pod, first_try + 0.05)
        for probe in ("livenessProbe", "readinessProbe"):
            wait = launcher.probe_failure_in(probe)
            if wait is None:
                continue
            if wait > 0:
                self.queue.add(launcher.pod, wait + 0.05)
            elif probe == "livenessProbe" and not launcher.killed_by:
                launcher.killed_by = "liveness probe"
                self._signal(launcher)

    def _signal(self, launcher: Launcher) -> None:
        """SIGTERM: virt-launcher shuts its guest down; an idle one just exits."""
        if launcher.guest is None or launcher.guest_ended:
            self._exit(launcher)
        else:
            self.on_launcher(launcher)

    async def _terminate(self, pod: Object, launcher: Launcher | None) -> None:
        if launcher is not None and not launcher.exited:
            if not launcher.killed_by:
                launcher.killed_by = "pod deletion"
                grace = float(pod["metadata"].get("deletionGracePeriodSeconds") or 0)
                asyncio.get_running_loop().call_later(grace, self._kill, launcher)
            self._signal(launcher)
            return
        if launcher is not None and launcher.ended_unreported:
            launcher.acknowledged = True
            self.queue.add(key_of(pod), _ACKNOWLEDGE_S)  # virt-handler wakes us earlier when it has written the phase
            return
        if not is_final(pod):
            await self._write_end(pod, "Succeeded" if launcher else "Failed", "Completed" if launcher else "Error")
        self.launchers.pop(uid_of(pod), None)
        with suppress_gone():
            await self._client.delete(POD, pod, grace_period=0)

    def _kill(self, launcher: Launcher) -> None:
        """SIGKILL at the end of the pod's grace period."""
        if self.launchers.get(launcher.pod_uid) is launcher and not launcher.exited:
            if launcher.guest is not None:
                self._guests.destroy(launcher.guest)
            self._exit(launcher)

    async def _write_running(self, pod: Object, launcher: Launcher) -> None:
        ready = launcher.ready
        new = copy.deepcopy(pod)
        gate = is_true(pod, UNPAUSED_GATE)
        for kind in ("PodReadyToStartContainers", "Initialized"):
            set_condition(new, kind, True)
        set_condition(new, "ContainersReady", ready, "" if ready else "ContainersNotReady")
        reason = "" if ready and gate else "ReadinessGatesNotReady" if ready else "ContainersNotReady"
        set_condition(new, "Ready", ready and gate, reason)
        started = (pod.get("status") or {}).get("startTime") or timestamp()
        new["status"].update(
            phase="Running", startTime=started, podIP=_address(pod), podIPs=[{"ip": _address(pod)}],
            containerStatuses=[_container_status(pod, {"running": {"startedAt": started}}, ready)],
        )  # fmt: skip
        await self._write(pod, new)

    async def _write_end(self, pod: Object, phase: str, reason: str, message: str = "") -> None:
        new = copy.deepcopy(pod)
        for kind in ("ContainersReady", "Ready"):
            set_condition(new, kind, False, "PodCompleted" if phase == "Succeeded" else "PodFailed")
        code = 0 if phase == "Succeeded" else 255
        ended = {"terminated": {"exitCode": code, "reason": reason, "message": message, "finishedAt": timestamp()}}
        new["status"].update(phase=phase, containerStatuses=[_container_status(pod, ended, ready=False)])
        await self._write(pod, new)

    async def _write(self, pod: Object, new: Object) -> None:
        if new["status"] == pod.get("status"):
            return
        body = {"metadata": {"uid": uid_of(pod)}, "status": new["status"]}
        with suppress_gone():
            await self._client.patch(POD, key_of(pod), body, "status", STRATEGIC)


def _address(pod: Object) -> str:
    """An address for the pod; nothing listens there."""
    known = (pod.get("status") or {}).get("podIP")
    number = int(uid_of(pod).replace("-", "")[:4], 16)
    return str(known or f"10.245.{number // 256}.{number % 256}")


def _container_status(pod: Object, state: dict[str, Any], ready: bool) -> dict[str, Any]:
    container = pod["spec"]["containers"][0]
    return {
        "name": container["name"],
        "image": container["image"],
        "imageID": container["image"],
        "ready": ready,
        "started": "running" in state,
        "restartCount": 0,
        "state": state,
    }
