"""virt-handler on one node: guests of VMIs handed over to it, both sides of live migrations, and the heartbeat.

It acts only while its node lives, reaches the API server, and a virt-handler pod runs there.
"""

import asyncio
import copy
import random
from collections.abc import Callable

from e2e.controlplane.client import ApiError
from e2e.kubevirt.api import (
    EVACUATION_ANNOTATION,
    HEARTBEAT_ANNOTATION,
    NODE,
    NODE_NAME_LABEL,
    POD,
    PVC,
    SCHEDULABLE_LABEL,
    VMI,
    Key,
    Object,
    is_deleting,
    is_final,
    key_of,
    phase_of,
    timestamp,
    uid_of,
)
from e2e.kubevirt.configuration import Timings
from e2e.kubevirt.domain_status import describe_guest
from e2e.kubevirt.guests import End, Guest, Guests
from e2e.kubevirt.kubelet import LauncherKubelet
from e2e.kubevirt.launcher import Launcher
from e2e.kubevirt.launcher_pod import DEFAULT_GRACE, guest_memory
from e2e.kubevirt.store import Client, Stores
from e2e.kubevirt.stream import ABORTED, Limits, Stream, Weather
from e2e.kubevirt.vmi_controller import set_phase
from e2e.kubevirt.workqueue import WorkQueue

_HOST_LABELS = {
    "cpu-vendor.node.kubevirt.io/Intel": "true",
    "host-model-cpu.node.kubevirt.io/Skylake-Server-IBRS": "true",
    "cpu-model.node.kubevirt.io/Skylake-Server-IBRS": "true",
    "cpu-model-migration.node.kubevirt.io/Skylake-Server-IBRS": "true",
    "machine-type.node.kubevirt.io/q35": "true",
    "kubevirt.io/cpumanager": "false",
}


class Handler:
    """`sync` handles one VMI; `heartbeat` runs as a task of its own."""

    def __init__(
        self, kubelet: LauncherKubelet, client: Client, stores: Stores, guests: Guests, timings: Timings,
        weather: Weather, acts: Callable[[], bool],
    ) -> None:  # fmt: skip
        self.node = kubelet.node
        self._kubelet, self._client = kubelet, client
        self._vmis, self._pods, self._claims, self._nodes = stores[VMI], stores[POD], stores[PVC], stores[NODE]
        self._guests, self._timings, self._weather, self._acts = guests, timings, weather, acts
        self._streams: dict[str, Stream] = {}
        """By migration UID; survives in the memory of QEMU, so only a power loss ends them."""
        self._preparing: set[str] = set()
        self.down = False
        """The program has crashed, and stays down."""
        self.queue: WorkQueue[Key] = WorkQueue(f"virt-handler {self.node}", self.sync)

    @property
    def active(self) -> bool:
        """Whether virt-handler does anything now."""
        return not self.down and self._acts() and any(map(self._is_handler_pod, self._pods))

    def _is_handler_pod(self, pod: Object) -> bool:
        labels = pod["metadata"].get("labels") or {}
        here = labels.get("kubevirt.io") == "virt-handler" and pod["spec"].get("nodeName") == self.node
        return here and phase_of(pod) == "Running" and not is_deleting(pod)

    def resync(self) -> None:
        """Looks at every VMI that has to do with this node."""
        for launcher in self._kubelet.launchers.values():
            self.queue.add(launcher.vmi)
        for vmi in self._vmis:
            if self.node in nodes_of(vmi):
                self.queue.add(key_of(vmi))

    def stop(self) -> None:
        """Ends the streams of a stand-in that stops."""
        for stream in self._streams.values():
            stream.cancel()

    def forget_all(self) -> None:
        """The node lost power; the streams end by themselves when they see their guests gone."""
        self._streams.clear()
        self._preparing.clear()

    async def heartbeat(self) -> None:
        """Says for ever, about once a minute, that this node takes VMs; at once when virt-handler comes up."""
        while True:
            if self.active:
                labels = {SCHEDULABLE_LABEL: "true", **_HOST_LABELS}
                metadata = {"labels": labels, "annotations": {HEARTBEAT_ANNOTATION: timestamp()}}
                try:
                    await self._client.patch(NODE, ("", self.node), {"metadata": metadata})
                except (ApiError, OSError, TimeoutError):
                    await asyncio.sleep(1)
                    continue
                self._kubelet.devices_ready = True
                self.resync()
                beat = self._timings.heartbeat * random.uniform(1, 1 + self._timings.heartbeat_jitter)
                await self._sleep_while_active(beat)
            else:
                await asyncio.sleep(0.5)

    async def _sleep_while_active(self, seconds: float) -> None:
        deadline = asyncio.get_running_loop().time() + seconds
        while self.active and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.5)

    async def sync(self, key: Key) -> None:
        """Brings guests and VMI together. Raises ApiError."""
        if not self.active:
            return
        vmi = self._vmis.get(key)
        self._destroy_strays(key, vmi)
        if vmi is None or is_final(vmi):
            self._acknowledge(key)
        if vmi is None:
            return
        new = copy.deepcopy(vmi)
        if new.get("status", {}).get("nodeName") == self.node and not is_final(vmi):
            self._run(new)
        self._migrate(new)
        if new != vmi:
            await self._client.update(VMI, new)
        if is_final(new):
            self._acknowledge(key)

    def _destroy_strays(self, key: Key, vmi: Object | None) -> None:
        for launcher in self._launchers(key):
            gone = vmi is None or launcher.vmi_uid != uid_of(vmi) or is_final(vmi)
            if gone and launcher.guest is not None:
                self._guests.destroy(launcher.guest)

    def _launchers(self, key: Key) -> list[Launcher]:
        return [launcher for launcher in self._kubelet.launchers.values() if launcher.vmi == key]

    def _launcher(self, vmi: Object, pod: str = "") -> Launcher | None:
        """The newest launcher of the VMI here that has not sent its guest away, or the one in that pod."""
        found = [one for one in self._launchers(key_of(vmi)) if one.vmi_uid == uid_of(vmi) and not one.migrated_away]
        if pod:
            found = [launcher for launcher in found if launcher.pod[1] == pod]
        return found[-1] if found else None

    def _acknowledge(self, key: Key) -> None:
        for launcher in self._launchers(key):
            launcher.acknowledged = True
            self._kubelet.queue.add(launcher.pod)

    # The guest of a VMI on this node

    def _run(self, vmi: Object) -> None:
        if any(one.migrated_away for one in self._launchers(key_of(vmi))) and self._launcher(vmi) is None:
            return  # cut over: the target's virt-handler reports it
        launcher = self._launcher(vmi)
        if phase_of(vmi) == "Scheduled" and launcher is not None and launcher.guest is None:
            if is_deleting(vmi) or launcher.killed_by:
                set_phase(vmi, "Failed")
            else:
                launcher.guest = self._guests.boot(vmi, self.node, launcher.pod[1])
                launcher.note_responsiveness()
        if phase_of(vmi) not in ("Scheduled", "Running"):
            return
        guest = launcher.guest if launcher else None
        if guest is None:
            set_phase(vmi, "Failed")
        elif guest.end is not None:
            set_phase(vmi, "Succeeded" if guest.end is End.SHUTDOWN else "Failed")
        else:
            assert launcher is not None
            self._supervise(vmi, launcher, guest)

    def _supervise(self, vmi: Object, launcher: Launcher, guest: Guest) -> None:
        if guest.started:
            set_phase(vmi, "Running")
        describe_guest(vmi, guest, self._claims)
        grace = vmi["spec"].get("terminationGracePeriodSeconds")
        grace = DEFAULT_GRACE if grace is None else float(grace)
        if is_deleting(vmi) or launcher.killed_by:
            self._guests.shut_down(guest, grace)

    # Live migration

    def _migrate(self, vmi: Object) -> None:
        state = (vmi.get("status") or {}).get("migrationState") or {}
        if not state or is_final(vmi):
            return
        if state.get("targetNode") == self.node:
            self._be_target(vmi)
        if state.get("sourceNode") == self.node:
            self._be_source(vmi)

    def _be_source(self, vmi: Object) -> None:
        state = vmi["status"]["migrationState"]
        if state.get("completed"):
            return
        stream = self._streams.get(state["migrationUid"])
        if vmi["status"]["nodeName"] != self.node:
            if state.get("endTimestamp"):
                state["completed"] = True
        elif stream is None and state.get("abortRequested"):
            self._fail(vmi, ABORTED)
        elif stream is None and state.get("targetNodeAddress"):
            self._start_stream(vmi)
        elif stream is not None:
            if state.get("abortRequested"):
                stream.abort()
            state.setdefault("startTimestamp", timestamp())
            if stream.ended and stream.failure:
                self._fail(vmi, stream.failure)

    def _fail(self, vmi: Object, reason: str) -> None:
        state = vmi["status"]["migrationState"]
        state.update(completed=True, failed=True, endTimestamp=timestamp(), failureReason=reason)
        if reason == ABORTED:
            state["abortStatus"] = "Succeeded"

    def _start_stream(self, vmi: Object) -> None:
        state = vmi["status"]["migrationState"]
        source = self._launcher(vmi)
        target = self._target_guest(vmi)
        if source is None or source.guest is None or target is None:
            return self._fail(vmi, "source node reported migration failed")
        gib = guest_memory(vmi) / 1024**3
        options = state["migrationConfiguration"]
        limits = Limits(float(options["progressTimeout"]), float(options["completionTimeoutPerGiB"]) * max(gib, 1))
        stream = Stream(self._guests, source.guest, target, gib, limits, self._timings, self._weather)
        self._streams[state["migrationUid"]] = stream
        key = key_of(vmi)
        stream.start(on_end=lambda: self.queue.add(key))
        state.update(startTimestamp=timestamp(), mode="PreCopy")
        return None

    def _target_guest(self, vmi: Object) -> Guest | None:
        """The waiting QEMU at the other end of the wire."""
        node = vmi["status"]["migrationState"]["targetNode"]
        waiting = [one for one in self._guests.of_vm(key_of(vmi)) if one.node == node and not one.executing]
        return waiting[0] if waiting else None

    def _be_target(self, vmi: Object) -> None:
        state = vmi["status"]["migrationState"]
        launcher = self._launcher(vmi, pod=state["targetPod"])
        if launcher is None or vmi["status"]["nodeName"] == self.node:
            return
        if state.get("failed"):
            if launcher.guest is not None and not launcher.guest.executing:
                self._guests.destroy(launcher.guest)
            elif launcher.guest is None:
                launcher.guest = self._guests.prepare_incoming(vmi, self.node, launcher.pod[1])
                self._guests.destroy(launcher.guest)
        elif launcher.guest is not None and launcher.guest.executing:
            self._take_over(vmi, launcher)
        elif launcher.guest is not None:
            state.setdefault("targetNodeAddress", _address(self._nodes.get(("", self.node))))
        elif state["migrationUid"] not in self._preparing:
            self._preparing.add(state["migrationUid"])
            asyncio.get_running_loop().call_later(self._timings.prepare_target, self._prepare, vmi, launcher)

    def _prepare(self, vmi: Object, launcher: Launcher) -> None:
        alive = (
            self._kubelet.launchers.get(launcher.pod_uid) is launcher and not launcher.exited and not launcher.killed_by
        )
        if alive and launcher.guest is None:
            launcher.guest = self._guests.prepare_incoming(vmi, self.node, launcher.pod[1])
            self.queue.add(launcher.vmi)

    def _take_over(self, vmi: Object, launcher: Launcher) -> None:
        status, state = vmi["status"], vmi["status"]["migrationState"]
        state.setdefault("startTimestamp", timestamp())
        state.update(
            endTimestamp=timestamp(), targetNodeDomainDetected=True, targetNodeDomainReadyTimestamp=timestamp()
        )
        status["nodeName"] = self.node
        status.pop("evacuationNodeName", None)
        vmi["metadata"].setdefault("labels", {})[NODE_NAME_LABEL] = self.node
        (vmi["metadata"].get("annotations") or {}).pop(EVACUATION_ANNOTATION, None)


def nodes_of(vmi: Object) -> set[str]:
    """The nodes whose virt-handler has something to do for a VMI."""
    status = vmi.get("status") or {}
    state = status.get("migrationState") or {}
    return {name for name in (status.get("nodeName"), state.get("sourceNode"), state.get("targetNode")) if name}


def _address(node: Object | None) -> str:
    for address in ((node or {}).get("status") or {}).get("addresses") or []:
        if address["type"] == "InternalIP":
            return str(address["address"])
    return "127.0.0.1"
