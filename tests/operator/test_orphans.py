"""Who is told that its pair is missing, and who is not."""

from typing import Any

from avance.kube.resources import AVANCE_ACTIONS, AVANCE_PAIRS, PROTECTED_VMS
from avance.operator.adopting import Adopting
from avance.operator.orphans import tell_orphans
from tests.kubevirt.recorder import recording
from tests.operator.objects import PAIR, World, metadata, pair, protected_vm

PAIR_PATH = f"GET /apis/avance.dev/v1alpha1/avancepairs/{PAIR}"
ACTION = {
    "metadata": metadata("move-web"),
    "spec": {
        "pairRef": {"name": PAIR},
        "type": "Migrate",
        "target": {"kind": "ProtectedVM", "namespace": "shop", "name": "web"},
    },
}


def world() -> World:
    world = World()
    world.put(PROTECTED_VMS, protected_vm())
    world.put(AVANCE_ACTIONS, ACTION)
    return world


async def told(answers: dict[str, tuple[int, dict[str, Any]]], of: World) -> dict[str, Any]:
    async with recording(answers) as (recorder, kube):
        adopting = Adopting(kube, of.store, of.clock, lambda obj, reason, message: None)
        await tell_orphans(kube, of.store, of.clock, adopting)
    return {what.split("/")[-2]: body["status"] for what, body in recorder.sent if what.startswith("PATCH")}


async def test_a_vm_is_unprotected_and_an_action_fails_without_their_pair() -> None:
    found = await told({}, world())
    assert {condition["reason"] for condition in found["web"]["conditions"]} == {"PairNotFound"}
    assert found["move-web"]["phase"] == "Failed"
    assert "create it, or delete this object" in found["move-web"]["result"]


async def test_nothing_is_failed_for_a_pair_that_was_only_not_seen_yet() -> None:
    of = world()
    assert await told({PAIR_PATH: (200, pair())}, of) == {}
    assert of.store.get(AVANCE_PAIRS, PAIR) is None, "the watch is to tell of it, which starts its loop"
