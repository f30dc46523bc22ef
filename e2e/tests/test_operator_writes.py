"""What the operator writes, on a real API server: VirtualMachines beside KubeVirt's own fields, intents only once."""

import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest_asyncio

from avance.api import AvancePair, ProtectedVM
from avance.core.intents import Intent
from avance.core.model import ActionType, ActionView, PairView
from avance.core.policy import PairPolicy
from avance.core.progress import succeed, wait
from avance.core.retention import disposable
from avance.kube.client import Kube
from avance.kube.resources import AVANCE_ACTIONS, AVANCE_PAIRS, PROTECTED_VMS, VIRTUAL_MACHINES
from avance.kubevirt.overlay import holds
from avance.kubevirt.virtual_machine import virtual_machine
from avance.operator.actions import ActionLog
from avance.operator.adopting import FIELD_MANAGER
from avance.operator.clock import Clock
from avance.operator.journal import Journal
from avance.operator.store import Store
from e2e.controlplane import wait_until
from e2e.lab import Lab

Object = dict[str, Any]

NAMESPACE = "default"
HOSTNAMES = {"node-a": "node-a", "node-b": "node-b"}
PAIR = "written"


@pytest_asyncio.fixture(loop_scope="session")
async def kube(lab: Lab) -> AsyncIterator[Kube]:
    """Nobody but the test writes: an operator that other tests have left running is stopped."""
    for number in [number for number, operator in lab.operators.items() if operator.pid is not None]:
        await lab.operator("stop", number)
    kube = await Kube.connect(str(lab.control_plane.kubeconfig))
    yield kube
    await kube.close()


# --- VirtualMachines --------------------------------------------------------------------------------------------------


@pytest_asyncio.fixture(loop_scope="session")
async def vm(kube: Kube) -> AsyncIterator[ProtectedVM]:
    """A ProtectedVM that no operator serves; its VirtualMachine goes with it."""
    name = f"written-{uuid.uuid4().hex[:6]}"
    disk = {"name": "root", "containerImage": "registry.example/fedora:40"}
    spec = {"pairRef": {"name": PAIR}, "cores": 2, "memory": "1Gi", "disks": [disk]}
    body = {"metadata": {"name": name, "namespace": NAMESPACE}, "spec": spec}
    yield ProtectedVM.parse(await kube.create(PROTECTED_VMS, _typed("ProtectedVM", body), NAMESPACE))
    await kube.delete(VIRTUAL_MACHINES, name, NAMESPACE, missing_ok=True)
    await kube.delete(PROTECTED_VMS, name, NAMESPACE)


def manifest(vm: ProtectedVM, prefer: str = "node-a") -> Object:
    return virtual_machine(vm, str(vm.metadata.uid), HOSTNAMES, prefer)


async def apply(kube: Kube, body: Object) -> Object:
    return await kube.apply(VIRTUAL_MACHINES, body, field_manager=FIELD_MANAGER, force=True)


def domain(machine: Object) -> Object:
    found: Object = machine["spec"]["template"]["spec"]["domain"]
    return found


async def test_to_apply_the_same_again_changes_nothing(kube: Kube, vm: ProtectedVM) -> None:
    first = await apply(kube, manifest(vm))
    assert holds(first, manifest(vm))

    async def nothing_changes() -> bool:
        before = await kube.get(VIRTUAL_MACHINES, vm.metadata.name, NAMESPACE)
        after = await apply(kube, manifest(vm))
        return bool(after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"])

    await wait_until(nothing_changes, 10, "KubeVirt has written the VM's status, and then nobody writes any more")
    live = await kube.get(VIRTUAL_MACHINES, vm.metadata.name, NAMESPACE)
    assert live["metadata"]["generation"] == first["metadata"]["generation"]


async def test_what_kubevirt_drew_survives_every_later_change(kube: Kube, vm: ProtectedVM) -> None:
    drawn = domain(await apply(kube, manifest(vm)))
    assert drawn["firmware"].keys() >= {"uuid", "serial"}
    larger = vm.model_copy(update={"spec": vm.spec.model_copy(update={"cores": 4})})
    changed = await apply(kube, manifest(larger, prefer="node-b"))
    assert domain(changed)["cpu"]["cores"] == 4
    assert changed["metadata"]["annotations"]["avance.dev/prefers"] == "node-b"
    assert domain(changed)["firmware"] == drawn["firmware"]
    assert domain(changed)["machine"] == drawn["machine"]
    assert changed["spec"]["template"]["metadata"]["annotations"].keys() >= {"kubevirt.io/pci-topology-version"}


async def test_a_field_that_we_ask_for_no_more_goes(kube: Kube, vm: ProtectedVM) -> None:
    probing = vm.spec.model_copy(update={"template": {"spec": {"priorityClassName": "vms"}}})
    with_overlay = await apply(kube, manifest(vm.model_copy(update={"spec": probing})))
    assert with_overlay["spec"]["template"]["spec"]["priorityClassName"] == "vms"
    assert "priorityClassName" not in (await apply(kube, manifest(vm)))["spec"]["template"]["spec"]


async def test_what_a_person_adds_stays_and_what_a_person_changes_of_ours_is_put_right(
    kube: Kube, vm: ProtectedVM
) -> None:
    await apply(kube, manifest(vm))
    by_hand = {"spec": {"runStrategy": "Always", "template": {"spec": {"domain": {"cpu": {"model": "host-model"}}}}}}
    edited = await kube.patch_merge(VIRTUAL_MACHINES, vm.metadata.name, by_hand, NAMESPACE)
    assert not holds(edited, manifest(vm))
    righted = await apply(kube, manifest(vm))
    assert righted["spec"]["runStrategy"] == "Manual"
    assert domain(righted)["cpu"] == {"cores": 2, "model": "host-model"}
    assert holds(righted, manifest(vm))


# --- the journal ------------------------------------------------------------------------------------------------------


class Writer:
    """One operator process, as far as the journal goes: its own store and epoch."""

    def __init__(self, kube: Kube, user: str, epoch: int) -> None:
        self.kube = kube
        self.store = Store(Clock())
        self.journal = Journal(kube, self.store, Clock(), user, f"operator-{epoch}", epoch)

    async def catch_up(self) -> None:
        """What its watches would have told it by now."""
        listing = await self.kube.list(AVANCE_ACTIONS)
        self.store.drop_ghosts(
            AVANCE_ACTIONS, self.store.put_all(AVANCE_ACTIONS, listing.items), listing.resource_version
        )

    def action(self, name: str) -> ActionView:
        [found] = [action for action in ActionLog(self.store).of_pair(PAIR) if action.name == name]
        return found


@pytest_asyncio.fixture(loop_scope="session")
async def pair(kube: Kube) -> AsyncIterator[AvancePair]:
    body = {"metadata": {"name": PAIR}, "spec": {"nodeSelector": {"avance.dev/pair": "nobody"}}}
    yield AvancePair.parse(await kube.create(AVANCE_PAIRS, _typed("AvancePair", body)))
    for action in (await kube.list(AVANCE_ACTIONS)).items:
        if of_pair(action):
            await kube.delete(AVANCE_ACTIONS, action["metadata"]["name"], missing_ok=True)
    await kube.delete(AVANCE_PAIRS, PAIR)


@pytest_asyncio.fixture(loop_scope="session")
async def writers(kube: Kube) -> tuple[Writer, Writer]:
    """A leader and its successor."""
    user = await kube.whoami()
    return Writer(kube, user, 1), Writer(kube, user, 2)


def intent() -> Intent:
    name = f"fence-node-a-{uuid.uuid4().hex[:8]}"
    return Intent(name, ActionType.FENCE, "node-a", "ServerCrash", "node-a is held to be dead", "crash-1")


async def recorded(writer: Writer, pair: AvancePair, wanted: Intent) -> bool:
    return await writer.journal.record(pair, str(pair.metadata.uid), wanted)


async def test_an_intent_is_recorded_once_whoever_tries(
    kube: Kube, pair: AvancePair, writers: tuple[Writer, Writer]
) -> None:
    old, new = writers
    wanted = intent()
    assert await recorded(old, pair, wanted)
    assert not await recorded(old, pair, wanted)
    assert not await recorded(new, pair, wanted)
    assert new.action(wanted.name) == old.action(wanted.name)
    names = [action["metadata"]["name"] for action in (await kube.list(AVANCE_ACTIONS)).items]
    assert names.count(wanted.name) == 1


async def test_a_leader_that_was_replaced_gets_no_step_through(
    kube: Kube, pair: AvancePair, writers: tuple[Writer, Writer]
) -> None:
    old, new = writers
    wanted = intent()
    await recorded(old, pair, wanted)
    await new.catch_up()
    assert await new.journal.advance(new.action(wanted.name), wait("Close", "closing it"))
    assert not await old.journal.advance(old.action(wanted.name), wait("Close", "closing it"))
    live = await kube.get(AVANCE_ACTIONS, wanted.name)
    assert (live["status"]["operator"], live["status"]["epoch"]) == ("operator-2", 2)
    assert old.action(wanted.name).current == "Close"


async def test_the_same_progress_again_is_not_written_again(
    kube: Kube, pair: AvancePair, writers: tuple[Writer, Writer]
) -> None:
    old, _ = writers
    wanted = intent()
    await recorded(old, pair, wanted)
    for _ in range(2):
        assert await old.journal.advance(old.action(wanted.name), wait("Close", "closing it"))
        live = (await kube.get(AVANCE_ACTIONS, wanted.name))["metadata"]
    known = old.store.get(AVANCE_ACTIONS, wanted.name)
    assert known is not None
    assert known["metadata"]["resourceVersion"] == live["resourceVersion"]
    assert len(live["managedFields"]) == 2  # the object and its status: one write each


async def test_a_successor_goes_on_where_its_predecessor_was(pair: AvancePair, writers: tuple[Writer, Writer]) -> None:
    old, new = writers
    wanted = intent()
    await recorded(old, pair, wanted)
    await old.journal.advance(old.action(wanted.name), wait("Close", "closing it"))
    await old.journal.count_failure(wanted.name)
    await new.catch_up()
    assert new.action(wanted.name) == old.action(wanted.name)
    assert new.action(wanted.name).steps[0].attempts == 1
    assert await new.journal.advance(new.action(wanted.name), succeed("Release", "it is off"))
    assert not new.action(wanted.name).open


async def test_an_action_that_was_deleted_is_not_written_and_forgotten(
    kube: Kube, pair: AvancePair, writers: tuple[Writer, Writer]
) -> None:
    old, _ = writers
    wanted = intent()
    await recorded(old, pair, wanted)
    view = old.action(wanted.name)
    await kube.delete(AVANCE_ACTIONS, wanted.name)
    assert not await old.journal.advance(view, wait("Close", "closing it"))
    assert old.store.get(AVANCE_ACTIONS, wanted.name) is None


async def test_old_records_go_but_not_those_that_a_decision_rests_on(
    kube: Kube, pair: AvancePair, writers: tuple[Writer, Writer]
) -> None:
    old, _ = writers
    reports = [replace(intent(), type=ActionType.CALL_HOME, incident=f"incident-{number}") for number in range(4)]
    fence = replace(intent(), incident="crash-9")
    under_way = replace(intent(), type=ActionType.REJOIN, incident="incident-0")
    for wanted in (*reports, fence):
        await recorded(old, pair, wanted)
        await old.journal.advance(old.action(wanted.name), succeed("Done", "done"))
    await recorded(old, pair, under_way)
    view = PairView(PAIR, actions=ActionLog(old.store).of_pair(PAIR), policy=PairPolicy(retained_actions=1))
    await old.journal.remove(disposable(view, 0.0))
    left = {each["metadata"]["name"] for each in (await kube.list(AVANCE_ACTIONS)).items if of_pair(each)}
    # The newest fence of a node may be what a start rests on, and the records of one incident go together.
    assert left == {under_way.name, reports[0].name, fence.name}


def of_pair(action: Object) -> bool:
    return bool(action["spec"]["pairRef"]["name"] == PAIR)


def _typed(kind: str, body: Object) -> Object:
    return {"apiVersion": "avance.dev/v1alpha1", "kind": kind, **body}
