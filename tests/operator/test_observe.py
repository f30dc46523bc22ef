"""From what the API server shows to what the rules see, field by field."""

from typing import Any

import pytest

from avance.core.components import ComponentKind
from avance.core.model import NodeView, PairView, RestartPriority, VmPhase, VmView
from avance.core.resources import Resources
from avance.kube.resources import AVANCE_PAIRS, LEASES, MIGRATIONS, NODES, PODS, PROTECTED_VMS, VIRTUAL_MACHINES, VMIS
from avance.operator.clock import from_api
from avance.operator.observe import PEER_WATCH_SECONDS, manifest
from tests.operator.objects import (
    NOTED,
    START,
    UUIDS,
    World,
    condition,
    instance,
    launcher,
    lease,
    machine,
    metadata,
    node,
    pair,
    protected_vm,
)

Object = dict[str, Any]
KIB = 1024


@pytest.fixture
def world() -> World:
    return World()


def view(world: World, **spec: Any) -> PairView:
    obj = world.put(AVANCE_PAIRS, pair(**spec))
    return world.observer.view(world.observer.pair(obj))


def seen_node(world: World, obj: Object, **spec: Any) -> NodeView:
    world.put(NODES, obj)
    [found] = view(world, **spec).nodes
    return found


def seen_vm(world: World, obj: Object | None = None) -> VmView:
    world.put(PROTECTED_VMS, obj or protected_vm())
    [found] = view(world).vms
    return found


# --- nodes ------------------------------------------------------------------------------------------------------------


def test_a_sound_node(world: World) -> None:
    world.put(LEASES, lease(), listed=True)
    found = seen_node(world, node())
    assert (found.name, found.uid, found.ready, found.boot_id) == ("node-a", "uid-node-a", "True", "boot-1")
    assert found.system_uuid == UUIDS["node-a"]
    assert found.heartbeat == "2026-05-01T10:00:00.000001Z"
    assert found.heard_at == START
    assert found.allocatable == Resources(15500, 65_000_000 * KIB)
    assert found.accepts_vms
    assert found.faults == ()
    assert not any((found.cordoned, found.closed, found.out_of_service, found.fence_agent))
    assert (found.hears_peer, found.peer_unreachable_since, found.power) == (None, None, None)


def test_a_node_that_has_only_just_been_registered_has_nothing_that_is_guessed(world: World) -> None:
    bare = {"metadata": metadata("node-a", labels={"avance.dev/pair": "site"})}
    found = seen_node(world, bare)
    assert (found.ready, found.boot_id, found.system_uuid, found.heartbeat) == ("", "", "", "")
    assert found.allocatable == Resources()
    assert not found.accepts_vms


def test_a_fault_names_its_component_and_is_as_old_as_it_was_seen(world: World) -> None:
    world.clock.go_on(7)
    message = "component=PSU2 state=failed part=870-12 serial=S9 detail=no input"
    found = seen_node(world, node("node-a", condition("PowerSupplyProblem", "True", message)))
    [fault] = found.faults
    assert (fault.kind, fault.component, fault.part, fault.serial) == (
        ComponentKind.POWER_SUPPLY,
        "PSU2",
        "870-12",
        "S9",
    )
    assert (fault.since, fault.observed_at) == (from_api(NOTED), START + 7)


@pytest.mark.parametrize("status", ["Unknown", "False", "", "true"])
def test_only_true_is_a_fault(world: World, status: str) -> None:
    assert seen_node(world, node("node-a", condition("PowerSupplyProblem", status))).faults == ()


def test_a_condition_of_ones_own_counts_once_it_is_mapped(world: World) -> None:
    strange = node("node-a", condition("FrequentReset", "True"))
    assert seen_node(world, strange).faults == ()
    [found] = view(world, health={"conditions": [{"type": "FrequentReset", "kind": "CPU", "weight": 7}]}).nodes
    assert [(fault.kind, fault.weight) for fault in found.faults] == [(ComponentKind.CPU, 7)]


@pytest.mark.parametrize(
    ("status", "hears", "since"), [("True", False, START), ("False", True, None), ("Unknown", None, None)]
)
def test_what_a_node_says_of_its_peer(world: World, status: str, hears: bool | None, since: float | None) -> None:
    found = seen_node(world, node("node-a", condition("PeerUnreachable", status)))
    assert (found.hears_peer, found.peer_unreachable_since) == (hears, since)
    assert found.faults == ()


@pytest.mark.parametrize("status", ["True", "False"])
def test_the_last_word_of_a_detector_that_was_killed_says_nothing_of_the_peer(world: World, status: str) -> None:
    def beat(minute: int) -> NodeView:
        said = condition("PeerUnreachable", status) | {"lastHeartbeatTime": f"2026-05-01T10:{minute:02d}:00Z"}
        return seen_node(world, node("node-a", said))

    beat(5)
    world.clock.go_on(600)
    beat(10)
    world.clock.go_on(PEER_WATCH_SECONDS)
    heard = status == "False"
    assert view(world).nodes[0].hears_peer is heard, "it may have missed a heartbeat or two"
    world.clock.go_on(1)
    assert view(world).nodes[0].hears_peer is None
    assert beat(25).hears_peer is heard, "it is back"


@pytest.mark.parametrize("heartbeat", [{}, {"lastHeartbeatTime": NOTED}])
def test_a_condition_that_a_person_has_set_stands_without_a_heartbeat(world: World, heartbeat: Object) -> None:
    seen_node(world, node("node-a", condition("PeerUnreachable", "False") | heartbeat))
    world.clock.go_on(10 * PEER_WATCH_SECONDS)
    assert view(world).nodes[0].hears_peer is True


def test_marks_on_a_node(world: World) -> None:
    marked = node(unschedulable=True, taints=[{"key": "node.kubernetes.io/out-of-service", "effect": "NoExecute"}])
    marked["metadata"]["annotations"] = {"avance.dev/closed": "cordoned-by-avance"}
    marked["metadata"]["labels"]["kubevirt.io/schedulable"] = "false"
    found = seen_node(world, marked)
    assert (found.cordoned, found.closed, found.out_of_service, found.accepts_vms) == (True, True, True, False)


def test_a_node_can_be_fenced_when_the_pair_says_how(world: World) -> None:
    entry = {"name": "node-a", "address": "https://bmc.example", "credentialsSecretName": "bmc"}
    assert seen_node(world, node(), fencing={"nodes": [entry]}).fence_agent


def test_only_nodes_with_every_label_are_of_the_pair(world: World) -> None:
    world.put(NODES, node("node-a"))
    world.put(NODES, node("node-b"))
    selector = {"avance.dev/pair": "site", "kubernetes.io/hostname": "node-b.example"}
    assert [each.name for each in view(world, nodeSelector=selector).nodes] == ["node-b"]


def test_the_nodes_of_the_control_plane_are_seen_whatever_their_labels_are_worth(world: World) -> None:
    for name, label, value in (
        ("cp-1", "control-plane", ""),
        ("cp-2", "etcd", "true"),
        ("cp-3", "arbiter", ""),
        ("cp-4", "worker", "true"),
    ):
        obj = node(name)
        obj["metadata"]["labels"] = {f"node-role.kubernetes.io/{label}": value}
        world.put(NODES, obj)
    world.quiet_pair()
    assert view(world).control_plane == ("cp-1", "cp-2", "cp-3")


# --- VMs --------------------------------------------------------------------------------------------------------------


def test_a_vm_that_nobody_has_made_yet(world: World) -> None:
    found = seen_vm(world, protected_vm(restartPriority="High", preferredNode="node-b", running=False))
    assert (found.key, found.should_run, found.exists, found.up_to_date) == ("shop/web", False, False, False)
    assert (found.priority, found.preferred_node) == (RestartPriority.HIGH, "node-b")
    assert (found.instance, found.migrations, found.prefers, found.last_node) == (None, (), "", "")
    assert found.needs == Resources(200, 4 * KIB**3 + 288 * KIB**2)


def test_a_running_vm(world: World) -> None:
    world.vm()
    [found] = view(world).vms
    assert found.instance is not None
    assert (found.instance.uid, found.instance.phase, found.node) == ("vmi-web", VmPhase.RUNNING, "node-a")
    assert (found.instance.ready, found.instance.migratable) == (True, True)
    assert found.instance.ended_at is None
    assert found.prefers == "node-a"
    assert found.needs == Resources(200, 4384 * KIB**2)


@pytest.mark.parametrize(
    ("written", "phase"),
    [
        ("Pending", VmPhase.PENDING),
        ("Scheduling", VmPhase.SCHEDULING),
        ("Succeeded", VmPhase.SUCCEEDED),
        ("Failed", VmPhase.FAILED),
        ("", VmPhase.PENDING),
        ("WaitingForSync", VmPhase.UNKNOWN),
    ],
)
def test_every_phase_and_those_that_are_new(world: World, written: str, phase: VmPhase) -> None:
    world.put(VMIS, instance(phase=written))
    found = seen_vm(world).instance
    assert found is not None
    assert found.phase is phase
    assert found.ended_at == (START if phase.final else None)


def test_an_instance_without_a_status_is_pending(world: World) -> None:
    world.put(VMIS, {"metadata": metadata("web", "shop"), "spec": {}})
    found = seen_vm(world).instance
    assert found is not None
    assert (found.phase, found.node, found.ready, found.migratable) == (VmPhase.PENDING, "", False, None)


def test_an_instance_that_cannot_move_says_why(world: World) -> None:
    pinned = instance()
    pinned["status"]["conditions"] = [condition("LiveMigratable", "False", "disk root is not shared")]
    pinned["status"]["evacuationNodeName"] = "node-a"
    world.put(VMIS, pinned)
    found = seen_vm(world).instance
    assert found is not None
    assert (found.migratable, found.not_migratable_because) == (False, "disk root is not shared")
    assert found.evacuate_from == "node-a"


def test_a_paused_instance(world: World) -> None:
    world.put(VMIS, instance("web", "node-a", "Running", "", condition("Paused", "True")))
    found = seen_vm(world).instance
    assert found is not None
    assert found.paused


def test_a_machine_is_up_to_date_when_it_holds_what_the_spec_asks_for(world: World) -> None:
    nodes = [world.put(NODES, node(name)) for name in UUIDS]
    vm = protected_vm()
    live = manifest(world.observer.protected_vm(vm), vm, nodes, "node-b")
    live["spec"]["template"]["spec"]["domain"]["firmware"] = {"uuid": "drawn by KubeVirt"}
    world.put(VIRTUAL_MACHINES, {**live, "metadata": {**live["metadata"], "uid": "uid-vm"}})
    assert seen_vm(world, vm).up_to_date
    world.put(PROTECTED_VMS, protected_vm(cores=4))
    assert not view(world).vms[0].up_to_date


def test_a_machine_prefers_by_node_name_whatever_the_hostname_labels_say(world: World) -> None:
    nodes = [world.put(NODES, node(name)) for name in UUIDS]
    vm = protected_vm()
    body = manifest(world.observer.protected_vm(vm), vm, nodes, "node-b")
    affinity = body["spec"]["template"]["spec"]["affinity"]["nodeAffinity"]
    [preferred] = affinity["preferredDuringSchedulingIgnoredDuringExecution"]
    assert preferred["preference"]["matchExpressions"][0]["values"] == ["node-b.example"]
    world.put(VIRTUAL_MACHINES, {**body, "metadata": {**body["metadata"], "uid": "uid-vm"}})
    assert seen_vm(world, vm).prefers == "node-b"


@pytest.mark.parametrize(
    ("printable", "blocked"),
    [
        ("Running", ""),
        ("Provisioning", ""),
        ("ErrorUnschedulable", "KubeVirt reports ErrorUnschedulable: no room"),
        ("ErrImagePull", "KubeVirt reports ErrImagePull: no room"),
        ("CrashLoopBackOff", "KubeVirt reports CrashLoopBackOff: no room"),
    ],
)
def test_why_kubevirt_cannot_start_it(world: World, printable: str, blocked: str) -> None:
    world.put(VIRTUAL_MACHINES, machine("web", "node-a", printable, condition("Ready", "False", "no room")))
    assert seen_vm(world).start_blocked == blocked


def test_where_it_ran_last_and_since_when_comes_from_its_status(world: World) -> None:
    status = {"primary": "node-b", "lastFailover": {"time": NOTED, "kind": "Graceful", "to": "node-b"}}
    found = seen_vm(world, protected_vm(status=status))
    assert (found.last_node, found.moved_at) == ("node-b", from_api(NOTED))
    world.put(PROTECTED_VMS, protected_vm(status=status | {"primary": "node-a"}))
    assert view(world).vms[0].moved_at is None


def test_its_migrations_whoever_made_them(world: World) -> None:
    def migration(name: str, status: Object) -> Object:
        return {"metadata": metadata(name, "shop"), "spec": {"vmiName": "web"}, "status": status}

    failed = {"phase": "Failed", "migrationState": {"failureReason": "target lost"}}
    world.put(MIGRATIONS, migration("by-a-person", failed))
    world.put(MIGRATIONS, migration("new", {}))
    found = {each.name: (each.phase, each.failure) for each in seen_vm(world).migrations}
    assert found == {"by-a-person": ("Failed", "target lost"), "new": ("", "")}


def test_every_launcher_pod_of_a_vm_is_seen(world: World) -> None:
    waiting = launcher(on="", phase="Pending", suffix="target")
    waiting["status"]["conditions"] = [condition("PodScheduled", "False", "0/3 nodes are available")]
    del waiting["spec"]["nodeName"]
    world.put(PROTECTED_VMS, protected_vm())
    world.put(PODS, launcher(suffix="source"))
    world.put(PODS, waiting)
    source, target = view(world).pods
    assert (source.vm, source.node, source.phase, source.instance_uid) == ("shop/web", "node-a", "Running", "vmi-web")
    assert (target.node, target.unschedulable, target.final) == ("", "0/3 nodes are available", False)


def test_a_vm_whose_spec_has_grown_needs_as_much_more(world: World) -> None:
    world.vm()
    world.put(PROTECTED_VMS, protected_vm(memory="6Gi", cores=3))
    running_now = instance()
    running_now["spec"] = {"domain": {"cpu": {"cores": 2}, "memory": {"guest": "4Gi"}}}
    world.put(VMIS, running_now)
    [found] = view(world).vms
    assert found.needs == Resources(300, (4384 + 2048) * KIB**2)


def test_admission_and_pauses_are_read_from_the_vm(world: World) -> None:
    admitted = {"conditions": [condition("Admitted", "True") | {"reason": "AsExpected"}]}
    pause = {"until": "2026-05-01T18:00:00Z", "reason": "by hand"}
    found = seen_vm(world, protected_vm(status=admitted, pause=pause))
    assert found.admitted
    assert found.pause is not None
    assert (found.pause.until, found.pause.reason) == (from_api("2026-05-01T18:00:00Z"), "by hand")
