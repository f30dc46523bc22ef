"""The simulated disks are no kinder than real ones: a stale start is possible there, and is seen."""

from dataclasses import replace

from avance.core.policy import PairPolicy, StoragePolicy
from avance.core.resources import Resources
from avance.core.storage import Connection, DiskState, StorageProvider
from avance.simulator.disks import RESYNC_SECONDS, Disks
from avance.simulator.objects import VmObject
from avance.simulator.simulation import EPOCH, Guest, Simulation
from avance.simulator.world import Server
from tests.core import views

WEB = "default/web"


def site(on: str = "node-a") -> tuple[Simulation, Disks]:
    """A pair with one VM and nobody who operates it."""
    room = Resources(16000, 64 * 1024**3)
    servers = [(Server("node-a", "uuid-a"), room), (Server("node-b", "uuid-b"), room)]
    vm = VmObject("default", "web", Resources(100, 1024**3))
    sim = Simulation(servers, [Guest(vm, on)], PairPolicy(storage=StoragePolicy(StorageProvider.LINSTOR)))
    sim.operator_may_run = False
    assert sim.disks is not None
    return sim, sim.disks


def run(sim: Simulation, seconds: float) -> None:
    until = sim.now + seconds
    while sim.now < until:
        sim.step()


def state(disks: Disks, node: str) -> DiskState:
    return disks.answer()[WEB].state_on(node)


def test_both_copies_take_every_write_while_they_are_connected() -> None:
    sim, disks = site()
    run(sim, 5)
    assert disks.generation_on(WEB, "node-a") == disks.generation_on(WEB, "node-b") > EPOCH
    assert disks.in_sync(WEB)


def test_a_cut_link_outdates_the_other_copy_and_its_return_resynchronises_it() -> None:
    sim, disks = site()
    sim.world.private_link = False
    run(sim, 5)
    assert state(disks, "node-b") is DiskState.OUTDATED
    assert list(disks.only_copy_on("node-a")) == [WEB]
    sim.world.private_link = True
    run(sim, 2)
    replica = disks.answer()[WEB].volumes[0].on("node-b")
    assert replica.syncing
    assert replica.seconds_left is not None
    run(sim, RESYNC_SECONDS)
    assert disks.in_sync(WEB)


def test_a_server_that_is_cut_off_from_everything_freezes_its_writes() -> None:
    sim, disks = site()
    run(sim, 1)
    node_a = sim.world.servers["node-a"]
    sim.world.private_link = node_a.public_link = node_a.api_link = False
    before = disks.generation_on(WEB, "node-a")
    run(sim, 5)
    assert disks.generation_on(WEB, "node-a") == before
    assert state(disks, "node-b") is DiskState.UP_TO_DATE


def test_a_copy_that_was_cut_off_does_not_know_whether_it_is_the_newest_and_starting_from_it_is_seen() -> None:
    sim, disks = site()
    run(sim, 1)
    node_b = sim.world.servers["node-b"]
    sim.world.private_link = node_b.public_link = node_b.api_link = False
    run(sim, 5)
    sim.world.cut_power("node-a")
    node_b.public_link = node_b.api_link = True
    run(sim, 1)
    assert state(disks, "node-b") is DiskState.CONSISTENT
    assert disks.attach(WEB, "node-b")
    run(sim, 1)
    assert any("not the newest" in broken for broken in sim.violations)


def test_an_outdated_copy_that_is_apart_is_refused_by_the_storage_itself() -> None:
    sim, disks = site()
    sim.world.private_link = False
    run(sim, 2)
    assert not disks.attach(WEB, "node-b")
    assert disks.stale_starts == []


def test_a_guest_without_its_disk_runs_on_the_other_copy_and_ends_when_that_is_out_of_reach() -> None:
    sim, disks = site()
    disks.lose("node-a")
    run(sim, 5)
    assert sim.world.guests_of(WEB)
    assert disks.generation_on(WEB, "node-b") > disks.generation_on(WEB, "node-a")
    sim.world.private_link = False
    run(sim, 1)
    assert not sim.world.guests_of(WEB)


def test_a_dead_server_is_told_of_for_a_while_as_it_was() -> None:
    sim, disks = site()
    run(sim, 1)
    disks.answer()
    sim.world.cut_power("node-a")
    run(sim, 1)
    ends = disks.answer()[WEB].volumes[0]
    assert ends.on("node-a").connection is Connection.CONNECTED
    assert ends.on("node-b").connection is Connection.DISCONNECTED
    run(sim, 5)
    assert state(disks, "node-a") is DiskState.UNKNOWN


def test_who_restores_a_backup_is_told_of_where_the_newest_copy_is_lost() -> None:
    sim, disks = site()
    sim.world.private_link = False
    run(sim, 5)
    disks.lose("node-a")
    assert list(disks.mend()) == [WEB]
    assert not list(site()[1].mend())


def test_a_live_pair_is_continued_with_the_copies_as_they_are() -> None:
    _, disks = site()
    disks.as_seen(WEB, views.disks(b=DiskState.OUTDATED, link=Connection.DISCONNECTED), ("node-a",))
    assert list(disks.only_copy_on("node-a")) == [WEB]
    disks.as_seen(WEB, views.disks(link=Connection.SPLIT), ())
    assert not disks.in_sync(WEB)
    disks.as_seen(WEB, replace(views.disks(), error="no answer"), ())
    assert disks.answer()[WEB].error == "no answer"
