"""The operator is killed at every boundary of a story, one run for each; its successor always reaches the same end.

A boundary is the moment before a record is written and those before and after an effect is performed.
"""

from collections.abc import Callable

import pytest

from avance.simulator import invariants
from avance.simulator.events import happen
from avance.simulator.operator import Killed
from avance.simulator.scenario import parse
from avance.simulator.simulation import TICK, Simulation

STORIES = {
    "cold restart": "node-a crashes",
    "graceful failover": "power supply PSU2 of node-a fails",
    "restart in place": "the guest of web crashes",
    "stop": "somebody says that web shall not run",
    "eviction": "somebody evicts web",
}
SETTLED_AFTER = 30.0
"""Seconds; no story has a longer pause in which nothing at all is under way."""
PATIENCE = 400.0


def play(event: str, boundary: Callable[[str], None]) -> Simulation:
    sim = parse("story", {"shows": "A story.", "vms": [{"name": "web", "priority": "High"}, {"name": "db"}]}).begin()
    while sim.elapsed < 1.0:
        sim.step()
    happen(sim, event)
    sim.boundary = boundary
    quiet = 0.0
    while quiet < SETTLED_AFTER and sim.elapsed < PATIENCE:
        sim.step()
        quiet = quiet + TICK if at_rest(sim) else 0.0
    return sim


def at_rest(sim: Simulation) -> bool:
    return sim.operator is not None and not any(invariants.at_rest(sim.operator, sim.records))


def end_of(sim: Simulation) -> object:
    """What counts in the end: who runs where, which actions there were and what came of them, who serves."""
    guests = sorted((guest.vm, guest.server) for guest in sim.world.ledger if guest.runs)
    actions = sorted((action.type, action.target, action.phase) for action in sim.records.all())
    lives = sorted(guest.vm for guest in sim.world.ledger)
    return guests, actions, lives, sorted(node.name for node in sim.api.nodes.values() if not node.cordoned)


@pytest.mark.parametrize("event", STORIES.values(), ids=STORIES.keys())
def test_killed_and_resumed_it_reaches_the_same_end(event: str) -> None:
    """At every boundary of the short stories and at some of the long one."""
    kill_and_resume(event, at_most=12)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("event", STORIES.values(), ids=STORIES.keys())
def test_killed_at_every_boundary_and_resumed_it_reaches_the_same_end(event: str) -> None:
    kill_and_resume(event, at_most=1000)


def kill_and_resume(event: str, at_most: int) -> None:
    places: list[str] = []
    undisturbed = play(event, places.append)
    assert len(places) >= 5
    assert not undisturbed.violations
    for number, place in list(enumerate(places))[:: -(-len(places) // at_most)]:
        left = iter([False] * number + [True])

        def boundary(where: str, left: "object" = left) -> None:
            if next(left, False):  # type: ignore[call-overload]
                raise Killed(where)

        sim = play(event, boundary)
        assert sim.violations == [], f"killed at boundary {number}, {place}"
        assert end_of(sim) == end_of(undisturbed), f"killed at boundary {number}, {place}"
        assert at_rest(sim), f"killed at boundary {number}, {place}"


def test_in_the_undisturbed_story_nothing_is_done_twice() -> None:
    done: list[str] = []
    play("node-a crashes", done.append)
    for effect in ("CloseNode", "MarkOutOfService", "PowerOn", "OpenNode"):
        assert done.count(f"before {effect}") == 1
    assert done.count("before DeletePod") <= 4  # the fence and the restart of its VM may both give a pod up
