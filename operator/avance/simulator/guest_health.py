"""What goes on inside guests, and what kubelet and virt-handler of a connected node tell the API of it."""

from __future__ import annotations

from avance.simulator.objects import Api, Instance
from avance.simulator.world import Guest, Server, World

AGENT_SECONDS = 2.0
"""From the end of a boot until the guest answers."""
WATCHDOG_SECONDS = 30.0
"""From a hang until the watchdog device fires."""


def tick(api: Api, world: World, now: float) -> None:
    """Let watchdogs bite, and keep the time of every silence."""
    for guest in world.ledger:
        if not guest.runs:
            continue
        _watchdog(api, world, guest, now)
        mind = guest.mind
        if answers(guest, now):
            mind.silent_at, mind.answered = None, True
        elif mind.silent_at is None:
            mind.silent_at = now


def reboot(guest: Guest, now: float, seconds: float) -> None:
    """Inside the same instance: KubeVirt sees only that the agent leaves."""
    guest.mind.hung_at = None
    guest.mind.up_at = now + seconds


def answers(guest: Guest, now: float) -> bool:
    """It answers its health check."""
    mind = guest.mind
    return now >= mind.up_at + AGENT_SECONDS and not (mind.still or mind.frozen or mind.agent_stopped)


def report(api: Api, server: Server, guest: Guest, instance: Instance, now: float) -> None:
    """A hung guest's channel to its agent stays connected; only the ping through it fails."""
    mind = guest.mind
    if server.virt_handler:
        up = now >= mind.up_at + AGENT_SECONDS
        api.change(
            api.instances, instance.vm, agent=up and not mind.agent_stopped, paused=mind.paused, frozen=mind.frozen
        )
    vm = api.vms.get(instance.vm)
    if vm is None or vm.health_check is None:
        return
    # Of a guest that has just begun the kubelet knows no answer yet; later it bears some silence.
    patience = vm.health_check.patience_seconds if mind.answered else 0.0
    silent = mind.silent_at is not None and now - mind.silent_at >= patience
    api.change(api.instances, instance.vm, probe_failed=silent)


def _watchdog(api: Api, world: World, guest: Guest, now: float) -> None:
    vm = api.vms.get(guest.vm)
    hung_at = guest.mind.hung_at
    if vm is None or not vm.watchdog or hung_at is None or now - hung_at < WATCHDOG_SECONDS:
        return
    if vm.watchdog == "Reset":
        reboot(guest, now, world.timing.boot_of(guest.vm))
    else:
        world.end_guest(guest, "crash")
