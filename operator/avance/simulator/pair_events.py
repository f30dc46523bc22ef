"""What can happen to the pair itself, each as a sentence: other servers, labels, Node objects, requests."""

from __future__ import annotations

from dataclasses import replace

from avance.core.model import ActionType
from avance.simulator.events import EVENTS
from avance.simulator.simulation import Simulation

STRANGER = "node-z"


@EVENTS.says(
    "{node} is replaced by another server",
    "another server takes the name of {node} (?P<alive>while the old one runs on)",
)
def replace_server(sim: Simulation, node: str, alive: str = "") -> None:
    place, number = list(sim.world.servers).index(node), sim.world.servers[node].boots
    uuid = f"7e1f0c84-5d6a-4b3c-9e2{place}-{number:012x}"
    sim.world.replace(node, uuid, old_runs_on=bool(alive))


@EVENTS.says("somebody accepts the new server as {node}")
def accept_server(sim: Simulation, node: str) -> None:
    _ask(sim, ActionType.ACCEPT_REPLACEMENT, node)


@EVENTS.says("somebody asks for a (?P<what>Failback|Switchover) to {node}")
def ask_for_wave(sim: Simulation, what: str, node: str) -> None:
    _ask(sim, ActionType(what), node)


def _ask(sim: Simulation, type_: ActionType, node: str) -> None:
    sim.records.request(type_, node, "", sim.now)
    sim.api.version += 1  # a new record is seen like any other change of the API


@EVENTS.says("somebody takes the label off {node}", "somebody labels {node} (?P<again>again)")
def label(sim: Simulation, node: str, again: str = "") -> None:
    sim.api.change(sim.api.nodes, node, labelled=bool(again))


@EVENTS.says("a third node (?P<how>gets|loses) the label of the pair")
def third_node(sim: Simulation, how: str) -> None:
    if how == "loses":
        sim.api.remove(sim.api.strangers, STRANGER)
        return
    pattern = next(iter(sim.api.nodes.values()))
    uuid = "3a7a4c74-6c60-4fac-8d63-3e3f7f80900c"
    stranger = replace(pattern, name=STRANGER, system_uuid=uuid, boot_id=STRANGER, fence_agent=False)
    sim.api.put(sim.api.strangers, STRANGER, stranger)


@EVENTS.says("the Node object of {node} is deleted")
def delete_node(sim: Simulation, node: str) -> None:
    sim.api.change(sim.api.nodes, node, deleted_at=sim.now)


@EVENTS.says("{node} registers again")
def register_again(sim: Simulation, node: str) -> None:
    """Its kubelet was restarted: a new Node object with the old label and none of anybody's marks."""
    sim.api.change(
        sim.api.nodes, node, deleted_at=None, registrations=sim.api.nodes[node].registrations + 1,
        cordoned=False, cordoned_by_us=False, closed=False, out_of_service=False, labelled=True,
    )  # fmt: skip
