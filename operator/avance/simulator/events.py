"""What can happen in a scenario, each as a sentence."""

from __future__ import annotations

from collections.abc import Callable

from avance.core.components import COMPONENT_CLASSES, CONDITION_KINDS, ComponentKind
from avance.core.model import ActionType
from avance.simulator.live_migration import Trouble
from avance.simulator.operator import Killed
from avance.simulator.sentences import Language
from avance.simulator.simulation import Simulation
from avance.simulator.world import BmcMode, State

EVENTS: Language[Callable[..., None]] = Language("event")

REPORTED_BY = {kind: condition for condition, kind in reversed(CONDITION_KINDS.items())}
"""The condition by which our own detectors report each kind of component."""
PARTS = {
    component.noun: REPORTED_BY[kind]
    for kind, component in COMPONENT_CLASSES.items()
    if kind in REPORTED_BY and kind not in (ComponentKind.PRIVATE_LINK, ComponentKind.PUBLIC_NETWORK)
}
_PART = "(?P<part>" + "|".join(PARTS) + ")"


def happen(sim: Simulation, sentence: str) -> None:
    """Let it happen. Raises NotUnderstood."""
    sim.tell("event", sentence)
    meaning, gaps = EVENTS.understand(sentence)
    if "vm" in gaps:
        gaps["vm"] = f"default/{gaps['vm']}"
    meaning(sim, **gaps)


# ── parts ──


@EVENTS.says(f"{_PART}(?: (?P<component>\\S+))? of {{node}} fails", words="PART [COMPONENT] of NODE fails")
def fail_part(sim: Simulation, part: str, node: str, component: str = "") -> None:
    about = f"component={component} state=failed detail=as the scenario has it" if component else f"{part} failed"
    sim.world.servers[node].broken[(PARTS[part], component)] = about


@EVENTS.says(f"{_PART}(?: (?P<component>\\S+))? of {{node}} is repaired", words="PART [COMPONENT] of NODE is repaired")
def repair_part(sim: Simulation, part: str, node: str, component: str = "") -> None:
    sim.world.servers[node].broken.pop((PARTS[part], component), None)


# ── servers ──


@EVENTS.says("{node} loses its power")
def lose_power(sim: Simulation, node: str) -> None:
    sim.world.cut_power(node)


@EVENTS.says("{node} crashes")
def crash(sim: Simulation, node: str) -> None:
    sim.world.hang(node)


@EVENTS.says("{node} reboots")
def reboot(sim: Simulation, node: str) -> None:
    sim.world.reset(node)


@EVENTS.says("somebody switches {node} on")
def switch_on(sim: Simulation, node: str) -> None:
    sim.world.switch_on(node)


@EVENTS.says("the kubelet of {node} (?P<how>stops|starts again)")
def kubelet(sim: Simulation, node: str, how: str) -> None:
    sim.world.servers[node].kubelet = how != "stops"


@EVENTS.says("virt-handler of {node} (?P<how>stops|starts again)")
def virt_handler(sim: Simulation, node: str, how: str) -> None:
    sim.world.servers[node].virt_handler = how != "stops"


# ── links ──


@EVENTS.says("the private link is (?P<how>cut|back)")
def private_link(sim: Simulation, how: str) -> None:
    sim.world.private_link = how == "back"


@EVENTS.says("{node} loses its public network", "{node} has its public network (?P<back>again)")
def public_network(sim: Simulation, node: str, back: str = "") -> None:
    sim.world.servers[node].public_link = bool(back)


@EVENTS.says("{node} loses the API", "{node} reaches the API (?P<back>again)")
def api_link(sim: Simulation, node: str, back: str = "") -> None:
    sim.world.servers[node].api_link = bool(back)


@EVENTS.says("{node} is cut off from everything", "{node} is connected (?P<back>again)")
def cut_off(sim: Simulation, node: str, back: str = "") -> None:
    sim.world.private_link = bool(back)
    public_network(sim, node, back)
    api_link(sim, node, back)


@EVENTS.says("the API goes silent", "the API is (?P<back>back)")
def api_silent(sim: Simulation, back: str = "") -> None:
    for server in sim.world.servers.values():
        server.api_link = bool(back)


# ── management controllers ──


@EVENTS.says("the BMC of {node} (?P<mode>" + "|".join(BmcMode) + ")", words="the BMC of NODE MODE")
def bmc(sim: Simulation, node: str, mode: str) -> None:
    sim.world.mend_bmc(node)
    sim.world.servers[node].bmc = BmcMode(mode)


# ── VMs ──


@EVENTS.says("the guest of {vm} (?P<how>crashes|shuts itself down)")
def end_guest(sim: Simulation, vm: str, how: str) -> None:
    for guest in sim.world.guests_of(vm):
        sim.world.end_guest(guest, "crash" if how == "crashes" else "shutdown")


@EVENTS.says("from now on the guest of {vm} crashes while it boots")
def refuse_to_boot(sim: Simulation, vm: str) -> None:
    sim.kubevirt.refuse_to_boot(vm)


@EVENTS.says("from now on the guest of {vm} boots normally")
def boot_normally(sim: Simulation, vm: str) -> None:
    sim.kubevirt.boot_again(vm)


@EVENTS.says("from now on migrations of {vm} (?P<how>fail|stall|succeed)")
def migration_trouble(sim: Simulation, vm: str, how: str) -> None:
    sim.kubevirt.migrations.trouble.pop(vm, None)
    if how != "succeed":
        sim.kubevirt.migrations.trouble[vm] = Trouble(f"{how}s")


@EVENTS.says("{vm} cannot be live-migrated any more")
def not_migratable(sim: Simulation, vm: str) -> None:
    if vm in sim.api.instances:
        sim.api.change(sim.api.instances, vm, migratable=False)


# ── people ──


@EVENTS.says("somebody says that {vm} shall run", "somebody says that {vm} shall (?P<off>not) run")
def set_running(sim: Simulation, vm: str, off: str = "") -> None:
    sim.api.change(sim.api.vms, vm, should_run=not off)


@EVENTS.says("somebody evicts {vm}")
def evict(sim: Simulation, vm: str) -> None:
    instance = sim.api.instances.get(vm)
    if instance is not None and not instance.phase.final:
        sim.api.change(sim.api.instances, vm, evacuate_from=instance.node)


@EVENTS.says("somebody force-deletes the pods of {vm}")
def force_delete(sim: Simulation, vm: str) -> None:
    for pod in sim.api.pods_of(vm):
        sim.api.remove(sim.api.pods, pod.uid)


@EVENTS.says("somebody cordons {node}", "somebody (?P<un>uncordons) {node}")
def cordon(sim: Simulation, node: str, un: str = "") -> None:
    sim.api.change(sim.api.nodes, node, cordoned=not un, cordoned_by_us=False)


@EVENTS.says("somebody asks to restart {vm}")
def ask_restart(sim: Simulation, vm: str) -> None:
    sim.records.request(ActionType.RESTART, vm, "", sim.now)
    _wake(sim)


@EVENTS.says("somebody asks to move {vm} to {node}")
def ask_move(sim: Simulation, vm: str, node: str) -> None:
    sim.records.request(ActionType.MIGRATE, vm, node, sim.now)
    _wake(sim)


def _wake(sim: Simulation) -> None:
    """A new record is seen like any other change of the API."""
    sim.api.version += 1


# ── the operator ──


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
    _kill_at(sim, f"{when} {type}")


@EVENTS.says("the operator will be killed when it records a {type}")
def kill_at_record(sim: Simulation, type: str) -> None:
    _kill_at(sim, f"record {type}")


def _kill_at(sim: Simulation, place: str) -> None:
    def boundary(where: str) -> None:
        if where == place:
            sim.boundary = lambda _: None
            raise Killed(where)

    sim.boundary = boundary


@EVENTS.says("everything is mended")
def mend_everything(sim: Simulation) -> None:
    """Every fault is healed. A server without power or with a dead kernel is left to the operator, unless both are."""
    if all(server.state in (State.OFF, State.HUNG) for server in sim.world.servers.values()):
        for name in sim.world.servers:
            sim.world.reset(name)
    sim.world.private_link = True
    for server in sim.world.servers.values():
        server.broken.clear()
        server.api_link = server.public_link = server.kubelet = server.virt_handler = True
        sim.world.mend_bmc(server.name)
        sim.api.change(sim.api.nodes, server.name, cordoned=sim.api.nodes[server.name].cordoned_by_us)
    for vm in sim.api.vms:
        sim.kubevirt.boot_again(vm)
        sim.kubevirt.migrations.trouble.pop(vm, None)
    sim.operator_may_run = True
