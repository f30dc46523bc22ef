"""Performs effects: one handler each, thin, and safe to repeat. Whether and why is decided elsewhere."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from avance.api.pair import AvancePair
from avance.core import effects
from avance.fencing.agent import FenceAgent, FencingError
from avance.fencing.credentials import FenceAgents
from avance.kube.client import Kube
from avance.kube.errors import Conflict, NotFound
from avance.kube.resources import NODES, PODS, PROTECTED_VMS, VIRTUAL_MACHINES
from avance.kube.taints import NodeChange, set_taints
from avance.kubevirt import verbs
from avance.kubevirt.disks import striped_classes
from avance.operator import marks
from avance.operator.adopting import FIELD_MANAGER, Adopting, NotNow
from avance.operator.custody import hostname_of
from avance.operator.new_disks import why_no_class
from avance.operator.observe import Observer, manifest, striped_offer
from avance.operator.postman import Postman
from avance.operator.store import Store

Object = dict[str, Any]

Handler = Callable[[AvancePair, Any], Awaitable[None]]


class EffectFailed(Exception):
    """The effect was not performed; the message says why. It will be tried again."""


class Effects:
    """The hands of the operator."""

    def __init__(
        self,
        kube: Kube,
        store: Store,
        observer: Observer,
        agents: FenceAgents,
        postman: Postman,
        adopting: Adopting,
    ) -> None:
        self._kube = kube
        self._store = store
        self._observer = observer
        self._agents = agents
        self._postman = postman
        self._adopting = adopting
        self._handlers: dict[type[effects.Effect], Handler] = {
            effects.CloseNode: self._mark(marks.closed),
            effects.OpenNode: self._mark(marks.opened),
            effects.MarkOutOfService: self._mark(marks.out_of_service),
            effects.ClearOutOfService: self._mark(marks.in_service),
            effects.PowerOff: self._power_off,
            effects.PowerOn: self._power_on,
            effects.DeletePod: self._delete_pod,
            effects.ApplyVm: self._apply_vm,
            effects.ReleaseVm: self._release_vm,
            effects.StartVm: self._start_vm,
            effects.StopVm: self._stop_vm,
            effects.CreateMigration: self._create_migration,
            effects.DeleteMigration: self._delete_migration,
            effects.SendMessage: self._send_message,
        }

    async def perform(self, pair: AvancePair, effect: effects.Effect) -> None:
        """Do it. Raises EffectFailed, FencingError or ApiError when it could not be done."""
        await self._handlers[type(effect)](pair, effect)

    async def fence_agent(self, pair: AvancePair, node: str) -> FenceAgent:
        """The agent that controls a node's power; raises FencingError when none can be had."""
        entry = next((entry for entry in pair.spec.fencing.nodes if entry.name == node), None)
        if entry is None:
            raise FencingError(f"no fence agent is configured for {node}: add it to spec.fencing.nodes")
        return await self._agents.agent(entry, pair.spec.fencing.request_timeout_seconds)

    def _mark(self, change: Callable[[Object], NodeChange]) -> Handler:
        async def mark(_: AvancePair, effect: Any) -> None:
            self._store.put(NODES, await set_taints(self._kube, effect.node, change))

        return mark

    async def _power_off(self, pair: AvancePair, effect: effects.PowerOff) -> None:
        await (await self.fence_agent(pair, effect.node)).off(effect.system_uuid)

    async def _power_on(self, pair: AvancePair, effect: effects.PowerOn) -> None:
        await (await self.fence_agent(pair, effect.node)).on(effect.system_uuid)

    async def _delete_pod(self, _: AvancePair, effect: effects.DeletePod) -> None:
        """Only the very pod that was decided on, and only while it is still on that node."""
        try:
            pod = await self._kube.get(PODS, effect.name, effect.namespace)
            if pod["metadata"]["uid"] == effect.uid and pod["spec"].get("nodeName") == effect.node:
                await self._kube.delete(PODS, effect.name, effect.namespace, uid=effect.uid, grace_period_seconds=0)
        except (NotFound, Conflict):
            return

    async def _apply_vm(self, pair: AvancePair, effect: effects.ApplyVm) -> None:
        namespace, name = effect.vm.split("/")
        obj = self._store.get(PROTECTED_VMS, name, namespace)
        if obj is None:
            raise EffectFailed(f"ProtectedVM {effect.vm} is gone")
        pvm, nodes = self._observer.protected_vm(obj), self._observer.node_objects(pair)
        try:
            if pvm.spec.vm_ref is not None:
                await self._adopting.adopt(pvm, obj, nodes, effect.prefer)
                return
            await self._adopting.refuse_what_is_not_ours(obj)
        except NotNow as not_now:
            raise EffectFailed(str(not_now)) from not_now
        offered = striped_offer(pair)
        striped = striped_classes(pvm, offered, self._store.get(VIRTUAL_MACHINES, name, namespace))
        if refusal := why_no_class(pvm, striped, offered):
            raise EffectFailed(refusal)
        body = manifest(pvm, obj, nodes, effect.prefer, striped)
        applied = await self._kube.apply(VIRTUAL_MACHINES, body, field_manager=FIELD_MANAGER, force=True)
        self._store.put(VIRTUAL_MACHINES, applied)

    async def _release_vm(self, _: AvancePair, effect: effects.ReleaseVm) -> None:
        namespace, name = _split(effect.vm)
        obj = self._store.get(PROTECTED_VMS, name, namespace)
        try:
            if obj is not None:
                await self._adopting.release(obj, effect.instance_uid)
        except NotNow as not_now:
            raise EffectFailed(str(not_now)) from not_now

    async def _start_vm(self, _: AvancePair, effect: effects.StartVm) -> None:
        await verbs.start(self._kube, *_split(effect.vm), effect.instance_uid)

    async def _stop_vm(self, _: AvancePair, effect: effects.StopVm) -> None:
        await verbs.stop(self._kube, *_split(effect.vm), effect.instance_uid)

    async def _create_migration(self, _: AvancePair, effect: effects.CreateMigration) -> None:
        node = self._store.get(NODES, effect.destination)
        if node is None:
            raise EffectFailed(f"{effect.destination} is not in the cluster")
        namespace, vm = _split(effect.vm)
        await verbs.migrate(self._kube, namespace, vm, effect.name, hostname_of(node), effect.unschedulable_seconds)

    async def _delete_migration(self, _: AvancePair, effect: effects.DeleteMigration) -> None:
        await verbs.withdraw_migration(self._kube, _split(effect.vm)[0], effect.name)

    async def _send_message(self, pair: AvancePair, effect: effects.SendMessage) -> None:
        """Only handed over: no receiver of messages is ever waited for here."""
        self._postman.deliver(pair, effect)


def _split(vm: str) -> tuple[str, str]:
    namespace, name = vm.split("/")
    return namespace, name
