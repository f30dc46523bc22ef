"""The storage of a pair is asked in the background by real HTTP; what it does not say is not guessed."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio

from avance.api.pair import AvancePair
from avance.core.model import PairView, VmView
from avance.core.storage import DiskState, StorageView
from avance.kube.resources import NODES, PROTECTED_VMS, VIRTUAL_MACHINES
from avance.operator.disk_status import disks_object, storage_of, written_object
from avance.operator.storage import STALE_SECONDS, StorageWatch
from e2e.storage.linstor import Controller, Mode
from tests.kubevirt.recorder import recording
from tests.operator.objects import World, condition, machine, node, protected_vm

NAME = "pvc-1"
CLAIM = "GET /api/v1/namespaces/shop/persistentvolumeclaims/web-root"
VOLUME = "GET /api/v1/persistentvolumes/pv-1"
BOUND = {
    CLAIM: (200, {"spec": {"volumeName": "pv-1"}}),
    VOLUME: (200, {"spec": {"csi": {"driver": "linstor", "volumeHandle": NAME}}}),
}


class Bench:
    """A pair with one VM whose disk is a claim, in front of a LINSTOR."""

    def __init__(self, kube: Any, spec: dict[str, Any], claims: bool = True) -> None:
        self.world, self.woken = World(), 0
        self.obj = self.world.quiet_pair(storage=spec)
        self.world.put(PROTECTED_VMS, protected_vm("web"))
        volumes = [{"name": "root", "persistentVolumeClaim": {"claimName": "web-root"}}] if claims else []
        vm = machine("web", "node-a")
        vm["spec"] = {"template": {"spec": {"volumes": volumes}}}
        self.world.put(VIRTUAL_MACHINES, vm)
        self.watch = StorageWatch(kube, "avance-system", self.world.store, self.world.clock, self._wake)

    @property
    def pair(self) -> AvancePair:
        return self.world.observer.pair(self.obj)

    def view(self) -> PairView:
        return self.watch.around(self.pair, self.world.observer.view(self.pair))

    async def ask(self) -> StorageView:
        self.world.clock.go_on(10)
        await self.watch.ask(self.pair, self.world.observer.view(self.pair))
        return self.told()

    def told(self) -> StorageView:
        vm: VmView = self.view().vms[0]
        assert vm.storage is not None
        return vm.storage

    def _wake(self, pair: str) -> None:
        self.woken += 1


@pytest.fixture
def linstor() -> Iterator[Controller]:
    with Controller() as controller:
        controller.add(NAME)
        yield controller


@pytest_asyncio.fixture
async def bench(linstor: Controller) -> AsyncIterator[Bench]:
    async with recording(dict(BOUND)) as (_, kube):
        bench = Bench(kube, {"provider": "Linstor", "linstor": {"url": linstor.url}, "requestTimeoutSeconds": 1})
        yield bench
        await bench.watch.close()


async def test_before_the_first_answer_nothing_is_known(bench: Bench) -> None:
    assert "not been asked" in bench.told().error
    assert bench.told().state_on("node-a") is DiskState.UNKNOWN


async def test_the_answer_is_there_and_only_news_wake_the_pair(bench: Bench, linstor: Controller) -> None:
    assert (await bench.ask()).state_on("node-b") is DiskState.UP_TO_DATE
    assert (await bench.ask()).error == ""
    assert bench.woken == 1
    linstor.cut(NAME, outdated="node-b")
    assert (await bench.ask()).state_on("node-b") is DiskState.OUTDATED
    assert bench.woken == 2


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((404, {"reason": "NotFound"}), "Secret avance-system/ca does not exist: create it with the key ca.crt"),
        (
            (200, {"metadata": {"resourceVersion": "1"}, "data": {"tls.crt": "QQ=="}}),
            "Secret avance-system/ca has no key ca.crt: add LINSTOR's authority there",
        ),
    ],
)
async def test_an_authority_that_is_wanting_is_told_and_not_left_out(
    answer: tuple[int, dict[str, Any]], words: str
) -> None:
    async with recording({**BOUND, "GET /api/v1/namespaces/avance-system/secrets/ca": answer}) as (_, kube):
        spec = {"url": "https://linstor.example:3371", "caSecretName": "ca"}
        bench = Bench(kube, {"provider": "Linstor", "linstor": spec, "requestTimeoutSeconds": 1})
        assert words in (await bench.ask()).error
        await bench.watch.close()


@pytest.mark.parametrize("mode", [Mode.HANGS, Mode.ERROR, Mode.GARBAGE])
async def test_a_storage_that_fails_is_unknown_and_its_last_word_is_kept_for_people(
    bench: Bench, linstor: Controller, mode: Mode
) -> None:
    linstor.split(NAME)
    await bench.ask()
    linstor.mode = mode
    told = await bench.ask()
    assert told.error
    assert told.state_on("node-a") is DiskState.UNKNOWN
    assert told.split


async def test_an_answer_that_grows_old_proves_nothing(bench: Bench) -> None:
    await bench.ask()
    bench.world.clock.go_on(STALE_SECONDS + 1)
    assert "too old" in bench.told().error


async def test_a_volume_that_the_storage_does_not_know_is_told(bench: Bench, linstor: Controller) -> None:
    del linstor.ends[NAME]
    assert "knows no volume pvc-1" in (await bench.ask()).error


async def test_a_claim_that_waits_for_its_first_consumer_holds_nothing_that_could_be_stale(
    linstor: Controller,
) -> None:
    for answers in ({}, {CLAIM: (200, {"spec": {}})}):
        async with recording(answers) as (_, kube):
            bench = Bench(kube, {"provider": "Linstor", "linstor": {"url": linstor.url}})
            assert "not been asked" in bench.told().error
            bench.world.clock.go_on(10)
            await bench.watch.ask(bench.pair, bench.world.observer.view(bench.pair))
            assert bench.view().vms[0].storage is None
            answers |= BOUND
            assert (await bench.ask()).state_on("node-a") is DiskState.UP_TO_DATE
            await bench.watch.close()


async def test_a_claim_that_cannot_be_read_is_told(linstor: Controller) -> None:
    forbidden = {"reason": "Forbidden", "message": "the operator may not get claims"}
    async with recording({CLAIM: (403, forbidden)}) as (_, kube):
        bench = Bench(kube, {"provider": "Linstor", "linstor": {"url": linstor.url}})
        assert "cannot be read" in (await bench.ask()).error
        await bench.watch.close()


async def test_a_vm_without_disks_has_none_that_could_be_stale(linstor: Controller) -> None:
    async with recording({}) as (_, kube):
        bench = Bench(kube, {"provider": "Linstor", "linstor": {"url": linstor.url}}, claims=False)
        assert bench.view().vms[0].storage is None


async def test_longhorn_that_is_not_installed_is_told() -> None:
    async with recording(dict(BOUND)) as (_, kube):
        bench = Bench(kube, {"provider": "Longhorn"})
        assert "Longhorn is not installed" in (await bench.ask()).error


async def test_conditions_of_the_nodes_need_nobody_to_be_asked() -> None:
    async with recording({}) as (recorder, kube):
        bench = Bench(kube, {"provider": "Conditions"})
        assert bench.told().state_on("node-a") is DiskState.UNKNOWN
        bench.world.put(NODES, node("node-a", condition("ReplicaStorageProblem", "False")))
        bench.world.put(NODES, node("node-b", condition("ReplicaStorageProblem", "True", "state=Outdated")))
        assert bench.told().state_on("node-a") is DiskState.UP_TO_DATE
        assert bench.told().state_on("node-b") is DiskState.OUTDATED
        assert recorder.sent == []


async def test_shared_storage_is_not_asked(linstor: Controller) -> None:
    async with recording({}) as (recorder, kube):
        bench = Bench(kube, {"provider": "None"})
        assert bench.watch.keep_fresh(bench.pair, bench.view()) is None
        assert bench.view().vms[0].storage is None
        assert recorder.sent == []


async def test_what_a_status_holds_of_the_disks_can_be_read_back(bench: Bench, linstor: Controller) -> None:
    linstor.resync(NAME, "node-b", 34.5)
    told = await bench.ask()
    kept = disks_object(told, ("node-a", "node-b"))
    assert kept is not None
    assert kept[1] == {
        "node": "node-b",
        "state": "Inconsistent",
        "connection": "Connected",
        "syncedPercent": 34,
    }
    bench.world.put(PROTECTED_VMS, protected_vm("web") | {"status": {"disks": kept, "lastWritten": None}})
    status = bench.world.observer.protected_vm(bench.world.store.get(PROTECTED_VMS, "web", "shop") or {}).status
    back = storage_of(status)
    assert back.state_on("node-b") is DiskState.INCONSISTENT
    assert back.volumes[0].on("node-b").sync_percent == 34
    assert disks_object(StorageView(error="silent"), ("node-a",)) is None
    assert written_object(None) is None
