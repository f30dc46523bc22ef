"""What can happen in a scenario, each as a sentence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from avance.core.components import COMPONENT_CLASSES, CONDITION_KINDS, ComponentKind
from avance.core.model import ActionType
from avance.core.policy import Mode, Pause
from avance.simulator.live_migration import Trouble
from avance.simulator.sentences import Language, memory, seconds
from avance.simulator.simulation import EPOCH, Simulation
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


@EVENTS.says(
    f"{_PART}(?: (?P<component>\\S+))? of {{node}} fails until it reboots",
    words="PART [COMPONENT] of NODE fails until it reboots",
)
def fail_part_until_boot(sim: Simulation, part: str, node: str, component: str = "") -> None:
    fail_part(sim, part, node, component)
    sim.world.servers[node].cured_by_boot.append(lambda: repair_part(sim, part, node, component))


@EVENTS.says("the detectors of {node} (?P<how>hang|report again)")
def detectors(sim: Simulation, node: str, how: str) -> None:
    sim.world.servers[node].detectors_hang = how == "hang"


@EVENTS.says("the detector of {node} (?P<how>goes deaf|hears again)")
def deaf(sim: Simulation, node: str, how: str) -> None:
    sim.world.servers[node].deaf = how == "goes deaf"
    if how == "hears again":
        sim.cluster.restart_detectors(node)


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


@EVENTS.says("{node} loses its public network until it reboots")
def public_network_until_boot(sim: Simulation, node: str) -> None:
    public_network(sim, node)
    sim.world.servers[node].cured_by_boot.append(lambda: public_network(sim, node, "again"))


@EVENTS.says("the private link is cut until {node} reboots")
def private_link_until_boot(sim: Simulation, node: str) -> None:
    private_link(sim, "cut")
    sim.world.servers[node].cured_by_boot.append(lambda: private_link(sim, "back"))


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


@EVENTS.says("from now on migrations of {vm} (?P<how>fail|stall|succeed)")
def migration_trouble(sim: Simulation, vm: str, how: str) -> None:
    sim.kubevirt.migrations.trouble.pop(vm, None)
    if how != "succeed":
        sim.kubevirt.migrations.trouble[vm] = Trouble(f"{how}s")


@EVENTS.says("{vm} cannot be live-migrated any more")
def not_migratable(sim: Simulation, vm: str) -> None:
    if vm in sim.api.instances:
        sim.api.change(sim.api.instances, vm, migratable=False, not_migratable_because="a disk of it cannot be shared")


# ── people ──


@EVENTS.says("the pair is paused until {time}", "{vm} is paused until {time}")
def pause(sim: Simulation, time: str, vm: str = "") -> None:
    order = Pause(EPOCH + seconds(time), "as the scenario has it")
    if vm:
        sim.api.change(sim.api.vms, vm, pause=order)
    else:
        sim.api.edit_pair(replace(sim.api.policy, pause=order))


@EVENTS.says("somebody ends the pause", "somebody ends the pause of {vm}")
def end_pause(sim: Simulation, vm: str = "") -> None:
    if vm:
        sim.api.change(sim.api.vms, vm, pause=None)
    else:
        sim.api.edit_pair(replace(sim.api.policy, pause=None))


@EVENTS.says("somebody sets the mode to (?P<mode>Automatic|Observe)")
def set_mode(sim: Simulation, mode: str) -> None:
    sim.api.edit_pair(replace(sim.api.policy, mode=Mode(mode)))


@EVENTS.says("somebody says that {vm} shall run", "somebody says that {vm} shall (?P<off>not) run")
def set_running(sim: Simulation, vm: str, off: str = "") -> None:
    edit_spec(sim, vm, should_run=not off)


@EVENTS.says("somebody edits the spec of {vm}")
def edit_spec(sim: Simulation, vm: str, **fields: object) -> None:
    """Some field of it, whichever."""
    if vm in sim.api.vms:
        sim.api.change(sim.api.vms, vm, generation=sim.api.vms[vm].generation + 1, **fields)


@EVENTS.says("somebody deletes {vm}")
def delete_vm(sim: Simulation, vm: str) -> None:
    sim.kubevirt.delete(vm, sim.now)


@EVENTS.says("{node} (?P<how>shrinks|grows) to {size}")
def resize_server(sim: Simulation, node: str, how: str, size: str) -> None:
    old = sim.api.nodes[node].allocatable
    sim.api.change(sim.api.nodes, node, allocatable=replace(old, memory_bytes=memory(size)))


@EVENTS.says("somebody gives {vm} {size} of memory")
def resize_vm(sim: Simulation, vm: str, size: str) -> None:
    """Its next start takes it; what runs stays as it is."""
    needs = sim.api.vms[vm].needs
    sim.api.change(sim.api.vms, vm, needs=replace(needs, memory_bytes=memory(size)))


@EVENTS.says("somebody evicts {vm}")
def evict(sim: Simulation, vm: str) -> None:
    instance = sim.api.instances.get(vm)
    if instance is not None and not instance.phase.final:
        sim.api.change(sim.api.instances, vm, evacuate_from=instance.node)


@EVENTS.says("somebody drains {node}", "somebody (?P<ends>gives up draining) {node}")
def drain(sim: Simulation, node: str, ends: str = "") -> None:
    """`kubectl drain`: cordons, evicts every VM there, and again what is left every 5 s, until it is stopped."""
    if ends:
        sim.kubevirt.drained.discard(node)
        return
    cordon(sim, node)
    sim.kubevirt.drained.add(node)


@EVENTS.says("KubeVirt updates the workload of {vm}")
def update_workload(sim: Simulation, vm: str) -> None:
    """Its launcher is of an older release: virt-controller moves it by itself, as often as that takes."""
    sim.kubevirt.outdated[vm] = sim.now


@EVENTS.says("somebody force-deletes the pods of {vm}")
def force_delete(sim: Simulation, vm: str) -> None:
    for pod in sim.api.pods_of(vm):
        sim.api.remove(sim.api.pods, pod.uid)


@EVENTS.says("somebody cordons {node}", "somebody (?P<un>uncordons) {node}")
def cordon(sim: Simulation, node: str, un: str = "") -> None:
    sim.api.change(sim.api.nodes, node, cordoned=not un, cordoned_by_us=False)
    if un:
        sim.kubevirt.drained.discard(node)


@EVENTS.says("somebody asks to restart {vm}")
def ask_restart(sim: Simulation, vm: str) -> None:
    sim.records.request(ActionType.RESTART, vm, "", sim.now)
    _wake(sim)


@EVENTS.says("somebody asks to move {vm} to {node}")
def ask_move(sim: Simulation, vm: str, node: str) -> None:
    sim.records.request(ActionType.MIGRATE, vm, node, sim.now)
    _wake(sim)


@EVENTS.says("somebody asks to reboot {node}")
def ask_reboot(sim: Simulation, node: str) -> None:
    _ask_of_node(sim, ActionType.REBOOT, node)


@EVENTS.says("somebody declares {node} down")
def ask_declare_down(sim: Simulation, node: str) -> None:
    _ask_of_node(sim, ActionType.DECLARE_DOWN, node)


@EVENTS.says("somebody resets the MTBF of {node}")
def ask_reset_mtbf(sim: Simulation, node: str) -> None:
    _ask_of_node(sim, ActionType.RESET_MTBF, node)


def _ask_of_node(sim: Simulation, type_: ActionType, node: str) -> None:
    sim.records.request(type_, node, "", sim.now)
    _wake(sim)


def _wake(sim: Simulation) -> None:
    """A new record is seen like any other change of the API."""
    sim.api.version += 1


def _end_maintenance(sim: Simulation, node: str) -> None:
    """Whoever works on it, or wants to, gives it back, switched on."""
    asked = any(a.type is ActionType.ENTER_MAINTENANCE and a.target == node and a.open for a in sim.records.all())
    held = node in sim.records.in_maintenance()
    if held and not sim.world.servers[node].up:
        sim.world.reset(node)
    if held or asked:
        _ask_of_node(sim, ActionType.LEAVE_MAINTENANCE, node)


def _end_planned_work(sim: Simulation) -> None:
    """Whoever works on a server, drains it, or upgrades the pair or KubeVirt ends that."""
    sim.kubevirt.drained.clear()
    sim.kubevirt.outdated.clear()
    for node in sim.world.servers:
        _end_maintenance(sim, node)
    if any(action.type is ActionType.ROLLING_UPGRADE and action.open for action in sim.records.all()):
        sim.records.ask_of_pair(ActionType.ABORT_UPGRADE, sim.now)


@EVENTS.says("everything is mended")
def mend_everything(sim: Simulation) -> None:
    """Every fault is healed, and a person says that both servers are to be trusted again, and given-up VMs too.

    A server without power or with a dead kernel is left to the operator, unless both are.
    """
    if all(server.state in (State.OFF, State.HUNG) for server in sim.world.servers.values()):
        for name in sim.world.servers:
            sim.world.reset(name)
    sim.world.private_link = True
    for server in sim.world.servers.values():
        server.broken.clear()
        server.cured_by_boot.clear()
        server.api_link = server.public_link = server.kubelet = server.virt_handler = True
        server.detectors_hang = False
        server.deaf = False
        sim.cluster.restart_detectors(server.name)
        if server.bmc is BmcMode.LIE_OFF and not server.up:
            sim.world.reset(server.name)  # nothing that this BMC says would be believed before it has read On
        sim.world.mend_bmc(server.name)
        ask_reset_mtbf(sim, server.name)
        sim.api.change(sim.api.nodes, server.name, cordoned=sim.api.nodes[server.name].cordoned_by_us, fence_agent=True)
    _end_planned_work(sim)
    sim.api.edit_pair(replace(sim.api.policy, pause=None, mode=Mode.AUTOMATIC))
    sim.api.look_around(replace(sim.api.around, takes_writes=True, virt_api=True, virt_controller=True))
    for vm in sim.api.vms:
        sim.api.change(sim.api.vms, vm, pause=None)
        sim.kubevirt.boot_again(vm)
        sim.kubevirt.migrations.trouble.pop(vm, None)
        for guest in sim.world.guests_of(vm):
            guest.mind.paused = guest.mind.frozen = guest.mind.agent_stopped = False
        if any(action.type is ActionType.GIVE_UP and action.target == vm for action in sim.records.all()):
            ask_restart(sim, vm)
    for vm in sim.disks.mend() if sim.disks else ():
        sim.api.change(sim.api.vms, vm, written=None)  # who restores a backup forgets what was written last
    sim.operator_may_run = True
    sim.let_go_on()
    if sim.operator is not None:
        sim.operator.reaches_api = True
    sim.held_up.clear()
    sim.boundary = lambda where: None
