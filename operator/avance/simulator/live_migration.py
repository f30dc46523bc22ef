"""Live migrations: the copy is physical, from server to server; the API hears of its end when the target reaches it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from avance.core.model import VmPhase
from avance.simulator.objects import Api, Migration, Pod
from avance.simulator.world import World


class Trouble(StrEnum):
    FAILS = "fails"
    STALLS = "stalls"


@dataclass
class Copy:
    """The stream between two servers; it knows nothing of the API."""

    boots: tuple[str, str]
    began_at: float
    ended: str = ""
    """moved or broken."""


class LiveMigrations:
    def __init__(self, api: Api, world: World) -> None:
        self._api = api
        self._world = world
        self._copies: dict[str, Copy] = {}
        self.trouble: dict[str, Trouble] = {}
        """By VM."""
        self.most_at_once = 0

    def create(
        self, name: str, vm: str, destination: str, unschedulable_seconds: float, now: float, by: str = ""
    ) -> str:
        """Returns why it is refused, empty if it is not; one of that name already is no refusal."""
        instance = self._api.instances.get(vm)
        if name in self._api.migrations:
            return ""
        if instance is None or instance.phase.final:
            return "cannot migrate a VMI in finalized state"
        if any(m.vm == vm and not m.final for m in self._api.migrations.values()):
            return "in-flight migration detected"
        if not instance.migratable:
            return "cannot migrate VMI: it is not live-migratable"
        between = instance.node, destination
        migration = Migration(name, vm, instance.uid, *between, unschedulable_seconds, "Pending", now, by=by)
        self._api.put(self._api.migrations, name, migration)
        return ""

    def withdraw(self, name: str) -> None:
        """Delete it; the VM stays, unless it has physically moved already."""
        migration = self._api.migrations.get(name)
        copy = self._copies.get(name)
        if migration is None or (copy is not None and copy.ended == "moved"):
            return
        self._drop_target(migration)
        self._api.remove(self._api.migrations, name)

    def tick(self, now: float, controls: bool = True) -> None:
        """`controls`: virt-controller works; a copy that runs goes on without it."""
        for name, copy in self._copies.items():
            if not copy.ended and name in self._api.migrations:
                self._stream(self._api.migrations[name], copy, now)
        active = [migration for migration in self._api.migrations.values() if not migration.final]
        for migration in active if controls else ():
            self._advance(migration, now)
        self.most_at_once = max(self.most_at_once, sum(migration.phase == "Running" for migration in active))

    def awaits(self, target_pod: str) -> bool:
        """Some migration may still arrive in this pod."""
        return any(m.target_pod == target_pod and not m.final for m in self._api.migrations.values())

    # ── the servers ──

    def _stream(self, migration: Migration, copy: Copy, now: float) -> None:
        source, target = (self._world.servers[name] for name in (migration.source, migration.destination))
        guest = next((g for g in self._world.guests_of(migration.vm) if g.server == source.name), None)
        alive = source.up and target.up and (source.boot_id, target.boot_id) == copy.boots
        trouble = self.trouble.get(migration.vm)
        if not alive or not self._world.private_link or guest is None or trouble is Trouble.FAILS:
            copy.ended = "broken"
        elif trouble is not Trouble.STALLS and now - copy.began_at >= self._world.timing.copy_of(migration.vm):
            copy.ended = "moved"
            self._world.end_guest(guest, "migrated", known=True)
            self._world.start_guest(migration.vm, migration.instance_uid, migration.target_pod, target.name, guest.mind)

    # ── virt-controller and the virt-handlers ──

    def _advance(self, migration: Migration, now: float) -> None:
        instance = self._api.instances.get(migration.vm)
        if instance is None or instance.uid != migration.instance_uid or instance.phase.final:
            self._drop_target(migration)
            self._end(migration, now, "the instance has ended")
            return
        match migration.phase:
            case "Pending" if instance.phase is VmPhase.RUNNING:
                self._make_target(migration, now)
            case "Scheduling":
                self._await_target(migration, now)
            case "Running":
                self._report(migration, now)

    def _make_target(self, migration: Migration, now: float) -> None:
        if sum(not pod.final for pod in self._api.pods_of(migration.vm)) > 1:
            return  # a leftover of an earlier migration; KubeVirt waits for it to go
        uid = self._api.uid("virt-launcher")
        vm = self._api.vms.get(migration.vm)
        if vm is None:
            return
        pod = Pod(uid, uid, migration.vm, migration.instance_uid, vm.needs, now, only_node=migration.destination)
        self._api.put(self._api.pods, uid, pod)
        self._change(migration, phase="Scheduling", entered_at=now, target_pod=uid)

    def _await_target(self, migration: Migration, now: float) -> None:
        pod = self._api.pods.get(migration.target_pod)
        waited = now - migration.entered_at
        if pod is None or pod.final:
            self._end(migration, now, "the target pod has ended")
        elif not pod.node and waited >= migration.unschedulable_seconds:
            self._drop_target(migration)
            self._end(migration, now, "no node takes the target pod")
        elif pod.phase == "Running" and all(self._world.servers[n].connected for n in (migration.source, pod.node)):
            boots = self._world.servers[migration.source].boot_id, self._world.servers[pod.node].boot_id
            self._copies[migration.name] = Copy(boots, now)
            self._change(migration, phase="Running", entered_at=now)

    def _report(self, migration: Migration, now: float) -> None:
        copy = self._copies[migration.name]
        source, target = (self._world.servers[name] for name in (migration.source, migration.destination))
        if copy.ended == "moved" and target.connected and target.boot_id == copy.boots[1]:
            self._arrive(migration, now)
        elif copy.ended == "broken" and source.connected and source.boot_id == copy.boots[0]:
            if target.connected:
                self._drop_target(migration)  # a dead target's pod stays as it is
            self._end(migration, now, "source node reported migration failed")

    def _arrive(self, migration: Migration, now: float) -> None:
        if migration.target_pod not in self._api.pods:
            return
        self._api.change(self._api.instances, migration.vm, node=migration.destination, evacuate_from="")
        for pod in self._api.pods_of(migration.vm):
            if pod.uid != migration.target_pod and pod.instance_uid == migration.instance_uid and not pod.final:
                self._end_pod(pod, now)
        self._change(migration, phase="Succeeded", entered_at=now)

    def _end_pod(self, pod: Pod, now: float) -> None:
        self._api.change(self._api.pods, pod.uid, phase="Succeeded", entered_at=now)

    def _drop_target(self, migration: Migration) -> None:
        """The target pod is removed gracefully: its object goes only when its node says that it has ended."""
        pod = self._api.pods.get(migration.target_pod)
        if pod is None:
            return
        if not pod.node or self._world.servers[pod.node].connected:
            self._api.remove(self._api.pods, pod.uid)
        else:
            self._api.change(self._api.pods, pod.uid, deleted_at=pod.deleted_at or self._world.now)

    def _end(self, migration: Migration, now: float, failure: str) -> None:
        self._change(migration, phase="Failed", failure=failure, entered_at=now)

    def _change(self, migration: Migration, **fields: object) -> None:
        if migration.name in self._api.migrations:
            self._api.change(self._api.migrations, migration.name, **fields)
