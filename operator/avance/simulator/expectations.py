"""What a scenario can expect, each as a sentence that is true or not at one moment of a simulation."""

from __future__ import annotations

from collections.abc import Callable

from avance.core.condition import Condition
from avance.core.failures import given_up
from avance.core.health import score
from avance.core.model import ActionType
from avance.core.report import report
from avance.simulator import guest_health, invariants
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


@EXPECTATIONS.says("{vm} does not run on {node}")
def vm_not_on(sim: Simulation, vm: str, node: str) -> bool:
    return not vm_on(sim, vm, node)


@EXPECTATIONS.says("no VM runs on {node}")
def no_vm_on(sim: Simulation, node: str) -> bool:
    return not any(vm_on(sim, vm, node) for vm in sim.api.vms)


@EXPECTATIONS.says("{vm} is given up")
def is_given_up(sim: Simulation, vm: str) -> bool:
    view = sim.operator.view if sim.operator else None
    seen = view.vm(vm) if view else None
    return view is not None and seen is not None and given_up(view, seen) is not None


@EXPECTATIONS.says("{vm} is not given up")
def is_not_given_up(sim: Simulation, vm: str) -> bool:
    return not is_given_up(sim, vm)


@EXPECTATIONS.says("the guest of {vm} answers")
def guest_answers(sim: Simulation, vm: str) -> bool:
    return any(guest_health.answers(guest, sim.now) for guest in sim.world.guests_of(vm))


@EXPECTATIONS.says("the guest of {vm} does not answer")
def guest_does_not_answer(sim: Simulation, vm: str) -> bool:
    return not guest_answers(sim, vm)


@EXPECTATIONS.says("{vm} was never down")
def never_down(sim: Simulation, vm: str) -> bool:
    return down_at_most(sim, vm, "0")


@EXPECTATIONS.says("{vm} was down for at most {number} s at a time")
def down_at_most(sim: Simulation, vm: str, number: str) -> bool:
    first = min((guest.started_at for guest in sim.world.ledger if guest.vm == vm), default=sim.now)
    return sim.world.longest_gap(vm, first) <= float(number)


@EXPECTATIONS.says("no VM was ever down")
def none_ever_down(sim: Simulation) -> bool:
    return all(never_down(sim, vm) for vm in sim.api.vms)


@EXPECTATIONS.says("every VM was down for at most {number} s at a time")
def every_vm_down_at_most(sim: Simulation, number: str) -> bool:
    return all(down_at_most(sim, vm, number) for vm in sim.api.vms)


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
    return sim.records.proves_off(node, boot_id)


@EXPECTATIONS.says("{node} is not proven off")
def not_proven_off(sim: Simulation, node: str) -> bool:
    return not proven_off(sim, node)


@EXPECTATIONS.says("{node} is declared down", "{node} is (?P<no>not) declared down")
def declared_down(sim: Simulation, node: str, no: str = "") -> bool:
    history = sim.records.histories.get(node)
    return bool(history and history.declared_down) is not bool(no)


@EXPECTATIONS.says(
    "{number} faults? of (?P<part>[A-Z]\\w+) of {node} (?:is|are) on record",
    words="NUMBER faults of KIND of NODE are on record",
)
def faults_on_record(sim: Simulation, number: str, part: str, node: str) -> bool:
    """Of all components of a kind, those that still count."""
    history = sim.records.histories.get(node)
    counted = [fault for each in history.components if each.kind == part for fault in each.counted] if history else []
    return len(counted) == _count(number)


@EXPECTATIONS.says('the pair says "{words}"')
def pair_says(sim: Simulation, words: str) -> bool:
    """In the message of one of its conditions, as `kubectl describe pair` shows them."""
    view = sim.operator.view if sim.operator else None
    return view is not None and any(words in told.message for told in report(view, sim.now).conditions)


@EXPECTATIONS.says("the score of {node} is {number}")
def score_is(sim: Simulation, node: str, number: str) -> bool:
    view = sim.operator.view if sim.operator else None
    seen = view.node(node) if view else None
    return seen is not None and score(seen.faults).value == _count(number)


@EXPECTATIONS.says("the disks of {vm} are in sync")
def disks_in_sync(sim: Simulation, vm: str) -> bool:
    return sim.disks is None or sim.disks.in_sync(vm)


@EXPECTATIONS.says("the disks of {vm} are not in sync")
def disks_not_in_sync(sim: Simulation, vm: str) -> bool:
    return not disks_in_sync(sim, vm)


@EXPECTATIONS.says("what {vm} wrote last is on {node} alone")
def wrote_last(sim: Simulation, vm: str, node: str) -> bool:
    written = sim.api.vms[vm].written
    return written is not None and written.holders == (node,)


_TYPES = "(?P<type>" + "|".join(ActionType) + ")"
_BOUND = "(?:at (?P<bound>most|least) )?"
_OUTCOME = r"(?: that (?P<outcome>succeeded|failed|was cancelled|were cancelled|is open|are open))?"


@EXPECTATIONS.says(
    rf"there (?:is|are) {_BOUND}{{number}} {_TYPES} actions?(?: on (?P<target>[\w-]+))?{_OUTCOME}",
    words="there are [at most|at least] NUMBER TYPE actions [on NODE|VM] "
    "[that succeeded|failed|were cancelled|are open]",
)
def actions(sim: Simulation, number: str, type: str, target: str = "", outcome: str = "", bound: str = "") -> bool:
    found = [
        action
        for action in sim.records.all()
        if action.type == type
        and target in ("", action.target, action.target.rpartition("/")[2])
        and (not outcome or _turned_out(action.phase, outcome))
    ]
    if bound:
        return len(found) <= _count(number) if bound == "most" else len(found) >= _count(number)
    return len(found) == _count(number)


@EXPECTATIONS.says("{node} is another server than before")
def is_another(sim: Simulation, node: str) -> bool:
    """As the operator sees it; until somebody accepts it."""
    seen = sim.operator.view.node(node) if sim.operator and sim.operator.view else None
    return seen is not None and seen.replaced


_STATUS = "(?P<status>True|False|Unknown)"


@EXPECTATIONS.says(f"{{type}} of the pair is {_STATUS}", f"{{type}} of {{vm}} is {_STATUS}")
def condition_is(sim: Simulation, type: str, status: str, vm: str = "") -> bool:
    return any(str(condition.holds) == status.replace("Unknown", "None") for condition in _conditions(sim, type, vm))


@EXPECTATIONS.says('{type} of the pair says "{words}"', '{type} of {vm} says "{words}"')
def condition_says(sim: Simulation, type: str, words: str, vm: str = "") -> bool:
    return any(words in condition.message for condition in _conditions(sim, type, vm))


def _conditions(sim: Simulation, type_: str, vm: str) -> list[Condition]:
    """As the operator would tell them now."""
    if sim.operator is None or sim.operator.view is None:
        return []
    told = report(sim.operator.view, sim.now)
    found = told.conditions if not vm else next(each.conditions for each in told.vms if each.key == vm)
    return [condition for condition in found if condition.type == type_]


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


def _count(number: str) -> float:
    return 0 if number == "no" else float(number)


def _turned_out(phase: str, outcome: str) -> bool:
    words = outcome.split()
    return phase in ("Pending", "Running") if words[-1] == "open" else phase.lower() == words[-1]
