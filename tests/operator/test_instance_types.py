"""How large a VM of an instance type is before it has ever run, and what is told when that cannot be known."""

import asyncio
from typing import Any

from avance.core.resources import Resources
from avance.kube.resources import AVANCE_PAIRS, PROTECTED_VMS
from avance.operator.actions import ActionLog
from avance.operator.instance_types import FRESH_SECONDS, TROUBLE_SECONDS, InstanceTypes
from avance.operator.observe import Observer
from avance.operator.sizing import LAUNCHER_OVERHEAD
from tests.kubevirt.recorder import recording
from tests.operator.objects import PAIR, World, metadata

GIB = 1024**3
KEY = ("VirtualMachineClusterInstancetype", "", "u1.large")
PATH = "GET /apis/instancetype.kubevirt.io/v1beta1/virtualmachineclusterinstancetypes/u1.large"
LARGE = {"metadata": {"name": "u1.large"}, "spec": {"cpu": {"guest": 4}, "memory": {"guest": "8Gi"}}}


def world_with_a_vm() -> World:
    world = World()
    world.quiet_pair()
    spec = {
        "pairRef": {"name": PAIR},
        "guest": {"instanceType": {"name": "u1.large"}},
        "disks": [{"name": "root", "claim": {"name": "root"}}],
    }
    world.put(PROTECTED_VMS, {"metadata": metadata("web", "shop"), "spec": spec})
    return world


async def seen(answers: dict[str, tuple[int, dict[str, Any]]]) -> tuple[Resources, str]:
    world = world_with_a_vm()
    async with recording(answers) as (_, kube):
        types = InstanceTypes(kube, world.clock)
        observer = Observer(world.store, ActionLog(world.store), {}, types.answers)
        pair = observer.pair(next(iter(world.store.all(AVANCE_PAIRS))))
        assert observer.instance_types(pair) == {KEY}
        await types.ask(observer.instance_types(pair))
        [vm] = observer.view(pair).vms
        return vm.needs, vm.custody.unsized


async def test_the_size_of_the_type_counts() -> None:
    assert await seen({PATH: (200, LARGE)}) == (Resources(400, 8 * GIB) + LAUNCHER_OVERHEAD, "")


async def test_a_type_that_there_is_not_is_told() -> None:
    assert "there is no VirtualMachineClusterInstancetype u1.large" in (await seen({}))[1]


async def test_a_type_that_nobody_may_read_is_told() -> None:
    refused = {"reason": "Forbidden", "message": "no rights"}
    assert "cannot be read: no rights" in (await seen({PATH: (403, refused)}))[1]


async def test_silence_says_nothing_new() -> None:
    world = world_with_a_vm()
    answers: dict[str, tuple[int, dict[str, Any]]] = {PATH: (200, LARGE)}
    async with recording(answers) as (_, kube):
        types = InstanceTypes(kube, world.clock)
        await types.ask([KEY])
        answers[PATH] = (503, {"reason": "ServiceUnavailable", "message": "away"})
        await types.ask([KEY])
        assert types.answers[KEY].spec == LARGE["spec"]
        answers.pop(PATH)
        await types.ask([KEY])
        assert types.answers[KEY].spec is None


async def test_it_is_asked_now_and_then_and_wakes_only_for_news() -> None:
    world, woken = world_with_a_vm(), asyncio.Event()
    async with recording({PATH: (200, LARGE)}) as (recorder, kube):
        types = InstanceTypes(kube, world.clock)
        assert types.keep_fresh(PAIR, {KEY}, woken.set) == world.clock.now() + TROUBLE_SECONDS
        async with asyncio.timeout(5):
            await woken.wait()
        assert types.keep_fresh(PAIR, {KEY}, woken.set) == world.clock.now() + FRESH_SECONDS
        assert len(recorder.sent) == 1
        woken.clear()
        world.clock.go_on(FRESH_SECONDS)
        types.keep_fresh(PAIR, {KEY}, woken.set)
        async with asyncio.timeout(5):
            while types.answers[KEY].at < world.clock.now():
                await asyncio.sleep(0.01)
        assert not woken.is_set()
        assert types.keep_fresh(PAIR, set(), lambda: None) is None
