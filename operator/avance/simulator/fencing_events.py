"""What can happen around fencing, each as a sentence; beside those of `events`."""

from __future__ import annotations

from dataclasses import replace

from avance.core.model import ActionType
from avance.simulator.events import EVENTS
from avance.simulator.simulation import Simulation


@EVENTS.says("{node} is shut down in order")
def shut_down(sim: Simulation, node: str) -> None:
    server = sim.world.servers[node]
    if server.connected:
        sim.api.change(sim.api.nodes, node, ready="False", shutting_down=True, unready_since=sim.now)
        sim.kubevirt.shut_down(server, sim.now)
    sim.world.cut_power(node)


@EVENTS.says("somebody attests that {node} is off")
def attest_off(sim: Simulation, node: str) -> None:
    sim.records.request(ActionType.ATTEST_OFF, node, "", sim.now)
    sim.api.version += 1


@EVENTS.says(
    "{silent} of {number} other nodes of the cluster are silent",
    words="NUMBER of NUMBER other nodes of the cluster are silent",
)
def other_nodes(sim: Simulation, silent: str, number: str) -> None:
    silent_nodes = 0 if silent == "no" else int(silent)
    sim.api.look_around(replace(sim.api.around, other_nodes=int(number), silent_nodes=silent_nodes))


@EVENTS.says("the API answers no writes", "the API answers writes (?P<back>again)")
def writes(sim: Simulation, back: str = "") -> None:
    sim.api.look_around(replace(sim.api.around, takes_writes=bool(back)))


@EVENTS.says("the fencing entry of {node} is removed", "the fencing entry of {node} is written (?P<back>again)")
def fencing_entry(sim: Simulation, node: str, back: str = "") -> None:
    sim.api.change(sim.api.nodes, node, fence_agent=bool(back))


@EVENTS.says("the pair is deleted and made anew")
def make_anew(sim: Simulation) -> None:
    """Its AvanceActions go with it, and its status."""
    sim.records.clear()
    sim.kill_operator()


@EVENTS.says(
    "{node} is one of {number} control-plane nodes", "(?P<both>both servers) are among {number} control-plane nodes"
)
def control_plane(sim: Simulation, number: str, node: str = "", both: str = "") -> None:
    of_the_pair = tuple(sim.world.servers) if both else (node,)
    others = tuple(f"control-{each}" for each in range(int(number) - len(of_the_pair)))
    sim.api.look_around(replace(sim.api.around, control_plane=of_the_pair + others))
