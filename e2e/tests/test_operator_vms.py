"""VMs under the operator's care while both servers are well: placed, started, stopped, edited, restarted, evicted."""

import asyncio
import json
from datetime import datetime

import pytest

from e2e.tests.operator_lab import Site, fresh_site, one_site_a_session, refused  # noqa: F401
from e2e.tests.operator_records import BACKUP, PODS, PRIMARY

pytestmark = pytest.mark.timeout(120)


async def test_vms_start_on_one_node_and_the_other_is_the_spare(site: Site) -> None:
    """Consolidated by default, each started once; `kubectl get pvm` answers "is it all right?"."""
    await site.apply_pair(mode="Observe")
    for name, tier in (("low", "Low"), ("medium", "Medium"), ("high", "High")):
        await site.apply_vm(name, restartPriority=tier)
    await site.pair_is("Observing")
    await site.apply_pair()
    await site.vms_run_on(PRIMARY)
    assert sorted(start.target for start in await site.actions("Start")) == ["high", "low", "medium"]
    status = await site.pair_status()
    assert status["primary"] == PRIMARY
    assert status["vmCount"] == "3/8"
    shown = await site.lab.control_plane.kubectl("get", "pvm", "high", "--no-headers")
    assert shown.split()[:5] == ["high", "Running", PRIMARY, BACKUP, "True"]


async def test_a_preferred_node_outweighs_the_policy(site: Site) -> None:
    """preferredNode: node of the pair that the VM runs on when both are equally fit."""
    await site.running_vms("web")
    await site.running_vms("db", on=BACKUP, preferredNode=BACKUP)


async def test_running_false_shuts_the_guest_down_and_true_starts_it_again(site: Site) -> None:
    """`running`: whether the VM shall run. False shuts it down."""
    await site.running_vms("web")
    await site.edit_vm("web", running=False)
    await site.action("Stop", "web")
    assert site.runs("web")[-1]["ended"]
    await site.edit_vm("web", running=True)
    await site.vms_run_on(PRIMARY)
    assert len(site.runs("web")) == 2


async def test_an_edit_reaches_the_virtual_machine_and_the_guest_runs_on(site: Site) -> None:
    """The operator owns one VirtualMachine for each ProtectedVM; what it does not name comes from the overlay."""
    await site.running_vms("web")
    await site.edit_vm(
        "web", cores=3, template={"metadata": {"labels": {"team": "red"}}, "spec": {"hostname": "front"}}
    )

    async def edited() -> bool:
        template = (await site.virtual_machine("web"))["spec"]["template"]
        found = (
            template["spec"]["domain"]["cpu"]["cores"],
            template["spec"].get("hostname"),
            template["metadata"]["labels"].get("team"),
        )
        return bool(found == (3, "front", "red"))

    await site.until(edited, "the VirtualMachine edited")
    assert len(site.runs("web")) == 1
    await site.vms_run_on(PRIMARY)


async def test_vm_failure(site: Site) -> None:
    """Guest crashed, guest shut down, launcher lost: each VM is restarted where it is, by itself."""
    vms = ("crashing", "leaving", "orphan", "bystander")
    await site.running_vms(*vms, on=BACKUP, preferredNode=BACKUP)
    await asyncio.gather(
        a_guest_that_keeps_crashing_is_answered_ever_more_slowly(site, "crashing"),
        a_guest_that_shuts_itself_down_is_started_again(site, "leaving"),
        a_force_deleted_launcher_pod_never_makes_two_instances(site, "orphan"),
    )
    await site.vms_run_on(BACKUP)
    assert [len(site.runs(vm)) for vm in vms] == [3, 2, 2, 1]


async def a_guest_that_keeps_crashing_is_answered_ever_more_slowly(site: Site, vm: str) -> None:
    """The first crash is answered at once, the second 10 s after the first."""
    site.faults.crash_guest("default", vm)
    first = await site.action("Restart", vm)
    assert first.obj["spec"]["reason"] == "GuestFailed"
    await site.vms_run_on(BACKUP, vm)
    site.faults.crash_guest("default", vm)
    await site.until(lambda: _runs(site, vm, 3), "the second restart")
    began = [
        datetime.fromisoformat(one.obj["metadata"]["creationTimestamp"]) for one in await site.actions("Restart", vm)
    ]
    assert (began[1] - began[0]).total_seconds() >= 9


async def a_guest_that_shuts_itself_down_is_started_again(site: Site, vm: str) -> None:
    """It shall run, whatever the guest thinks."""
    site.faults.shutdown_guest("default", vm)
    restart = await site.action("Restart", vm)
    assert restart.obj["spec"]["reason"] == "GuestShutDown"


async def a_force_deleted_launcher_pod_never_makes_two_instances(site: Site, vm: str) -> None:
    """On a live server the kubelet ends the guest some time later: the restart waits for that."""
    await site.force_delete_pods(vm)
    await site.until(lambda: _runs(site, vm, 2), f"{vm} runs again")
    first, second = site.runs(vm)
    assert first["ended"] <= second["started"]


async def test_an_eviction_is_refused_and_becomes_a_move(site: Site) -> None:
    """`kubectl drain`: KubeVirt answers 429 and leaves the move to the operator, by its rules."""
    await site.running_vms("web")
    (pod,) = await site.pods("web")
    name = pod["metadata"]["name"]
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
    refusal = await refused(site.api.post(f"{PODS}/{name}/eviction", eviction))
    assert refusal is not None
    assert refusal.status == 429
    move = await site.action("Migrate", "web")
    assert move.obj["spec"]["reason"] == "EvictionRequested"
    await site.vms_run_on(BACKUP)
    assert await site.actions("Restart") == []


async def test_a_person_asks_for_a_move_a_restart_and_a_fence(site: Site) -> None:
    """AvanceAction is also the way a person asks for something; a live server is never fenced."""
    await site.running_vms("web")
    move = await site.ask_for("Migrate", "web")
    await site.action("Migrate", "web")
    await site.vms_run_on(BACKUP)
    first_life = site.ledger.running()[-1]["vmi_uid"]
    await site.ask_for("Restart", "web")
    await site.action("Restart", "web")
    await site.vms_run_on(BACKUP)
    assert site.runs("web")[-1]["vmi_uid"] != first_life
    fence = await site.ask_for("Fence", BACKUP)
    cancelled = await site.action("Fence", BACKUP, "Cancelled")
    assert "alive" in cancelled.obj["status"]["result"]
    assert site.hardware.alive(BACKUP)
    asked = {action.name: action.obj["spec"] for action in await site.actions()}
    assert {asked[name]["requestedBy"] for name in (move, fence)} == {"lab-admin"}
    assert asked[move]["reason"] == "Requested"
    assert len(site.runs("web")) == 3


async def test_metrics_probes_and_events_tell_what_the_log_tells(site: Site) -> None:
    """Metrics endpoint and health probes; Kubernetes Events with the same reasons as the log."""
    await site.running_vms("web")
    await site.until(lambda: _leads(site), "the operator leads")
    assert [await site.probe(path) for path in ("healthz", "readyz")] == [200, 200]
    assert await site.metric('avance_node_health_score{node="node-a"') == 100
    assert await site.metric("avance_actions_total{") >= 1
    await site.until(lambda: _told(site, "web"), "Events about web")
    log = (site.lab.state_dir / "logs" / "operator-avance-1.log").read_text()
    logged = {json.loads(line)["message"].partition(":")[0] for line in log.splitlines() if '"object"' in line}
    assert await site.events("web") & {"ShallRun", "StartSucceeded", "Ready", "Protected"} <= logged


async def _runs(site: Site, vm: str, number: int) -> bool:
    return len(site.runs(vm)) >= number


async def _leads(site: Site) -> bool:
    return await site.metric("avance_leader") == 1


async def _told(site: Site, vm: str) -> bool:
    return await site.events(vm) >= {"ShallRun", "StartSucceeded", "Ready", "Protected"}
