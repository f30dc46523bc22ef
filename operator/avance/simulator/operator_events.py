"""What can happen to the operator itself, to its clock, to what it asks for and to KubeVirt's own programs."""

from __future__ import annotations

from dataclasses import replace

from avance.simulator.events import EVENTS
from avance.simulator.operator import Killed, StandsStill
from avance.simulator.simulation import Simulation


@EVENTS.says("the operator is killed")
def kill(sim: Simulation) -> None:
    sim.kill_operator()


@EVENTS.says("the operator is stopped", "the operator is started (?P<again>again)")
def stop_operator(sim: Simulation, again: str = "") -> None:
    sim.operator_may_run = bool(again)
    if not again:
        sim.kill_operator()


@EVENTS.says("the operator will be killed (?P<when>before|after) its next {type}")
def kill_at_effect(sim: Simulation, when: str, type: str) -> None:
    _end_at(sim, f"{when} {type}", Killed)


@EVENTS.says("the operator will be killed when it records a {type}")
def kill_at_record(sim: Simulation, type: str) -> None:
    _end_at(sim, f"record {type}", Killed)


@EVENTS.says("the operator stands still", "the operator that stood still (?P<on>goes on)")
def stand_still(sim: Simulation, on: str = "") -> None:
    if on:
        sim.let_go_on()
    else:
        sim.stop_process()


@EVENTS.says("the operator will stand still (?P<when>before|after) its next {type}")
def stand_still_at_effect(sim: Simulation, when: str, type: str) -> None:
    _end_at(sim, f"{when} {type}", StandsStill)


@EVENTS.says("the operator loses the API", "the operator reaches the API (?P<back>again)")
def operator_api(sim: Simulation, back: str = "") -> None:
    if sim.operator is not None:
        sim.operator.reaches_api = bool(back)


@EVENTS.says("the operator sees everything {number} s late")
def see_late(sim: Simulation, number: str) -> None:
    sim.lag = float(number)
    if sim.operator is not None:
        sim.operator.lag = sim.lag


@EVENTS.says("the clock of the next operator is {number} s (?P<how>ahead|behind)")
def operator_clock(sim: Simulation, number: str, how: str) -> None:
    sim.next_clock_ahead = float(number) if how == "ahead" else -float(number)


@EVENTS.says("the next {type} is held up for {number} s")
def hold_up(sim: Simulation, type: str, number: str) -> None:
    sim.held_up[type] = float(number)


@EVENTS.says("the clock of {node} jumps {number} s (?P<how>ahead|back)")
def node_clock(sim: Simulation, node: str, number: str, how: str) -> None:
    sim.world.servers[node].clock_ahead += float(number) if how == "ahead" else -float(number)


@EVENTS.says("virt-api stops", "virt-api starts (?P<again>again)")
def virt_api(sim: Simulation, again: str = "") -> None:
    sim.api.look_around(replace(sim.api.around, virt_api=bool(again)))


@EVENTS.says("virt-controller stops", "virt-controller starts (?P<again>again)")
def virt_controller(sim: Simulation, again: str = "") -> None:
    sim.api.look_around(replace(sim.api.around, virt_controller=bool(again)))


def _end_at(sim: Simulation, place: str, how: type[Exception]) -> None:
    def boundary(where: str) -> None:
        if where == place:
            sim.boundary = lambda _: None
            raise how(where)

    sim.boundary = boundary
