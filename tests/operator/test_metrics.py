"""Series come and go with the pairs, nodes and VMs that they are about."""

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from avance.core.ledger import Ledger
from avance.core.model import ActionPhase, ActionType, ActionView, InstanceView, PairView, StepView, VmPhase
from avance.core.phase_times import BUDGETS, Phase
from avance.core.policy import Mode, PairPolicy, Pause
from avance.core.report import report
from avance.core.storage import Connection, DiskState
from avance.operator.metrics import Metrics
from avance.operator.pair_series import pair_series
from tests.core.views import NOW, action, disks, evidence, fault, node, pair, reads, running


def series(metrics: Metrics) -> set[str]:
    """Names and labels of every gauge of a pair."""
    return {
        f"{sample.name} {' '.join(sample.labels.values())}"
        for family in metrics.registry.collect()
        for sample in family.samples
        if "pair" in sample.labels and family.type == "gauge"
    }


def test_a_vm_that_is_gone_has_no_series_any_more() -> None:
    metrics, view = Metrics(), pair(vms=(running("db"), running("web")))
    metrics.show(view, report(view, NOW), NOW)
    assert {"avance_vm_condition pair default db Protected", "avance_node_health_score pair node-a"} <= series(metrics)
    less = replace(view, vms=view.vms[1:])
    metrics.show(less, report(less, NOW), NOW)
    assert not any(" db " in each for each in series(metrics))


def test_a_pair_that_is_gone_has_no_series_any_more() -> None:
    metrics = Metrics()
    for name in ("north", "south"):
        view = replace(pair(vms=(running(),)), name=name)
        metrics.begin(name)
        metrics.show(view, report(view, NOW), NOW)
    metrics.forget("north")
    assert series(metrics)
    assert all(" south" in each for each in series(metrics))
    errors = [sample for family in metrics.registry.collect() for sample in family.samples if "pass" in family.name]
    assert {sample.labels["pair"] for sample in errors} == {"south"}


def told(view: PairView, now: float = NOW) -> dict[str, float]:
    """Every sample of a pair, as `name labels` without the pair itself."""
    samples = pair_series(view, report(view, now), now)
    return {" ".join((each.kind.name, *each.labels[1:])): each.value for each in samples}


def test_the_reason_is_told_of_what_is_not_as_it_should_be_and_of_nothing_else() -> None:
    blind = pair(b=node("node-b", power=reads("On", "node-b")), a=node(power=reads("Error", error="401 Unauthorized")))
    found = told(blind)
    assert found["pair_condition FailoverReady"] == 0
    assert found["pair_condition_reason FailoverReady FencePathFailed"] == 1
    assert not any(name.startswith("pair_condition_reason Ready") for name in found)
    assert (found["node_fence_path node-a"], found["node_fence_path node-b"]) == (0, 1)
    assert told(pair())["node_fence_path node-a"] == -1


def test_a_pause_and_observe_are_what_is_not_as_it_should_be() -> None:
    paused = told(pair(policy=PairPolicy(pause=Pause(NOW + 60, "work on the rack"))))
    assert (paused["pair_condition Paused"], paused["pair_condition_reason Paused Paused"]) == (1, 1)
    observing = told(pair(policy=PairPolicy(mode=Mode.OBSERVE)))
    assert observing["pair_condition_reason Observing ModeObserve"] == 1
    assert observing["pair_info Observe node-a"] == 1
    assert "pair_condition_reason Paused NotPaused" not in observing


def test_faults_are_counted_by_kind_and_severity() -> None:
    faults = (fault("PowerSupplyProblem", "PSU1"), fault("FanProblem", "fan1"), fault("FanProblem", "fan2"))
    found = told(pair(node(faults=faults, power=reads("On", at=NOW - 7))))
    assert (found["node_faults node-a PowerSupply Benign"], found["node_faults node-a Fan Benign"]) == (1, 2)
    assert found["node_state node-a Degraded"] == 1
    assert found["node_fence_check_timestamp_seconds node-a"] == NOW - 7
    assert not any(name.startswith("node_faults node-b") for name in found)


def test_copies_are_told_only_by_a_storage_that_can_tell() -> None:
    syncing = disks(b=DiskState.INCONSISTENT)
    ends = (syncing.volumes[0].on("node-a"), replace(syncing.volumes[0].on("node-b"), sync_percent=40, seconds_left=90))
    syncing = replace(syncing, volumes=(replace(syncing.volumes[0], replicas=ends),))
    found = told(pair(vms=(running(storage=syncing),)))
    assert found["vm_up_to_date_copies default web"] == 1
    assert (found["vm_resync_percent default web node-b"], found["vm_resync_left_seconds default web node-b"]) == (
        40,
        90,
    )
    assert "vm_resync_percent default web node-a" not in found
    silent = told(pair(vms=(running(storage=replace(disks(), error="no answer")),)))
    assert "vm_up_to_date_copies default web" not in silent
    assert silent["vm_condition default web Synced"] == -1
    split = told(pair(vms=(running(storage=disks(link=Connection.SPLIT)),)))
    assert split["vm_disks_split default web"] == 1


def test_failed_moves_count_until_one_succeeds_and_for_an_hour() -> None:
    def move(ended: float, phase: ActionPhase = ActionPhase.FAILED) -> ActionView:
        return action(ActionType.MIGRATE, "default/web", phase, finished_at=ended)

    def failed(*moves: ActionView) -> float:
        return told(pair(vms=(running(),), actions=moves))["vm_failed_moves default web"]

    assert failed(move(NOW - 9), move(NOW - 5)) == 2
    assert failed(move(NOW - 9), move(NOW - 5, ActionPhase.SUCCEEDED), move(NOW - 1)) == 1
    assert failed(move(NOW - 9), move(NOW - 5, ActionPhase.CANCELLED)) == 1
    assert failed(move(NOW - 3601)) == 0


def test_phases_stand_beside_their_budgets() -> None:
    steps = (StepView("Close", NOW), StepView("Release", NOW + 4))
    fence = action(ActionType.FENCE, "node-a", steps=steps, finished_at=NOW + 5, evidence=evidence(node()))
    found = told(pair(actions=(fence,)))
    assert (found["phase_last_seconds Fence"], found["phase_longest_seconds Fence"]) == (4, 4)
    budget = Metrics().registry.get_sample_value("avance_phase_budget_seconds", {"phase": "Fence"})
    assert budget == BUDGETS[Phase.FENCE]


async def test_what_is_not_known_yet_is_no_number() -> None:
    metrics = Metrics()
    assert "avance_watch_silence_seconds NaN" in (await metrics.exposition()).decode()
    metrics.follow(lambda: 1.5, lambda: 9.0)
    text = (await metrics.exposition()).decode()
    assert "avance_lease_age_seconds 1.5" in text
    assert "avance_watch_silence_seconds 9.0" in text


async def test_a_process_that_is_held_up_says_for_how_long() -> None:
    metrics = Metrics()
    measuring = asyncio.create_task(metrics.measure_delay())
    await asyncio.sleep(0)
    time.sleep(1.3)  # noqa: ASYNC251 - that is the trouble
    async with asyncio.timeout(5):
        while not metrics.registry.get_sample_value("avance_event_loop_delay_seconds_count"):
            await asyncio.sleep(0.01)
    measuring.cancel()
    assert (metrics.registry.get_sample_value("avance_event_loop_delay_seconds_sum") or 0) > 0.25


def test_names_follow_the_conventions_and_every_metric_says_what_it_is() -> None:
    for family in Metrics().registry.collect():
        assert family.name.startswith(("avance_", "process_")), family.name
        assert family.documentation, family.name
        assert not family.name.endswith(("_ms", "_minutes", "_gauge", "_histogram")), family.name


def test_the_downtime_of_this_year_is_told_with_the_outage_that_lasts() -> None:
    year = datetime.fromtimestamp(NOW, UTC).year
    kept = Ledger(year, planned=60.0, unplanned=30.0)
    found = told(pair(vms=(running(created_at=NOW - 1000, ledger=kept),)))
    assert found["vm_downtime_seconds default web planned"] == 60
    assert found["vm_downtime_seconds default web unplanned"] == 30
    assert found["vm_availability_ratio default web"] == pytest.approx(0.97)
    old = told(pair(vms=(running(created_at=NOW - 1000, ledger=replace(kept, year=year - 1)),)))
    assert (old["vm_downtime_seconds default web unplanned"], old["vm_availability_ratio default web"]) == (0, 1)
    ended = InstanceView("web-1", VmPhase.FAILED, "node-a", ready=False, ended_at=NOW - 10)
    down = told(pair(vms=(running(created_at=NOW - 1000, ledger=kept, instance=ended),)))
    assert down["vm_downtime_seconds default web unplanned"] == 40
