"""What must hold at every effect where disks are replicated. Each returns sentences, none if all is well."""

from __future__ import annotations

from collections.abc import Iterator

from avance.core.effects import CreateMigration, Effect, PowerOff, StartVm
from avance.core.model import PairView
from avance.core.storage import DiskState
from avance.simulator.disks import Disks
from avance.simulator.objects import Api
from avance.simulator.world import World


def of_an_effect_on_disks(disks: Disks, world: World, api: Api, view: PairView, effect: Effect) -> Iterator[str]:
    """Checked at the moment in which an effect is performed."""
    match effect:
        case StartVm(vm) if api.vms[vm].prefers:
            yield from start_is_from_the_newest_copy(disks, world, vm, api.vms[vm].prefers)
        case CreateMigration(vm=vm, destination=node):
            yield from move_is_to_a_good_copy(view, vm, node)
        case PowerOff(node):
            yield from only_copy_is_spared(disks, world, view, node)


def start_is_from_the_newest_copy(disks: Disks, world: World, vm: str, node: str) -> Iterator[str]:
    """No start from stale disks. What nobody could be asked of, the storage refuses if it knows better."""
    if disks.error and disks.refuses(vm, node):
        return
    newest = max(disks.generation_on(vm, server) for server in world.servers)
    if disks.generation_on(vm, node) < newest:
        yield f"{vm} is started on {node}, whose copy of its disks is not the newest"


def move_is_to_a_good_copy(view: PairView, vm: str, node: str) -> Iterator[str]:
    """A move only to a server whose copy the storage says to be up to date."""
    moved = view.vm(vm)
    if moved is None or moved.storage is None or moved.storage.state_on(node) is not DiskState.UP_TO_DATE:
        yield f"{vm} is moved to {node}, whose copy of its disks is not known to be up to date"


def only_copy_is_spared(disks: Disks, world: World, view: PairView, node: str) -> Iterator[str]:
    """The only good copy is never fenced by choice: a server that has it is off or has been silent for long."""
    server, seen = world.servers[node], view.node(node)
    silent_for = world.now - seen.heard_at if seen is not None else 0.0
    if server.up and silent_for < view.policy.storage.only_copy_patience_seconds:
        for vm in disks.only_copy_on(node):
            if any(guest.server == node for guest in world.guests_of(vm)):
                yield f"{node} is switched off while it runs {vm} and holds the only good copy of its disks"
