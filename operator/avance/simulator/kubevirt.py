"""KubeVirt for VMs of runStrategy Manual: what it does with starts, ends, lost pods and migrations, and when.

Nothing here is kinder than the real thing: an instance on a silent node stays as it is for ever; removing its pod
makes it Failed at once, whatever still runs; a failed instance is restarted by nobody; a migration whose source died
just hangs.
"""

from __future__ import annotations

from avance.core.model import VmPhase
from avance.simulator import guest_health
from avance.simulator.cluster import Cluster
from avance.simulator.disks import Disks
from avance.simulator.live_migration import LiveMigrations
from avance.simulator.objects import Instance, Pod, VmObject
from avance.simulator.world import Guest, Server, World

SHUTDOWN_SECONDS = 1.0
GRACE_SECONDS = 60.0
"""How long a guest that does not hear the power button is given before it is killed."""
KILL_SECONDS = 2.0
"""How long a guest whose pod is gone runs on after its node reaches the API."""
OTHERS_SECONDS = 5.0
"""How often `kubectl drain` evicts what is left, and virt-controller looks for outdated launchers."""
UPDATE_PATIENCE_SECONDS = 300.0
"""How long virt-controller waits for a node that takes the target pod of a migration of its own."""


class KubeVirt:
    def __init__(self, cluster: Cluster, world: World, disks: Disks | None = None) -> None:
        self._cluster = cluster
        self._api = cluster.api
        self._world = world
        self._disks = disks
        self.migrations = LiveMigrations(self._api, world)
        self.drained: set[str] = set()
        """Servers that somebody drains."""
        self.outdated: dict[str, float] = {}
        """VMs whose launcher is of an older release than KubeVirt, and since when."""
        self._others_due = 0.0
        self._boot_trouble: set[tuple[str, str]] = set()
        """VM and server; an empty server means every one."""
        self._hangs_once_up: set[str] = set()

    def tick(self, now: float) -> None:
        guest_health.tick(self._api, self._world, now)
        controls = self.answers and self._api.around.virt_controller
        for vm in list(self._api.vms.values()) if controls else ():
            if vm.start_asked:
                self._carry_out_start(vm, now)
        for server in self._world.servers.values():
            if server.connected:
                self._node_side(server, now)
        for instance in list(self._api.instances.values()) if controls else ():
            self._instance(instance, now)
        if controls and now >= self._others_due:
            self._others_due = now + OTHERS_SECONDS
            self._act_for_others(now)
        self.migrations.tick(now, controls)

    def _act_for_others(self, now: float) -> None:
        """Evictions of a drain, tried again and again, and migrations that virt-controller makes by itself."""
        for instance in list(self._api.instances.values()):
            if instance.node in self.drained and not instance.phase.final:
                self._api.change(self._api.instances, instance.vm, evacuate_from=instance.node)
        moved = [each for each in self._api.migrations.values() if each.phase == "Succeeded"]
        updated = {each.vm for each in moved if each.entered_at > self.outdated.get(each.vm, now)}
        self.outdated = {vm: since for vm, since in self.outdated.items() if vm not in updated}
        for vm in sorted(self.outdated):
            live = self._api.instances.get(vm)
            other = next((name for name in self._world.servers if live and name != live.node), "")
            if live is not None and live.phase is VmPhase.RUNNING and other:
                name = f"kubevirt-workload-update-{vm.rpartition('/')[2]}-{now:.0f}"
                self.migrations.create(name, vm, other, UPDATE_PATIENCE_SECONDS, now, by="KubeVirt's workload update")

    @property
    def answers(self) -> bool:
        """virt-api is there: without its webhooks the API takes no write of a VM, not even one of virt-controller."""
        return self._api.around.virt_api

    # ── what avance and people may ask for ──

    def start(self, vm_key: str, instance_uid: str, now: float) -> None:
        """A new instance in place of `instance_uid`; nothing if there is another one by now."""
        instance = self._api.instances.get(vm_key)
        if (instance.uid if instance else "") != instance_uid or self._api.vms[vm_key].start_asked:
            return
        self._api.change(self._api.vms, vm_key, start_asked=True)
        if instance is not None and not instance.phase.final:
            self._api.change(self._api.instances, vm_key, stop_asked_at=instance.stop_asked_at or now)

    def stop(self, vm_key: str, instance_uid: str, now: float) -> None:
        """An orderly shutdown of this very instance."""
        instance = self._api.instances.get(vm_key)
        if instance is not None and instance.uid == instance_uid and not instance.phase.final:
            self._api.change(self._api.instances, vm_key, stop_asked_at=instance.stop_asked_at or now)

    def refuse_to_boot(self, vm_key: str, server: str = "") -> None:
        """From now on its guest crashes while it boots, on one server or wherever it is."""
        self._boot_trouble.add((vm_key, server))

    def hang_once_up(self, vm_key: str) -> None:
        """From now on its guest hangs as soon as it has answered."""
        self._hangs_once_up.add(vm_key)

    def boot_again(self, vm_key: str) -> None:
        self._boot_trouble = {trouble for trouble in self._boot_trouble if trouble[0] != vm_key}
        self._hangs_once_up.discard(vm_key)

    def delete(self, vm_key: str, now: float) -> None:
        """Its ProtectedVM goes, and with it the VirtualMachine; its guest is shut down where it can be."""
        self._api.remove(self._api.vms, vm_key)
        instance = self._api.instances.get(vm_key)
        if instance is not None:
            self._api.change(self._api.instances, vm_key, stop_asked_at=instance.stop_asked_at or now)

    # ── virt-controller ──

    def _carry_out_start(self, vm: VmObject, now: float) -> None:
        """The old instance has to be final and without pods before there is a new one."""
        instance = self._api.instances.get(vm.key)
        if instance is not None:
            if instance.phase.final and not self._pods_left(instance):
                self._remove(instance)
            return
        uid = self._api.uid(f"{vm.name}-instance")
        self._api.put(self._api.instances, vm.key, Instance(uid, vm.key, VmPhase.PENDING, now))
        self._api.change(self._api.vms, vm.key, start_asked=False)

    def _pods_left(self, instance: Instance) -> bool:
        left = False
        for pod in self._api.pods_of(instance.vm):
            if pod.instance_uid != instance.uid:
                continue
            if pod.final or not pod.node:
                self._cluster.delete_pod(pod)
            else:
                left = True
        return left

    def _remove(self, instance: Instance) -> None:
        for migration in list(self._api.migrations.values()):
            if migration.instance_uid == instance.uid:
                self._api.remove(self._api.migrations, migration.name)
        self._api.remove(self._api.instances, instance.vm)

    def _instance(self, instance: Instance, now: float) -> None:
        if instance.phase is VmPhase.PENDING:
            if now > instance.entered_at:
                self._make_pod(instance, now)
                self._enter(instance, VmPhase.SCHEDULING, now)
        elif instance.phase is VmPhase.SCHEDULING:
            self._await_schedule(instance, now)
        elif not instance.phase.final:
            self._watch(instance, now)
        elif instance.stop_asked_at is not None and not self._pods_left(instance):
            self._remove(instance)  # `stop` leaves nothing behind

    def _make_pod(self, instance: Instance, now: float) -> None:
        vm = self._api.vms.get(instance.vm)
        if vm is None:
            return
        uid = self._api.uid("virt-launcher")
        pod = Pod(uid, uid, instance.vm, instance.uid, vm.needs, now)
        self._api.put(self._api.pods, uid, pod)

    def _await_schedule(self, instance: Instance, now: float) -> None:
        pods = [pod for pod in self._api.pods_of(instance.vm) if pod.instance_uid == instance.uid]
        running = next((pod for pod in pods if pod.phase == "Running"), None)
        if running is not None:
            self._enter(instance, VmPhase.SCHEDULED, now, node=running.node)
        elif not any(not pod.final for pod in pods):
            self._enter(instance, VmPhase.FAILED, now)
        elif instance.stop_asked_at is not None:
            for pod in pods:
                if not pod.node:
                    self._cluster.delete_pod(pod)

    def _watch(self, instance: Instance, now: float) -> None:
        """A scheduled or running instance lives exactly as long as its pod object does."""
        pods = [pod for pod in self._api.pods_of(instance.vm) if pod.instance_uid == instance.uid]
        if not any(pod.node == instance.node for pod in pods):
            self._enter(instance, VmPhase.FAILED, now)
            return
        up = instance.phase is VmPhase.RUNNING and not (instance.probe_failed or instance.paused)
        ready = up and self._api.nodes[instance.node].ready == "True"
        self._api.change(self._api.instances, instance.vm, ready=ready)

    def _enter(self, instance: Instance, phase: VmPhase, now: float, node: str | None = None) -> None:
        where = instance.node if node is None else node
        live = self._api.instances.get(instance.vm)
        if live is not None and live.uid == instance.uid and live.phase is not phase and not live.phase.final:
            self._api.change(self._api.instances, instance.vm, phase=phase, entered_at=now, node=where, ready=False)

    # ── kubelet, virt-handler and virt-launcher of one connected node ──

    def _node_side(self, server: Server, now: float) -> None:
        for pod in [pod for pod in self._api.pods.values() if pod.node == server.name]:
            if pod.final:
                if pod.deleted_at is not None:
                    self._cluster.delete_pod(pod)
            elif pod.boot_id != server.boot_id:
                self._report_end(pod, server, "crash", now)  # it was lost with the node's last life
            elif not self._ends(pod, server, now):
                self._bring_up(pod, server, now)
                self._report_health(pod, server, now)
        if now - server.reachable_since >= KILL_SECONDS:
            self._sweep(server)

    def _sweep(self, server: Server) -> None:
        """What is left of pods that are gone from the API is ended."""
        for guest in self._world.ledger:
            if guest.server == server.name and guest.pod_uid not in self._api.pods:
                if guest.runs:
                    self._world.end_guest(guest, "killed")
                guest.end_known = True

    def _ends(self, pod: Pod, server: Server, now: float) -> bool:
        """Deal with a guest that ended or has to end; True if there is nothing more to do for the pod."""
        guest = self._world.guest_of_pod(pod.uid)
        if guest is not None and not guest.runs:
            if guest.end != "migrated" or self._target_given_up(pod):
                self._report_end(pod, server, guest.end, now)
            return True
        instance = self._api.instances.get(pod.vm)
        orphan = instance is None or instance.uid != pod.instance_uid or instance.phase.final
        asked = min((at for at in (pod.deleted_at, instance.stop_asked_at if instance else None) if at), default=None)
        if guest is None:
            if orphan or asked is not None or (pod.only_node and not self.migrations.awaits(pod.uid)):
                self._report_end(pod, server, "shutdown", now)
                return True
            return False
        if orphan:
            self._world.end_guest(guest, "killed")
            self._report_end(pod, server, "crash", now)
        elif asked is not None and now - max(asked, server.reachable_since) >= _patience(guest):
            self._world.end_guest(guest, "crash" if guest.mind.still else "shutdown")
            self._report_end(pod, server, guest.end, now)
        else:
            return False
        return True

    def _target_given_up(self, pod: Pod) -> bool:
        """The guest moved away physically, but KubeVirt has never heard of its arrival and its target pod is gone."""
        others = [other for other in self._api.pods_of(pod.vm) if other.uid != pod.uid and not other.final]
        instance = self._api.instances.get(pod.vm)
        return not others or instance is None or instance.phase.final

    def _bring_up(self, pod: Pod, server: Server, now: float) -> None:
        age = now - max(pod.entered_at, server.reachable_since)
        if pod.phase == "Pending" and age >= 0.25:
            self._api.change(self._api.pods, pod.uid, phase="Running", entered_at=now)
            return
        instance = self._api.instances.get(pod.vm)
        if pod.only_node or instance is None or not server.virt_handler or self._api.nodes[server.name].out_of_service:
            return
        if instance.phase is VmPhase.SCHEDULED and instance.node == server.name:
            self._boot(pod, instance, server, now)

    def _boot(self, pod: Pod, instance: Instance, server: Server, now: float) -> None:
        guest = self._world.guest_of_pod(pod.uid)
        if guest is None:
            if self._disks is None or self._disks.attach(pod.vm, server.name):
                self._world.start_guest(pod.vm, instance.uid, pod.uid, server.name)
        elif self.answers and now - guest.started_at >= self._world.timing.boot_of(pod.vm):
            if {(pod.vm, ""), (pod.vm, server.name)} & self._boot_trouble:
                self._world.end_guest(guest, "crash")
            else:
                self._enter(instance, VmPhase.RUNNING, now)

    def _report_health(self, pod: Pod, server: Server, now: float) -> None:
        guest, instance = self._world.guest_of_pod(pod.uid), self._api.instances.get(pod.vm)
        if guest is None or not guest.runs or instance is None or instance.node != server.name:
            return
        if instance.uid == pod.instance_uid and instance.phase is VmPhase.RUNNING:
            guest_health.report(self._api, server, guest, instance, now)
            if pod.vm in self._hangs_once_up and instance.ready and guest.mind.hung_at is None:
                guest.mind.hung_at = now

    def shut_down(self, server: Server, now: float) -> None:
        """The kubelet ends every guest of its server and reports it, as in an orderly shutdown."""
        for pod in [pod for pod in self._api.pods.values() if pod.node == server.name and not pod.final]:
            guest = self._world.guest_of_pod(pod.uid)
            if guest is not None and guest.runs:
                self._world.end_guest(guest, "shutdown")
            self._report_end(pod, server, "shutdown", now)

    def _report_end(self, pod: Pod, server: Server, end: str, now: float) -> None:
        """The end of a pod and, if it was the one that its instance ran in, of the instance."""
        for guest in self._lives_of(pod):
            guest.end_known = guest.end_known or guest.server == server.name
        self._api.change(self._api.pods, pod.uid, phase="Succeeded" if end == "shutdown" else "Failed", entered_at=now)
        instance = self._api.instances.get(pod.vm)
        if instance is None or instance.uid != pod.instance_uid:
            return
        if instance.node == server.name or (not instance.node and not pod.only_node):
            self._enter(instance, VmPhase.SUCCEEDED if end == "shutdown" else VmPhase.FAILED, now)

    def _lives_of(self, pod: Pod) -> list[Guest]:
        return [guest for guest in self._world.ledger if guest.pod_uid == pod.uid]


def _patience(guest: Guest) -> float:
    """What a guest is given to shut down before it is killed."""
    return GRACE_SECONDS if guest.mind.still else SHUTDOWN_SECONDS
