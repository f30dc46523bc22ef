"""A simulation that begins as a real pair is seen now, so that the rules can be played forward from there.

What the view does not tell is taken to be ordinary: links that nobody reports down are up, guests whose instances run
do run. The records come along, so what is under way goes on. What was measured on the pair sets the simulated times.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from avance.core.channels import NotificationPolicy
from avance.core.components import PEER_UNREACHABLE
from avance.core.faults import Fault
from avance.core.fitness import private_link_up
from avance.core.history import NodeHistory
from avance.core.intents import crash_incident
from avance.core.kubevirt_health import KubeVirtHealth
from avance.core.liveness import reads_off, silent, standing_evidence
from avance.core.model import ActionView, InstanceView, NodeView, PairView, PodView, VmView
from avance.core.phase_times import Phase, estimate
from avance.core.power import same_system
from avance.core.provisioning import why_disks_keep_it
from avance.simulator.cluster import GRACE_SECONDS, RENEW_SECONDS
from avance.simulator.guest_health import AGENT_SECONDS
from avance.simulator.objects import Condition, Instance, Migration, NodeObject, Pod, VmObject
from avance.simulator.simulation import TICK, Simulation
from avance.simulator.surroundings import Around
from avance.simulator.timing import Timing
from avance.simulator.world import BmcMode, Mind, Server, State

OWN_BOOT_SECONDS = 2.0
OWN_COPY_SECONDS = 0.5
OWN_POWER_OFF_SECONDS = 0.5
"""What the simulation itself takes around these, by its ticks: a measured time holds it already."""


def simulation_of(view: PairView, now: float) -> Simulation:
    """A simulated pair in the state of this view, two nodes and all, on a clock that begins now."""
    servers = [(_server(view, node, now), node.allocatable) for node in view.nodes]
    policy = replace(view.policy, notifications=NotificationPolicy())  # whom it would be told to is not asked
    sim = Simulation(servers, (), policy, begins_at=now)
    sim.world.timing = timing_of(view)
    sim.world.private_link = private_link_up(view)
    health = view.surroundings.kubevirt or KubeVirtHealth()
    virt_api = health.installed and not health.api_failure
    sim.api.look_around(Around(virt_api=virt_api, virt_controller=not health.controller_silent))
    for node in view.nodes:
        if node.history.maintenance is not None:
            sim.records.histories[node.name] = NodeHistory(maintenance=node.history.maintenance)
        server = sim.world.servers[node.name]
        sim.api.put(sim.api.nodes, node.name, _node(node, server, silent(view, node, now), now))
    for vm in view.vms:
        _settle(sim, view, vm)
    for action in view.actions:
        sim.records.adopt(_translated(action, view, sim))
    return sim


def timing_of(view: PairView) -> Timing:
    """Simulated times by what was measured on the pair, by the budgets where nothing was."""
    boots = {vm.key: estimate(view, Phase.BOOT, vm.key).seconds for vm in view.vms}
    copies = {vm.key: estimate(view, Phase.MIGRATION, vm.key).seconds for vm in view.vms}
    return Timing(
        power_off=max(TICK, estimate(view, Phase.POWER_OFF, "").seconds - OWN_POWER_OFF_SECONDS),
        guest_boots={vm: max(TICK, seconds - OWN_BOOT_SECONDS) for vm, seconds in boots.items()},
        copies={vm: max(TICK, seconds - OWN_COPY_SECONDS) for vm, seconds in copies.items()},
    )


def _alike(kind: type[Any], seen: Any) -> dict[str, Any]:
    """What a view and the simulated object that it is a view of call by the same name."""
    return {each.name: getattr(seen, each.name) for each in fields(kind) if hasattr(seen, each.name)}


# ── servers ──


def _server(view: PairView, node: NodeView, now: float) -> Server:
    server = Server(node.name, node.system_uuid, estimate(view, Phase.SERVER_BOOT, node.name).seconds)
    server.detectors = node.hears_peer is not None
    server.bmc = _bmc(node)
    server.broken = {(fault.condition, fault.component): _message(fault) for fault in node.faults}
    server.virt_handler = node.accepts_vms or node.closed
    peer = view.peer(node.name)
    if reads_off(node) or standing_evidence(view, node.name):
        server.state = State.OFF
    elif silent(view, node, now) and peer is not None and peer.hears_peer:
        server.api_link = False
    elif silent(view, node, now):
        server.state = State.HUNG
    return server


def _bmc(node: NodeView) -> BmcMode:
    if node.power is None:
        return BmcMode.NORMAL
    if node.power.error:
        return BmcMode.REFUSE
    return BmcMode.NORMAL if same_system(node.power.system_uuid, node.system_uuid) else BmcMode.WRONG_SERVER


def _message(fault: Fault) -> str:
    if not fault.component:
        return fault.message
    fields = {"component": fault.component, "state": "failed", "part": fault.part, "serial": fault.serial}
    return " ".join(f"{field}={value}" for field, value in fields.items() if value) + f" detail={fault.message}"


def _node(node: NodeView, server: Server, quiet: bool, now: float) -> NodeObject:
    of_the_simulation = {
        "boot_id": server.boot_id,
        "renewed_at": now - (GRACE_SECONDS if quiet else RENEW_SECONDS),
        "conditions": _conditions(node, now),
        "cordoned_by_us": node.closed and node.cordoned,
        "vms_label": node.accepts_vms,
        "unready_since": None if node.ready == "True" else now,
    }
    return NodeObject(**{**_alike(NodeObject, node), **of_the_simulation})


def _conditions(node: NodeView, now: float) -> dict[str, Condition]:
    messages: dict[str, list[str]] = {}
    since: dict[str, float] = {}
    for fault in node.faults:
        messages.setdefault(fault.condition, []).append(_message(fault))
        since[fault.condition] = fault.since
    conditions = {type_: Condition("True", since[type_], "; ".join(parts)) for type_, parts in messages.items()}
    if node.hears_peer is not None:
        conditions[PEER_UNREACHABLE] = Condition("False" if node.hears_peer else "True", now)
    return conditions


# ── VMs ──


def _settle(sim: Simulation, view: PairView, vm: VmView) -> None:
    known = VmObject(**_alike(VmObject, vm))
    # Nobody knows when a disk that is being made will be there, so a VM that waits for one is left as it is.
    waits = vm.instance is None and bool(why_disks_keep_it(vm.provisioning))
    sim.api.put(sim.api.vms, vm.key, replace(known, should_run=known.should_run and not waits))
    if sim.disks is not None and vm.storage is not None:
        sim.disks.add(vm.key)
        sim.disks.as_seen(vm.key, vm.storage, vm.written.holders if vm.written else ())
    if vm.instance is not None:
        _live(sim, view, vm, vm.instance)


def _live(sim: Simulation, view: PairView, vm: VmView, instance: InstanceView) -> None:
    """Its instance, the launcher pod that it lives in, and the guest; the pods of a migration are made anew."""
    of_the_simulation = {"vm": vm.key, "entered_at": sim.now, "migratable": instance.migratable is not False}
    live = Instance(**{**_alike(Instance, instance), **of_the_simulation})
    sim.api.put(sim.api.instances, vm.key, live)
    homes = [pod for pod in view.pods_of(vm.key) if instance.node in ("", pod.node)]
    if not homes and vm.running:
        homes = [PodView(vm.namespace, f"launcher-{vm.name}", "", vm.key, instance.uid, instance.node, "Running")]
    for pod in homes:
        _hold(sim, vm, pod)
    if any(not migration.final for migration in vm.migrations):
        _migrate(sim, view, vm, instance)


def _mind(vm: VmView, now: float) -> Mind:
    """A guest that runs has booted, and one whose check is not answered hangs."""
    instance = vm.instance
    silent_at = instance.signs.silent_since if instance else None
    return Mind(
        hung_at=silent_at,
        paused=instance is not None and instance.paused,
        up_at=now - AGENT_SECONDS,
        answered=bool(vm.answered),
        silent_at=silent_at,
    )


def _hold(sim: Simulation, vm: VmView, pod: PodView) -> None:
    server = sim.world.servers.get(pod.node)
    boot_id = server.boot_id if server else ""
    uid = pod.uid or sim.api.uid("virt-launcher")
    known = Pod(uid, pod.name, vm.key, pod.instance_uid, vm.needs, sim.now, pod.node, boot_id, phase=pod.phase)
    sim.api.put(sim.api.pods, uid, known)
    if server is None or not vm.running or pod.phase != "Running" or pod.node != vm.node:
        return
    guest = sim.world.start_guest(vm.key, pod.instance_uid, uid, pod.node, _mind(vm, sim.now))
    if server.state is not State.UP:
        sim.world.end_guest(guest, "power")


def _migrate(sim: Simulation, view: PairView, vm: VmView, instance: InstanceView) -> None:
    name = next(migration.name for migration in vm.migrations if not migration.final)
    target = view.peer(instance.node)
    if target is not None:
        patience = view.policy.migration.unschedulable_seconds
        copy = Migration(name, vm.key, instance.uid, instance.node, target.name, patience, "Pending", sim.now)
        sim.api.put(sim.api.migrations, name, copy)


# ── records ──


def _translated(action: ActionView, view: PairView, sim: Simulation) -> ActionView:
    """Evidence, and the name of a crash, say which life of a node they mean: the simulated one has another name."""
    for node in view.nodes:
        known = sim.api.nodes[node.name]
        boot_id, heartbeat = known.boot_id, str(known.renewed_at)
        twin = replace(node, uid=f"uid-{node.name}", boot_id=boot_id, heartbeat=heartbeat)
        if action.incident == crash_incident(node):
            action = replace(action, incident=crash_incident(twin))
        if action.evidence is not None and action.evidence == standing_evidence(view, node.name):
            action = replace(action, evidence=replace(action.evidence, boot_id=boot_id, heartbeat=heartbeat))
    return action
