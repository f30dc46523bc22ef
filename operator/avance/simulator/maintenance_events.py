"""Planned maintenance in a scenario: what people ask for, and what can be expected of it."""

from __future__ import annotations

from avance.core.model import ActionType
from avance.simulator.events import EVENTS
from avance.simulator.expectations import EXPECTATIONS
from avance.simulator.simulation import Simulation


@EVENTS.says("somebody (?P<how>enters|leaves) maintenance of {node}")
def ask(sim: Simulation, how: str, node: str) -> None:
    type_ = ActionType.ENTER_MAINTENANCE if how == "enters" else ActionType.LEAVE_MAINTENANCE
    sim.records.request(type_, node, "", sim.now)
    sim.api.version += 1  # a new record is seen like any other change of the API


@EVENTS.says("somebody deletes the (?P<what>EnterMaintenance|LeaveMaintenance) of {node}")
def delete(sim: Simulation, what: str, node: str) -> None:
    for action in sim.records.all():
        if (action.type, action.target) == (what, node):
            sim.records.delete(action.name)
    sim.api.version += 1


@EXPECTATIONS.says("{node} is in maintenance", "{node} is (?P<no>not) in maintenance")
def is_in_maintenance(sim: Simulation, node: str, no: str = "") -> bool:
    return (node in sim.records.in_maintenance()) is not bool(no)
