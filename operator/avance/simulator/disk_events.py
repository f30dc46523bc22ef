"""What can happen to replicated disks, each as a sentence."""

from __future__ import annotations

from avance.simulator.disks import Disks
from avance.simulator.events import EVENTS, fail_part, repair_part
from avance.simulator.sentences import NotUnderstood
from avance.simulator.simulation import Simulation


@EVENTS.says("the disk of {node} is lost")
def lose_disk(sim: Simulation, node: str) -> None:
    fail_part(sim, "disk", node, "data")
    _disks(sim).lose(node)


@EVENTS.says("{node} has been replaced with empty disks", "the disk of {node} has been replaced by an empty one")
def replace_disk(sim: Simulation, node: str) -> None:
    repair_part(sim, "disk", node, "data")
    _disks(sim).replace(node)


@EVENTS.says("a volume of {vm} splits")
def split_volume(sim: Simulation, vm: str) -> None:
    _disks(sim).split(vm)


@EVENTS.says("the storage cannot be asked", "the storage can be asked (?P<again>again)")
def storage_silent(sim: Simulation, again: str = "") -> None:
    _disks(sim).error = "" if again else "the storage does not answer"


def _disks(sim: Simulation) -> Disks:
    if sim.disks is None:
        raise NotUnderstood("the disks of this pair are shared: write `storage: replicated` under `pair`")
    return sim.disks
