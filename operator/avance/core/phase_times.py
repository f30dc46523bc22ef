"""How long each phase of a failover took on this pair, read off the recorded actions, and how long it is expected to.

What was never measured is expected to take its budget: the time that the phase may take at most on a sound site.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from statistics import median

from avance.core.model import ActionPhase, ActionType, ActionView, PairView

GIB = 1024**3


class Phase(StrEnum):
    FENCE = "Fence"
    """From the record that a server is held to be dead to the proof that it is off."""
    POWER_OFF = "PowerOff"
    """The part of it from the order to cut the power to the first `Off`."""
    RELEASE = "Release"
    """From that proof to KubeVirt's having ended a lost instance."""
    BOOT = "Boot"
    """From the order to start a VM to its running."""
    MIGRATION = "Migration"
    """From the start of the copy to the VM's running on the other server."""
    SERVER_BOOT = "ServerBoot"
    """From the moment in which a fenced server has power to its kubelet's being fit."""


BUDGETS: Mapping[Phase, float] = {
    Phase.FENCE: 30.0,
    Phase.POWER_OFF: 25.0,
    Phase.RELEASE: 10.0,
    Phase.BOOT: 60.0,
    Phase.MIGRATION: 10.0,  # a GiB of the VM's memory, over a link of 1 Gbit/s
    Phase.SERVER_BOOT: 300.0,
}
"""Seconds."""


_PARTS_OF_A_CRASH = (ActionType.FENCE, ActionType.COLD_RESTART)


@dataclass(frozen=True, slots=True)
class Sample:
    """One measured phase."""

    phase: Phase
    target: str
    seconds: float
    ended_at: float


@dataclass(frozen=True, slots=True)
class PhaseTime:
    """All measured times of one phase of a pair, in seconds."""

    phase: Phase
    last: float
    shortest: float
    median: float
    longest: float
    samples: int
    ended_at: float
    """When it was measured last."""


@dataclass(frozen=True, slots=True)
class CrashTimes:
    """How long each phase of one crash took, in seconds; of phases that every VM goes through, the slowest VM's."""

    node: str
    incident: str
    ended_at: float
    """When the last VM that has been restarted ran again; before the first, when the fence had ended."""
    phases: tuple[tuple[Phase, float], ...]


@dataclass(frozen=True, slots=True)
class Estimate:
    """How long a phase is expected to take."""

    phase: Phase
    target: str
    seconds: float
    samples: int
    """How many measurements it rests on; 0 means that it is the budget."""

    @property
    def basis(self) -> str:
        """In words."""
        times = "once" if self.samples == 1 else f"{self.samples} times"
        return f"measured {times}" if self.samples else "budget, never measured"


def measure(actions: Iterable[ActionView]) -> tuple[PhaseTime, ...]:
    """What the recorded actions say of each phase that ever came to its end."""
    taken: dict[Phase, list[Sample]] = {}
    for sample in _samples(actions):
        taken.setdefault(sample.phase, []).append(sample)
    return tuple(_summary(phase, taken[phase]) for phase in Phase if phase in taken)


def last_crash(actions: Iterable[ActionView]) -> CrashTimes | None:
    """The times of the newest crash whose server was proven off; None if none is on record."""
    known = tuple(actions)
    fences = [each for each in known if each.type is ActionType.FENCE and each.phase is ActionPhase.SUCCEEDED]
    if not fences:
        return None
    fence = max(fences, key=lambda action: action.finished_at or 0.0)
    parts = [each for each in known if each.incident == fence.incident and each.type in _PARTS_OF_A_CRASH]
    longest: dict[Phase, float] = {}
    ended_at = fence.finished_at or fence.created_at
    for sample in _samples(parts):
        longest[sample.phase] = max(sample.seconds, longest.get(sample.phase, 0.0))
        ended_at = max(ended_at, sample.ended_at)
    phases = tuple((phase, longest[phase]) for phase in Phase if phase in longest)
    return CrashTimes(fence.target, fence.incident, ended_at, phases)


def estimate(view: PairView, phase: Phase, target: str) -> Estimate:
    """What is expected for one server or VM: by its own measurements, else by those of the others, else the budget."""
    found = [sample for sample in _samples(view.actions) if sample.phase is phase]
    own = [sample for sample in found if sample.target == target] or found
    size = _gib(view, target) if phase is Phase.MIGRATION else 1.0
    if not own:
        return Estimate(phase, target, BUDGETS[phase] * max(1.0, size), 0)
    scaled = (sample.seconds * _ratio(view, sample.target, size) for sample in own)
    return Estimate(phase, target, median(scaled), len(own))


def _ratio(view: PairView, measured_on: str, size: float) -> float:
    """How much larger a VM is than the one that was measured; 1 when that is gone, and for all but VMs."""
    other = _gib(view, measured_on)
    return size / other if other and size != 1.0 else 1.0


def _gib(view: PairView, target: str) -> float:
    vm = view.vm(target)
    return vm.needs.memory_bytes / GIB if vm else 0.0


def _summary(phase: Phase, samples: list[Sample]) -> PhaseTime:
    seconds = [sample.seconds for sample in samples]
    last = max(samples, key=lambda sample: sample.ended_at)
    return PhaseTime(phase, last.seconds, min(seconds), median(seconds), max(seconds), len(seconds), last.ended_at)


def _samples(actions: Iterable[ActionView]) -> Iterator[Sample]:
    for action in actions:
        if action.phase is ActionPhase.SUCCEEDED and action.finished_at is not None:
            yield from _phases_of(action, action.finished_at)


def _phases_of(action: ActionView, finished_at: float) -> Iterator[Sample]:
    """The phases that an action that succeeded went through, in one go each."""
    match action.type:
        case ActionType.FENCE if action.evidence is not None:
            yield from _between(action, Phase.FENCE, action.created_at, action.started("Release"))
            yield from _between(action, Phase.POWER_OFF, action.started("PowerOff"), action.started("ConfirmOff"))
        case ActionType.COLD_RESTART:
            released = [at for at in map(action.started, ("WaitTurn", "Place", "Start")) if at is not None]
            yield from _between(action, Phase.RELEASE, action.created_at, min(released, default=None))
            yield from _between(action, Phase.BOOT, action.started("Start"), finished_at)
        case ActionType.START:
            yield from _between(action, Phase.BOOT, action.started("Start"), finished_at)
        case ActionType.MIGRATE:
            yield from _between(action, Phase.MIGRATION, action.started("Copy"), finished_at)
        case ActionType.REJOIN:
            fit = action.started("AwaitVirtHandler") or action.started("Stabilise")
            yield from _between(action, Phase.SERVER_BOOT, action.started("AwaitBoot"), fit)


def _between(action: ActionView, phase: Phase, began: float | None, ended: float | None) -> Iterator[Sample]:
    if began is not None and ended is not None and ended >= began:
        yield Sample(phase, action.target, ended - began, ended)
