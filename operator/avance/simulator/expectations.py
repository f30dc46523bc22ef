"""What a scenario can expect, each as a sentence that is true or not at one moment of a simulation."""

from __future__ import annotations

from collections.abc import Callable

from avance.core.model import ActionType
from avance.simulator import invariants
from avance.simulator.sentences import Language
from avance.simulator.simulation import Simulation
from avance.simulator.world import State

EXPECTATIONS: Language[Callable[..., bool]] = Language("expectation")


def holds(sim: Simulation, sentence: str) -> bool:
    """Whether it is true now. Raises NotUnderstood."""
    meaning, gaps = EXPECTATIONS.understand(sentence)
    for gap in {"vm", "other"} & gaps.keys():
        gaps[gap] = f"default/{gaps[gap]}"
    return meaning(sim, **gaps)


@EXPECTATIONS.says("every VM runs on {node}")
def every_vm_on(sim: Simulation, node: str) -> bool:
    return all(vm_on(sim, vm, node) for vm in sim.api.vms)


@EXPECTATIONS.says("every VM runs")
def every_vm_runs(sim: Simulation) -> bool:
    return all(vm_runs(sim, vm) for vm in sim.api.vms)


@EXPECTATIONS.says("no VM runs")
def no_vm_runs(sim: Simulation) -> bool:
    return not any(vm_runs(sim, vm) for vm in sim.api.vms)


@EXPECTATIONS.says("{vm} runs on {node}")
def vm_on(sim: Simulation, vm: str, node: str) -> bool:
    return any(guest.server == node for guest in sim.world.guests_of(vm))


@EXPECTATIONS.says("{vm} runs")
def vm_runs(sim: Simulation, vm: str) -> bool:
    return bool(sim.world.guests_of(vm))


@EXPECTATIONS.says("{vm} does not run")
def vm_does_not_run(sim: Simulation, vm: str) -> bool:
    return not vm_runs(sim, vm)


@EXPECTATIONS.says("{vm} was never down")
def never_down(sim: Simulation, vm: str) -> bool:
    return down_at_most(sim, vm, "0")


@EXPECTATIONS.says("{vm} was down for at most {number} s at a time")
def down_at_most(sim: Simulation, vm: str, number: str) -> bool:
    first = min((guest.started_at for guest in sim.world.ledger if guest.vm == vm), default=sim.now)
    return sim.world.longest_gap(vm, first) <= float(number)


@EXPECTATIONS.says("{vm} has been started {number} times")
def started_times(sim: Simulation, vm: str, number: str) -> bool:
    return len({guest.instance_uid for guest in sim.world.ledger if guest.vm == vm}) == _count(number)


@EXPECTATIONS.says("the last start of {vm} was before that of {other}")
def started_before(sim: Simulation, vm: str, other: str) -> bool:
    starts = {guest.vm: guest.started_at for guest in sim.world.ledger}
    return starts[vm] < starts[other]


@EXPECTATIONS.says("{node} is off")
def is_off(sim: Simulation, node: str) -> bool:
    return sim.world.servers[node].state is State.OFF


@EXPECTATIONS.says("{node} has power")
def has_power(sim: Simulation, node: str) -> bool:
    return not is_off(sim, node)


@EXPECTATIONS.says("{node} is closed")
def is_closed(sim: Simulation, node: str) -> bool:
    return sim.api.nodes[node].closed


@EXPECTATIONS.says("{node} is cordoned")
def is_cordoned(sim: Simulation, node: str) -> bool:
    return sim.api.nodes[node].cordoned


@EXPECTATIONS.says("{node} serves")
def serves(sim: Simulation, node: str) -> bool:
    seen = sim.api.nodes[node]
    return seen.ready == "True" and not (seen.closed or seen.out_of_service or seen.cordoned)


@EXPECTATIONS.says("{node} is proven off")
def proven_off(sim: Simulation, node: str) -> bool:
    boot_id = sim.api.nodes[node].boot_id
    return any(a.evidence and (a.evidence.node, a.evidence.boot_id) == (node, boot_id) for a in sim.records.all())


@EXPECTATIONS.says("{node} is not proven off")
def not_proven_off(sim: Simulation, node: str) -> bool:
    return not proven_off(sim, node)


_TYPES = "(?P<type>" + "|".join(ActionType) + ")"
_OUTCOME = r"(?: that (?P<outcome>succeeded|failed|was cancelled|were cancelled|is open|are open))?"


@EXPECTATIONS.says(
    rf"there (?:is|are) {{number}} {_TYPES} actions?(?: on (?P<target>[\w-]+))?{_OUTCOME}",
    words="there are NUMBER TYPE actions [on NODE|VM] [that succeeded|failed|were cancelled|are open]",
)
def actions(sim: Simulation, number: str, type: str, target: str = "", outcome: str = "") -> bool:
    found = [
        action
        for action in sim.records.all()
        if action.type == type
        and target in ("", action.target, action.target.rpartition("/")[2])
        and (not outcome or _turned_out(action.phase, outcome))
    ]
    return len(found) == _count(number)


@EXPECTATIONS.says("{number} migrations ran at the same time")
def migrations_at_once(sim: Simulation, number: str) -> bool:
    return sim.kubevirt.migrations.most_at_once == _count(number)


@EXPECTATIONS.says('the timeline says "{words}"')
def timeline_says(sim: Simulation, words: str) -> bool:
    return any(words in entry.what for entry in sim.timeline)


@EXPECTATIONS.says('the timeline never says "{words}"')
def timeline_never_says(sim: Simulation, words: str) -> bool:
    return not timeline_says(sim, words)


@EXPECTATIONS.says("nothing is under way")
def nothing_under_way(sim: Simulation) -> bool:
    return sim.operator is not None and not any(invariants.at_rest(sim.operator, sim.records))


@EXPECTATIONS.says("everything serves")
def everything_serves(sim: Simulation) -> bool:
    return not any(invariants.serves_fully(sim.world, sim.api))


def _count(number: str) -> int:
    return 0 if number == "no" else int(number)


def _turned_out(phase: str, outcome: str) -> bool:
    words = outcome.split()
    return phase in ("Pending", "Running") if words[-1] == "open" else phase.lower() == words[-1]
