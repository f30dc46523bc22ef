"""Others' hands: evictions that are refused say why, and a server that somebody has emptied is theirs."""

from dataclasses import replace

import pytest

from avance.core.evictions import evacuable
from avance.core.history import NodeHistory
from avance.core.model import ActionType, InstanceView, MigrationView, NodeView, PairView, VmPhase, VmView
from avance.core.plan import plan
from avance.core.policy import PairPolicy, Pause
from avance.core.remember import remember
from avance.core.resources import Resources
from avance.core.workflows.migrate import SETTLE_SECONDS, advance
from tests.core.views import GIB, NOW, action, fault, launcher, node, pair, reads, running

LIFE = InstanceView("web-1", VmPhase.RUNNING, "node-a", ready=True, migratable=True, evacuate_from="node-a")
EVICTED = running(instance=LIFE)
OTHERS = MigrationView("kubevirt-workload-update-x", "Running", by="KubeVirt's workload update")
DEAD = node("node-a", cordoned=True, heard_at=NOW - 60, hears_peer=None, power=reads("Off"))
SEES_IT_DEAD = node("node-b", hears_peer=False, peer_unreachable_since=NOW - 30)


def test_nobody_evicts_it() -> None:
    told = evacuable(pair(vms=(running(),)), running(), NOW)
    assert (told.holds, told.reason) == (True, "NotEvicted")


def test_a_vm_that_gives_way_says_so() -> None:
    told = evacuable(pair(vms=(EVICTED,)), EVICTED, NOW)
    assert (told.holds, told.reason) == (True, "Moving")


REFUSALS: dict[str, tuple[PairView, str]] = {
    "unfit": (pair(b=node("node-b", cordoned=True), vms=(EVICTED,)), "node-b is cordoned"),
    "no room": (pair(b=node("node-b", allocatable=Resources(16000, GIB)), vms=(EVICTED,)), "node-b has no room for it"),
    "link": (pair(node(faults=(fault("PrivateLinkProblem"),)), vms=(EVICTED,)), "the private link is down"),
    "paused": (pair(vms=(EVICTED,), policy=PairPolicy(pause=Pause(NOW + 60, "works"))), "pair pair is paused until"),
}


@pytest.mark.parametrize("why", REFUSALS)
def test_a_vm_that_stays_says_why_and_how_to_take_it_back(why: str) -> None:
    view, words = REFUSALS[why]
    told = evacuable(view, view.vms[0], NOW)
    assert (told.holds, told.reason) == (False, "EvictionRefused")
    assert words in told.message
    assert "virtctl evacuate-cancel" in told.message
    assert not any(intent.type is ActionType.MIGRATE for intent in plan(view, NOW).intents)


def test_a_move_waits_for_a_migration_by_another_hand_and_for_where_it_has_ended() -> None:
    move = action(ActionType.MIGRATE, "default/web", destination="node-b", instance_uid="web-1")
    waiting = advance(move, pair(vms=(replace(EVICTED, migrations=(OTHERS,)),)), NOW)
    assert (waiting.effects, "by KubeVirt's workload update to end" in waiting.message) == ((), True)
    over = replace(OTHERS, phase="Succeeded", ended_at=NOW)
    assert advance(move, pair(vms=(replace(EVICTED, migrations=(over,)),)), NOW + 0.1).effects == ()
    later = advance(move, pair(vms=(replace(EVICTED, migrations=(over,)),)), NOW + SETTLE_SECONDS)
    assert len(later.effects) == 1


def test_what_kubevirt_brings_takes_its_room() -> None:
    small = node("node-b", allocatable=Resources(16000, 9 * GIB))
    coming = replace(running("db"), migrations=(OTHERS,))
    pods = (launcher(EVICTED), launcher(coming), launcher(coming, "node-b"))
    assert not evacuable(pair(b=small, vms=(EVICTED, coming), pods=pods), EVICTED, NOW).holds
    assert evacuable(pair(b=small, vms=(EVICTED, coming), pods=pods[:2]), EVICTED, NOW).holds


def fences(a: NodeView, *vms: VmView) -> bool:
    return any(intent.type is ActionType.FENCE for intent in plan(pair(a, SEES_IT_DEAD, vms), NOW).intents)


def test_a_dead_server_that_somebody_has_emptied_is_left_to_them() -> None:
    assert not fences(DEAD, running("web", "node-b"))
    assert fences(replace(DEAD, cordoned=False), running("web", "node-b"))
    assert fences(DEAD, running("web", "node-a"))
    assert fences(replace(DEAD, closed=True), running("web", "node-b"))


def test_a_dead_server_is_fenced_if_a_vm_waits_for_the_proof() -> None:
    lost = replace(running("web", "node-a"), instance=None, vanished_at=NOW - 40)
    assert fences(DEAD, lost)
    assert not fences(DEAD, replace(lost, should_run=False))


def test_an_uncordoned_server_rejoins_if_vms_had_left_it() -> None:
    cordoned = remember(pair(node(cordoned=True)), NOW - 100).nodes[0]
    assert cordoned.history.cordoned_at == NOW - 100
    opened = replace(cordoned, cordoned=False)
    gone = running("web", "node-b", moved_at=NOW - 50)
    (rejoin,) = [i for i in plan(remember(pair(opened, vms=(gone,)), NOW), NOW).intents if i.type is ActionType.REJOIN]
    assert rejoin.reason == "Uncordoned"
    stayed = remember(pair(opened, vms=(running("web", "node-b", moved_at=NOW - 200),)), NOW)
    assert stayed.nodes[0].history.cordoned_at == 0.0
    assert not any(intent.type is ActionType.REJOIN for intent in plan(stayed, NOW).intents)


def test_the_memory_of_a_cordon_ends_with_the_rejoin() -> None:
    done = action(ActionType.REJOIN, "node-a", created_at=NOW - 10, finished_at=NOW - 1)
    opened = node(history=NodeHistory(cordoned_at=NOW - 100))
    gone = running("web", "node-b", moved_at=NOW - 50)
    assert remember(pair(opened, vms=(gone,), actions=(done,)), NOW).nodes[0].history.cordoned_at == 0.0
