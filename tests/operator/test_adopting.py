"""The hands that adopt and let go: what is written first, what when something has changed, and what without a pair."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from avance.kube.resources import NODES, PROTECTED_VMS, VIRTUAL_MACHINES, VMIS
from avance.kubevirt.adoption import adopted
from avance.operator.adopting import Adopting, NotNow
from avance.operator.custody import FINALIZER
from avance.operator.orphans import tell_orphans
from tests.kubevirt.recorder import Recorder, recording
from tests.operator.objects import PAIR, World, condition, instance, metadata, node

Object = dict[str, Any]

HOSTS = {name: f"{name}.example" for name in ("node-a", "node-b")}
PVM_PATH = "/apis/avance.dev/v1alpha1/namespaces/shop/protectedvms/legacy"
VM_PATH = "/apis/kubevirt.io/v1/namespaces/shop/virtualmachines/legacy"
VMI_PATH = "/apis/kubevirt.io/v1/namespaces/shop/virtualmachineinstances/legacy"


def machine(**spec: Any) -> Object:
    wanted = {"runStrategy": "Always", "template": {"spec": {"domain": {}}}, **spec}
    return {"metadata": metadata("legacy", "shop"), "spec": wanted, "status": {"printableStatus": "Running"}}


def taken(obj: Object) -> Object:
    return adopted(obj, PAIR, HOSTS, "node-a", 0.0)


def adopting_vm(*, leaving: bool = False, held: bool = True, **spec: Any) -> Object:
    more: Object = {"finalizers": [FINALIZER]} if held else {}
    if leaving:
        more["deletionTimestamp"] = "2026-05-01T10:00:00Z"
    wanted = {"pairRef": {"name": PAIR}, "vmRef": {"name": "legacy"}, **spec}
    return {"metadata": metadata("legacy", "shop", **more), "spec": wanted, "status": {"primary": "node-a"}}


class Bench:
    def __init__(self, recorder: Recorder, hands: Adopting, world: World) -> None:
        self.recorder, self.hands, self.world = recorder, hands, world

    @property
    def written(self) -> list[str]:
        return [what for what, _ in self.recorder.sent if not what.startswith("GET")]


@asynccontextmanager
async def bench(live: Object | None, vmi: Object | None, pvm: Object) -> AsyncIterator[Bench]:
    answers: dict[str, tuple[int, Object]] = {
        f"PATCH {PVM_PATH}": (200, {**pvm, "metadata": {**pvm["metadata"], "resourceVersion": "999"}})
    }
    if live is not None:
        answers |= {f"GET {VM_PATH}": (200, live), f"PATCH {VM_PATH}": (200, live)}
    if vmi is not None:
        answers[f"GET {VMI_PATH}"] = (200, vmi)
    world = World()
    world.quiet_pair()
    world.put(PROTECTED_VMS, pvm)
    async with recording(answers) as (recorder, kube):
        yield Bench(recorder, Adopting(kube, world.store, world.clock, lambda *_: None), world)


async def adopt(on: Bench, pvm: Object) -> None:
    nodes = [node(name) for name in HOSTS]
    await on.hands.adopt(on.world.observer.protected_vm(pvm), pvm, nodes, "node-a")


async def test_the_promise_is_written_before_the_change() -> None:
    pvm = adopting_vm(held=False)
    async with bench(machine(), instance("legacy"), pvm) as on:
        await adopt(on, pvm)
        assert on.written == [f"PATCH {PVM_PATH}", f"PATCH {VM_PATH}"]
        operations = on.recorder.sent[-1][1]
        assert operations[0] == {"op": "replace", "path": "/metadata/resourceVersion", "value": "1"}


async def test_what_turns_out_not_to_be_adoptable_is_not_touched() -> None:
    pvm = adopting_vm(held=False)
    going = machine()
    going["metadata"]["deletionTimestamp"] = "2026-05-01T10:00:00Z"
    for live in (None, going):
        async with bench(live, None, pvm) as on:
            with pytest.raises(NotNow):
                await adopt(on, pvm)
            assert on.written == []


async def test_nothing_is_written_twice() -> None:
    pvm = adopting_vm()
    async with bench(taken(machine()), instance("legacy"), pvm) as on:
        await adopt(on, pvm)
        assert on.written == []


async def test_the_virtual_machine_is_left_as_it_was_before_its_protected_vm_goes() -> None:
    pvm = adopting_vm(leaving=True)
    async with bench(taken(machine()), instance("legacy"), pvm) as on:
        await on.hands.release(pvm, "vmi-legacy")
        assert on.written == [f"PATCH {VM_PATH}", f"PATCH {PVM_PATH}"]
        [spec] = [each["value"] for each in on.recorder.sent[-2][1] if each["path"] == "/spec"]
        assert spec == machine()["spec"]


async def test_an_instance_that_has_changed_since_is_looked_at_again() -> None:
    pvm = adopting_vm(leaving=True)
    async with bench(taken(machine()), None, pvm) as on:
        with pytest.raises(NotNow):
            await on.hands.release(pvm, "vmi-legacy")
        assert on.written == []


@pytest.mark.parametrize("live", [None, machine()])
async def test_what_is_not_adopted_any_more_is_only_let_go(live: Object | None) -> None:
    """Deleted by its owner, or given back by an operator that died right after."""
    pvm = adopting_vm(leaving=True)
    async with bench(live, None, pvm) as on:
        await on.hands.release(pvm, "")
        assert on.written == [f"PATCH {PVM_PATH}"]


@pytest.mark.parametrize(
    ("ready", "lives", "goes"), [("True", False, True), ("Unknown", True, True), ("Unknown", False, False)]
)
async def test_without_its_pair_it_is_let_go_if_nothing_can_start_twice(ready: str, lives: bool, goes: bool) -> None:
    pvm = adopting_vm(leaving=True)
    async with bench(taken(machine()), instance("legacy") if lives else None, pvm) as on:
        silent = node("node-a")
        silent["status"]["conditions"] = [condition("Ready", ready)]
        on.world.put(NODES, silent)
        waits = await on.hands.release_without_pair(pvm)
        assert (waits == "") is goes
        assert bool(on.written) is goes


async def test_a_vm_without_a_pair_that_is_deleted_is_let_go_by_whoever_leads() -> None:
    world = World()
    world.put(PROTECTED_VMS, adopting_vm(leaving=True))
    live = taken(machine(runStrategy="Halted"))
    answers = {
        f"GET {VM_PATH}": (200, live),
        f"PATCH {VM_PATH}": (200, live),
        f"PATCH {PVM_PATH}": (200, adopting_vm()),
    }
    async with recording(answers) as (recorder, kube):
        await tell_orphans(kube, world.store, world.clock, Adopting(kube, world.store, world.clock, lambda *_: None))
    assert [what for what, _ in recorder.sent if what.startswith("PATCH")] == [f"PATCH {VM_PATH}", f"PATCH {PVM_PATH}"]


def test_what_is_adopted_is_in_the_view_and_what_is_not_is_a_candidate() -> None:
    world = World()
    pair = world.observer.pair(world.quiet_pair())
    world.put(PROTECTED_VMS, adopting_vm())
    world.put(VMIS, instance("legacy"))
    world.put(VIRTUAL_MACHINES, machine())
    view = world.observer.view(pair)
    assert [vm.name for vm in view.candidates] == ["legacy"]
    assert view.vms == ()
    world.put(VIRTUAL_MACHINES, taken(machine()))
    view = world.observer.view(pair)
    assert [(vm.name, vm.up_to_date, vm.custody.starts_itself) for vm in view.vms] == [("legacy", True, True)]
    assert view.candidates == ()
    going = taken(machine())
    going["metadata"]["deletionTimestamp"] = "2026-05-01T10:00:00Z"
    world.put(VIRTUAL_MACHINES, going)
    assert [vm.custody.refusal[0] for vm in world.observer.view(pair).candidates] == ["BeingDeleted"]


def test_what_somebody_else_made_is_not_taken_over_by_its_name() -> None:
    world = World()
    pair = world.observer.pair(world.quiet_pair())
    world.vm("web")
    stranger = machine()
    stranger["metadata"] = metadata("web", "shop")
    world.put(VIRTUAL_MACHINES, stranger)
    assert [vm.custody.refusal[0] for vm in world.observer.view(pair).candidates] == ["NameTaken"]
