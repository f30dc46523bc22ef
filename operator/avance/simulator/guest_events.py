"""What can happen inside guests, each as a sentence."""

from __future__ import annotations

from avance.simulator import guest_health
from avance.simulator.events import EVENTS
from avance.simulator.simulation import Simulation


@EVENTS.says("the guest of {vm} (?P<how>crashes|shuts itself down)")
def end_guest(sim: Simulation, vm: str, how: str) -> None:
    for guest in sim.world.guests_of(vm):
        sim.world.end_guest(guest, "crash" if how == "crashes" else "shutdown")


@EVENTS.says("the guest of {vm} panics")
def panic(sim: Simulation, vm: str) -> None:
    """QEMU learns of it only through a panic device; without one the guest just hangs."""
    if sim.api.vms[vm].panic_device:
        end_guest(sim, vm, "crashes")
    else:
        hang(sim, vm)


@EVENTS.says("the guest of {vm} hangs")
def hang(sim: Simulation, vm: str) -> None:
    for guest in sim.world.guests_of(vm):
        guest.mind.hung_at = sim.now


@EVENTS.says("the guest of {vm} reboots, which takes {number} s")
def reboot(sim: Simulation, vm: str, number: str) -> None:
    for guest in sim.world.guests_of(vm):
        guest_health.reboot(guest, sim.now, float(number))


@EVENTS.says("the guest agent of {vm} (?P<how>stops|starts again)")
def agent(sim: Simulation, vm: str, how: str) -> None:
    for guest in sim.world.guests_of(vm):
        guest.mind.agent_stopped = how == "stops"


@EVENTS.says("a snapshot of {vm} (?P<how>begins|ends)")
def snapshot(sim: Simulation, vm: str, how: str) -> None:
    """Its file systems are frozen meanwhile, and its agent with them."""
    for guest in sim.world.guests_of(vm):
        guest.mind.frozen = how == "begins"


@EVENTS.says("somebody (?P<how>pauses|resumes) the guest of {vm}")
def pause_guest(sim: Simulation, vm: str, how: str) -> None:
    for guest in sim.world.guests_of(vm):
        guest.mind.paused = how == "pauses"


@EVENTS.says(
    "from now on the guest of {vm} crashes while it boots",
    "from now on the guest of {vm} crashes while it boots on {node}",
)
def refuse_to_boot(sim: Simulation, vm: str, node: str = "") -> None:
    sim.kubevirt.refuse_to_boot(vm, node)


@EVENTS.says("from now on the guest of {vm} hangs as soon as it has booted")
def hang_once_up(sim: Simulation, vm: str) -> None:
    sim.kubevirt.hang_once_up(vm)


@EVENTS.says("from now on the guest of {vm} boots normally")
def boot_normally(sim: Simulation, vm: str) -> None:
    sim.kubevirt.boot_again(vm)
