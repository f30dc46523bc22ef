"""The shell's part of evidence and storms: what is read off the objects of the cluster, and what is remembered."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from avance.core.model import NodeView, PairView
from avance.core.power import PowerReading
from avance.core.report import report
from avance.core.restraint import storm
from avance.kube.resources import AVANCE_PAIRS, LEASES, NODES, PODS
from avance.operator.marks import marks_of_others
from avance.operator.status import pair_status
from avance.operator.surroundings import SurroundingsWatch
from tests.operator.objects import PAIR, World, condition, launcher, lease, node

Object = dict[str, Any]


@pytest.fixture
def world() -> World:
    return World()


def view_of(world: World, pair: Object) -> PairView:
    return world.observer.view(world.observer.pair(pair))


def node_a(world: World, pair: Object) -> NodeView:
    return view_of(world, pair).nodes[0]


# ── signs of life ──


def with_heartbeat(name: str, at: str, virt_handler: str = "") -> Object:
    obj = node(name, {**condition("KernelDeadlock", "False"), "lastHeartbeatTime": at})
    obj["metadata"]["annotations"] = {"kubevirt.io/heartbeat": virt_handler} if virt_handler else {}
    return obj


def test_what_daemons_of_the_node_report_is_a_sign_of_life_too(world: World) -> None:
    pair = world.quiet_pair()
    world.put(NODES, with_heartbeat("node-a", "2026-05-01T10:00:00Z"))
    before = node_a(world, pair)
    world.clock.go_on(20)
    world.put(NODES, with_heartbeat("node-a", "2026-05-01T10:05:00Z"))
    detector = node_a(world, pair)
    assert detector.heard_at == world.clock.now()
    assert detector.heartbeat != before.heartbeat
    world.clock.go_on(20)
    world.put(NODES, with_heartbeat("node-a", "2026-05-01T10:05:00Z", "2026-05-01T10:06:00Z"))
    handler = node_a(world, pair)
    assert handler.heard_at == world.clock.now()
    assert handler.heartbeat != detector.heartbeat


def test_what_the_node_controller_writes_is_none(world: World) -> None:
    pair = world.quiet_pair()
    known = world.put(NODES, with_heartbeat("node-a", "2026-05-01T10:00:00Z"))
    before = node_a(world, pair)
    world.clock.go_on(60)
    lost = condition("Ready", "Unknown", since="2026-05-01T10:01:00Z")
    conditions = [lost, *known["status"]["conditions"][1:]]
    world.put(NODES, {**known, "status": {**known["status"], "conditions": conditions}})
    after = node_a(world, pair)
    assert (after.ready, after.heard_at, after.heartbeat) == ("Unknown", before.heard_at, before.heartbeat)


def test_the_last_words_of_a_kubelet_that_shuts_its_node_down(world: World) -> None:
    pair = world.quiet_pair()
    for ready, leaves in (
        (condition("Ready", "False", "node is shutting down"), True),
        (condition("Ready", "False", "container runtime is down"), False),
        (condition("Ready", "Unknown", "Kubelet stopped posting node status."), False),
    ):
        obj = node("node-a")
        world.put(NODES, {**obj, "status": {**obj["status"], "conditions": [ready]}})
        assert node_a(world, pair).shutting_down is leaves


@pytest.mark.parametrize(
    ("phase", "states", "by_kubelet"),
    [
        ("Succeeded", [{"terminated": {"exitCode": 0}}], True),
        ("Failed", [{"terminated": {"exitCode": 137}}, {"running": {}}], False),
        ("Failed", [], False),
        ("Running", [{"terminated": {"exitCode": 0}}], False),
    ],
)
def test_a_pod_has_ended_when_its_kubelet_says_so_of_every_container(
    world: World, phase: str, states: list[Object], by_kubelet: bool
) -> None:
    pair = world.quiet_pair()
    world.vm()
    pod = launcher("web", "node-a")
    pod["status"] = {"phase": phase, "containerStatuses": [{"name": "compute", "state": state} for state in states]}
    world.put(PODS, pod)
    assert view_of(world, pair).pods[0].ended_by_kubelet is by_kubelet


# ── other controllers ──


@pytest.mark.parametrize(
    ("labels", "annotations", "spec", "marks"),
    [
        ({}, {}, {}, []),
        ({"metal3.io/uuid": "1"}, {}, {}, ["metal3"]),
        ({}, {}, {"providerID": "metal3://1"}, ["metal3"]),
        ({"metal3.io/uuid": "1"}, {"avance.dev/power-authority": "avance"}, {}, []),
        ({}, {"is-reboot-capable.self-node-remediation.medik8s.io": "true"}, {},
         ["is-reboot-capable.self-node-remediation.medik8s.io"]),
        ({"remediation.medik8s.io/exclude-from-remediation": "true"},
         {"is-reboot-capable.self-node-remediation.medik8s.io": "true"}, {}, []),
        ({}, {"avance.dev/power-authority": "avance"},
         {"taints": [{"key": "medik8s.io/fence-agents-remediation", "effect": "NoExecute"}]},
         ["medik8s.io/fence-agents-remediation"]),
    ],
)  # fmt: skip
def test_marks_of_other_controllers_that_switch_power(
    world: World, labels: Object, annotations: Object, spec: Object, marks: list[str]
) -> None:
    pair = world.quiet_pair()
    obj = node("node-a", **spec)
    obj["metadata"]["labels"] |= labels
    obj["metadata"]["annotations"] = annotations
    assert list(marks_of_others(obj)) == marks
    world.put(NODES, obj)
    told = {each.type: each for each in report(view_of(world, pair), world.clock.now()).conditions}
    assert told["SolePowerAuthority"].holds is not bool(marks)


# ── storms ──


def others(world: World, *names: str, ready: str = "True", since: str = "") -> None:
    for name in names:
        obj = node(name)
        obj["metadata"]["labels"] = {}
        obj["status"]["conditions"] = [condition("Ready", ready, since=since or "2026-05-01T10:00:00Z")]
        world.put(NODES, obj)
        world.put(LEASES, lease(name))


def test_several_nodes_of_the_cluster_that_fall_silent_are_a_storm_until_some_time_after(world: World) -> None:
    pair = world.quiet_pair()
    others(world, "x", "y", "z")
    watch = SurroundingsWatch(world.store, world.clock)

    def look() -> PairView:
        return watch.around(pair, view_of(world, pair), world.clock.now())

    assert storm(look(), world.clock.now()) is None
    world.clock.go_on(20)
    for name in ("node-a", "node-b"):
        world.put(LEASES, lease(name, "2026-05-01T10:00:20.000001Z"))
    raging = look()
    assert (raging.surroundings.silent_nodes, raging.surroundings.other_nodes) == (3, 3)
    assert storm(raging, world.clock.now())
    world.clock.go_on(3)
    for name in ("x", "y", "z"):
        world.put(LEASES, lease(name, "2026-05-01T10:00:23.000001Z"))
    assert storm(look(), world.clock.now())
    world.clock.go_on(29)
    for name in ("node-a", "node-b", "x", "y", "z"):
        world.put(LEASES, lease(name, "2026-05-01T10:00:52.000001Z"))
    assert storm(look(), world.clock.now())
    world.clock.go_on(1)
    assert storm(look(), world.clock.now()) is None


def test_nodes_that_are_gone_for_long_are_no_storm(world: World) -> None:
    pair = world.quiet_pair()
    others(world, "x", "y", "z", ready="Unknown", since="1970-01-01T00:00:00Z")
    watch = SurroundingsWatch(world.store, world.clock)
    world.clock.go_on(20)
    assert watch.around(pair, view_of(world, pair), world.clock.now()).surroundings.silent_nodes == 0


def test_writes_that_are_not_answered_are_a_storm(world: World) -> None:
    pair = world.quiet_pair()
    watch = SurroundingsWatch(world.store, world.clock)
    watch.write_failed(PAIR)
    world.clock.go_on(3)
    watch.write_failed(PAIR)
    world.clock.go_on(2)
    assert storm(watch.around(pair, view_of(world, pair), world.clock.now()), world.clock.now())
    watch.write_answered(PAIR)
    calming = watch.around(pair, view_of(world, pair), world.clock.now())
    assert calming.surroundings.writes_fail_since is None
    assert calming.surroundings.storm_seen_at == world.clock.now()


def test_a_successor_goes_by_the_storm_that_the_status_tells(world: World) -> None:
    pair = world.quiet_pair()
    stormy = {**pair, "status": {"conditions": [{"type": "Calm", "status": "False"}]}}
    watch = SurroundingsWatch(world.store, world.clock)
    seen = watch.around(stormy, view_of(world, pair), world.clock.now())
    assert seen.surroundings.storm_seen_at == world.clock.now()
    assert seen.surroundings.in_charge_since == world.clock.now()


def test_a_bmc_that_lied_is_remembered_in_the_status_until_it_reads_on(world: World) -> None:
    pair = world.quiet_pair(fencing={"nodes": [
        {"name": "node-a", "address": "https://10.0.0.1", "credentialsSecretName": "bmc-a"}
    ]})  # fmt: skip
    world.clock.go_on(5)
    world.put(LEASES, lease("node-a", "2026-05-01T10:00:05.000001Z"))
    world.clock.go_on(5)
    off = PowerReading("Off", node_a(world, pair).system_uuid, world.clock.now(), "", "bmc-a")
    world.clock.go_on(1)
    world.put(LEASES, lease("node-a", "2026-05-01T10:00:11.000001Z"))
    world.clock.go_on(8)
    world.put(LEASES, lease("node-a", "2026-05-01T10:00:15.000001Z"))

    def told(reading: PowerReading, known: Object) -> Object:
        view = view_of(world, known)
        view = replace(view, nodes=(replace(view.nodes[0], power=reading), *view.nodes[1:]))
        now = world.clock.now()
        return pair_status(known.get("status") or {}, 1, view, report(view, now), now)

    status = told(off, pair)
    assert status["nodes"][0]["fence"]["path"]["liedAt"]
    assert status["nodes"][0]["fence"]["path"]["state"] == "Failed"
    remembered = world.put(AVANCE_PAIRS, {**pair, "status": status})
    assert node_a(world, remembered).bmc_lied
    on = PowerReading("On", off.system_uuid, world.clock.now(), "", "bmc-a")
    assert "liedAt" not in told(on, remembered)["nodes"][0]["fence"]["path"]
