"""The server dies while a Restart is at each of its steps: nothing runs twice, and no time-out has to pass."""

import pytest

from avance.core.model import ActionType
from avance.simulator import invariants
from avance.simulator.events import happen
from avance.simulator.scenario import parse
from avance.simulator.simulation import Simulation

CAUSES = {
    "a person's request": ["somebody asks to restart web"],
    "a crash of the guest": ["the guest of web crashes"],
    "a hang": ["the guest of web hangs"],
    "failures here alone": [
        "from now on the guest of web crashes while it boots on node-a",
        "the guest of web crashes",
    ],
}
STEPS = ("EndGuest", "Release", "Place", "Start", "Boot")
PATIENCE = 200.0
"""Seconds until the VM is at the step."""
BACK_WITHIN = 90.0


def at_the_step(cause: str, step: str) -> Simulation | None:
    """A pair whose Restart of web has just entered the step; None if it never comes to it."""
    vm = {"name": "web", "health check": {"patience": "5 s", "boots in": "20 s"}}
    sim = parse("story", {"shows": "A story.", "vms": [vm, {"name": "db"}]}).begin()
    while sim.elapsed < 5.0:
        sim.step()
    for sentence in CAUSES[cause]:
        happen(sim, sentence)
    while sim.elapsed < PATIENCE:
        sim.step()
        if any(a.type is ActionType.RESTART and a.open and a.current == step for a in sim.records.all()):
            return sim
    return None


@pytest.mark.parametrize(
    ("cause", "victim", "event"),
    [
        ("a hang", "node-a", "{node} loses its power"),
        ("failures here alone", "node-b", "{node} loses its power"),
        ("a person's request", "node-a", "{node} is cut off from everything"),
    ],
)
def test_the_server_dies_at_a_step_of_a_restart(cause: str, victim: str, event: str) -> None:
    die_at_each_step(cause, victim, event)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("event", ["{node} loses its power", "{node} crashes", "{node} is cut off from everything"])
@pytest.mark.parametrize("victim", ["node-a", "node-b"])
@pytest.mark.parametrize("cause", CAUSES)
def test_the_server_dies_at_each_step_of_a_restart(cause: str, victim: str, event: str) -> None:
    die_at_each_step(cause, victim, event)


def die_at_each_step(cause: str, victim: str, event: str) -> None:
    visited = []
    for step in STEPS:
        sim = at_the_step(cause, step)
        if sim is None:
            continue
        visited.append(step)
        sim.kubevirt.boot_again("default/web")
        happen(sim, event.format(node=victim))
        began, back = sim.elapsed, False
        while sim.elapsed < began + BACK_WITHIN and not back:
            sim.step()
            running = sim.world.guests_of("default/web")
            back = sim.elapsed > began + 30.0 and any(guest.mind.hung_at is None for guest in running)
        assert back, f"{victim} at {step}: web is not back"
        happen(sim, f"{victim} is connected again")
        while sim.elapsed < began + 200.0:
            sim.step()
        assert sim.violations == [], f"{victim} at {step}"
        assert sim.operator is not None
        assert not list(invariants.at_rest(sim.operator, sim.records)), f"{victim} at {step}"
    assert len(visited) >= 2
