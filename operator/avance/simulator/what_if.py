"""What would happen to a real pair if a server crashed now, a part failed, or somebody drained a server.

The rules are played forward on a simulated pair that begins as the real one is seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from avance.core.components import COMPONENT_CLASSES, ComponentKind
from avance.core.model import ActionPhase, PairView, VmPhase
from avance.core.pairing import why_no_pair
from avance.core.phase_times import Estimate, Phase, estimate
from avance.core.rules.health_comparison import why_it_stays
from avance.core.what_if import blockers
from avance.simulator import invariants
from avance.simulator.events import REPORTED_BY
from avance.simulator.from_view import simulation_of
from avance.simulator.simulation import TICK, Entry, Simulation

CALM_SECONDS = 31.0
"""The simulated operator listens this long before anything happens: a new one trusts nobody that it has not heard. It
ends just after every kubelet has renewed its Lease, so that silence takes as long as it ever does to be noticed."""
AT_LEAST_SECONDS = 30.0
"""Longer than any fault takes to be noticed."""
QUIET_SECONDS = 120.0
"""When nothing new has happened for this long, what is still waited for will not come by itself."""
AT_MOST_SECONDS = 3600.0


class Deed(StrEnum):
    CRASH = "crash"
    """The kernel dies; the power stays on, so that nothing but silence tells of it."""
    POWER_CUT = "power-cut"
    FAIL = "fail"
    DRAIN = "drain"


@dataclass(frozen=True, slots=True)
class Question:
    """What is imagined to happen to one node."""

    deed: Deed
    node: str
    kind: ComponentKind | None = None
    component: str = ""
    """For FAIL: the kind of part, and its name, which may be empty."""

    @property
    def sentence(self) -> str:
        match self.deed:
            case Deed.CRASH:
                return f"{self.node} crashed"
            case Deed.POWER_CUT:
                return f"{self.node} lost its power"
            case Deed.DRAIN:
                return f"somebody drained {self.node}"
        noun = COMPONENT_CLASSES[self.kind].noun if self.kind else "a part"
        return f"{noun} {self.component} of {self.node} failed".replace("  ", " ")


@dataclass(frozen=True, slots=True)
class VmOutcome:
    """What became of one VM that shall run."""

    key: str
    before: str
    after: str
    """The node it is on before and after; empty if it is on none, or does not run."""
    down_seconds: float
    runs: bool
    because: str
    """Why it does not run, or is not where it should be; empty if all is well."""


@dataclass(frozen=True, slots=True)
class Undertaking:
    """One recorded action, with its times in seconds from the deed."""

    type: str
    target: str
    phase: str
    began: float
    ended: float | None


@dataclass(frozen=True, slots=True)
class Answer:
    question: Question
    timeline: tuple[Entry, ...]
    """What happened; times are seconds from the deed."""
    vms: tuple[VmOutcome, ...]
    actions: tuple[Undertaking, ...]
    """What was done, in the order in which it was begun."""
    estimates: tuple[Estimate, ...]
    """What the times rest on."""
    seconds: float
    """From the deed until nothing was left to do; as far as it was played if something was."""
    at_rest: bool
    violations: tuple[str, ...] = field(default=())

    @property
    def blockers(self) -> tuple[str, ...]:
        """What would keep it from being survived, in words; none if every VM runs, and where it should."""
        return tuple(dict.fromkeys([*(f"{vm.key}: {vm.because}" for vm in self.vms if vm.because), *self.violations]))


def ask(view: PairView, question: Question, now: float) -> Answer:
    """Play it forward. Raises ValueError, in words, if it cannot be played."""
    no_pair = why_no_pair(view)[1]
    if no_pair:
        raise ValueError(f"{view.name} is no pair that anything could be said of: {no_pair}")
    if view.node(question.node) is None:
        names = " and ".join(node.name for node in view.nodes) or "none"
        raise ValueError(f"{question.node} is no node of pair {view.name}; its nodes are {names}")
    sim = simulation_of(view, now)
    while sim.elapsed < CALM_SECONDS:
        sim.step()
    before = {vm: _home(sim, vm) for vm in sim.api.vms}
    began, known = sim.elapsed, {action.name for action in sim.records.all() if not action.open}
    first_entry = len(sim.timeline)
    _do(sim, question)
    down = dict.fromkeys(sim.api.vms, 0.0)
    ended = _play(sim, down)
    return Answer(
        question=question,
        timeline=tuple(Entry(entry.at - began, entry.who, entry.what) for entry in sim.timeline[first_entry:]),
        vms=tuple(_vm(sim, question, vm, before[vm], down[vm]) for vm in sim.api.vms if sim.api.vms[vm].should_run),
        actions=tuple(_done(sim, known, now + began)),
        estimates=tuple(_estimates(view, question)),
        seconds=ended - began,
        at_rest=_at_rest(sim),
        violations=tuple(sim.violations),
    )


def _do(sim: Simulation, question: Question) -> None:
    sim.tell("event", question.sentence)
    node = question.node
    match question.deed:
        case Deed.CRASH:
            sim.world.hang(node)
        case Deed.POWER_CUT:
            sim.world.cut_power(node)
        case Deed.DRAIN:
            sim.api.change(sim.api.nodes, node, cordoned=True, cordoned_by_us=False)
            for instance in list(sim.api.instances.values()):
                if instance.node == node and not instance.phase.final:
                    sim.api.change(sim.api.instances, instance.vm, evacuate_from=node)
        case Deed.FAIL:
            _fail(sim, question)


def _fail(sim: Simulation, question: Question) -> None:
    server = sim.world.servers[question.node]
    if question.kind is ComponentKind.PRIVATE_LINK:
        sim.world.private_link = False
    elif question.kind is not None:
        words = f"component={question.component} state=failed" if question.component else "failed"
        server.broken[(REPORTED_BY[question.kind], question.component)] = words


def _play(sim: Simulation, down: dict[str, float]) -> float:
    """Until nothing is left to do, or nothing new comes; returns when the last thing happened."""
    began = sim.elapsed
    while sim.elapsed - began < AT_MOST_SECONDS:
        sim.step()
        for vm in down:
            if sim.api.vms[vm].should_run and not _serves(sim, vm):
                down[vm] += TICK
        news_at = max((entry.at for entry in sim.timeline), default=began)
        if sim.elapsed - began >= AT_LEAST_SECONDS and _at_rest(sim):
            return max(began, news_at)
        if sim.elapsed - news_at >= QUIET_SECONDS + sim.api.policy.recovery.stabilisation_seconds + _longest_wait(sim):
            break
    return sim.elapsed


def _longest_wait(sim: Simulation) -> float:
    boots = [server.boot_seconds for server in sim.world.servers.values()]
    return max([*boots, *sim.world.timing.guest_boots.values(), *sim.world.timing.copies.values()])


def _at_rest(sim: Simulation) -> bool:
    return sim.operator is not None and not any(invariants.at_rest(sim.operator, sim.records))


def _serves(sim: Simulation, vm: str) -> bool:
    """Its guest has booted, physically and by KubeVirt's word."""
    instance = sim.api.instances.get(vm)
    lives = {guest.instance_uid for guest in sim.world.guests_of(vm)}
    return instance is not None and instance.uid in lives and instance.phase is VmPhase.RUNNING


def _home(sim: Simulation, vm: str) -> str:
    return next((guest.server for guest in sim.world.guests_of(vm)), "")


def _vm(sim: Simulation, question: Question, vm: str, before: str, down: float) -> VmOutcome:
    runs, after = _serves(sim, vm), _home(sim, vm)
    because = ""
    if not runs:
        because = _what_is_waited_for(sim, vm, question.node)
    elif question.deed is Deed.DRAIN and after == question.node:
        because = _what_is_waited_for(sim, vm, question.node) or f"it is still on {after}"
    elif question.deed is Deed.FAIL and after == question.node:
        because = _what_keeps_it(sim, vm)
    return VmOutcome(vm, before, after if runs else "", down, runs, because)


def _what_keeps_it(sim: Simulation, vm: str) -> str:
    """A part that fails moves a VM only where the other server is the healthier one; else it stays, and all is well."""
    view = sim.operator.view if sim.operator else None
    seen = next((each for each in view.vms if each.key == vm), None) if view else None
    why = why_it_stays(view, seen, sim.now) if view and seen else ""
    return f"it stays on {seen.node}, the worse server: {why}" if why and seen else ""


def _what_is_waited_for(sim: Simulation, vm: str, node: str) -> str:
    """The last word of what is done to the VM, else to the node, whether it is still under way or has failed."""
    for target in (vm, node):
        told = [action for action in sim.records.all() if action.target == target and action.step is not None]
        unfinished = [action for action in told if action.phase is not ActionPhase.SUCCEEDED]
        if unfinished and unfinished[-1].step is not None:
            return unfinished[-1].step.message
    return _why_nothing_is_done(sim, node)


def _why_nothing_is_done(sim: Simulation, node: str) -> str:
    view = sim.operator.view if sim.operator is not None else None
    seen = view.node(node) if view is not None else None
    known = blockers(view, seen, sim.now) if view is not None and seen is not None else ()
    why = next((f": {blocker.message}" for blocker in known), "")
    return f"it does not run, and nothing is done about it{why}"


def _done(sim: Simulation, known: set[str], began: float) -> Iterator[Undertaking]:
    for action in sim.records.all():
        if action.name not in known:
            ended = None if action.finished_at is None else action.finished_at - began
            yield Undertaking(action.type, action.target, action.phase, action.created_at - began, ended)


def _estimates(view: PairView, question: Question) -> Iterator[Estimate]:
    """Those that the answer rests on."""
    there = [vm.key for vm in view.vms if vm.node == question.node]
    if question.deed in (Deed.CRASH, Deed.POWER_CUT):
        yield estimate(view, Phase.FENCE, question.node)
        yield from (estimate(view, Phase.BOOT, vm) for vm in there)
        yield estimate(view, Phase.SERVER_BOOT, question.node)
    else:
        yield from (estimate(view, Phase.MIGRATION, vm) for vm in there)
