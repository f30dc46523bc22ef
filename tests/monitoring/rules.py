"""The rules of the chart, and the cases in which each alert fires and in which it stays quiet."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).parents[2]
RULES = REPOSITORY / "helm" / "avance" / "files" / "rules" / "avance.yaml"
RUNBOOKS = REPOSITORY / "docs" / "runbooks"

Object = dict[str, Any]
Series = dict[str, str]


def rules() -> Iterator[Object]:
    for group in yaml.safe_load(RULES.read_text())["groups"]:
        yield from group["rules"]


def alerts() -> dict[str, Object]:
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


def always(value: float) -> str:
    """The same value in every sample of six hours, one each half minute."""
    return f"{value:g}+0x720"


def one(series: str, value: float) -> Series:
    return {series: always(value)}


@dataclass(frozen=True)
class Case:
    """What Prometheus sees, and whether the alert fires by then."""

    alert: str
    series: Series
    at: str
    labels: Series | None = field(default=None)
    """Of the alert that fires; None if none does."""


def _both(alert: str, at: str, fires: Series, labels: Series, *quiet: Series) -> Iterator[Case]:
    yield Case(alert, fires, at, labels)
    for series in quiet:
        yield Case(alert, series, at)


LEADER, STANDBY = 'instance="10.0.0.1:9090",pod="avance-1"', 'instance="10.0.0.2:9090",pod="avance-2"'
PAIR, NODE = {"pair": "shop"}, {"pair": "shop", "node": "node-a"}
VM = {"pair": "shop", "namespace": "shop", "vm": "till"}
VM_LABELS = 'pair="shop",namespace="shop",vm="till"'
NODE_LABELS = 'pair="shop",node="node-a"'


def condition(type_: str, value: float) -> Series:
    return one(f'avance_pair_condition{{{LEADER},pair="shop",type="{type_}"}}', value)


def because(type_: str, reason: str) -> Series:
    return one(f'avance_pair_condition_reason{{{LEADER},pair="shop",type="{type_}",reason="{reason}"}}', 1)


def of_node(name: str, value: float, **labels: str) -> Series:
    return one(f"avance_{name}{{{LEADER},{NODE_LABELS}{_more(labels)}}}", value)


def of_vm(name: str, value: float, **labels: str) -> Series:
    return one(f"avance_{name}{{{LEADER},{VM_LABELS}{_more(labels)}}}", value)


def _more(labels: Series) -> str:
    return "".join(f',{name}="{value}"' for name, value in labels.items())


def _operator() -> Iterator[Case]:
    standby = one(f"avance_leader{{{STANDBY}}}", 0)
    leads, waits = one(f"avance_leader{{{LEADER}}}", 1), one(f"avance_leader{{{LEADER}}}", 0)
    yield from _both("AvanceOperatorAbsent", "3m", {}, {}, one(f"avance_build_info{{{STANDBY}}}", 1))
    yield from _both("AvanceNoLeader", "3m", waits | standby, {}, leads | standby)
    yield from _both(
        "AvanceSeveralLeaders", "3m", leads | one(f"avance_leader{{{STANDBY}}}", 1), {}, leads | standby, waits
    )
    deaf = {"avance_watch_silence_seconds" + f"{{{STANDBY}}}": "0+30x40"}
    instance = {"instance": "10.0.0.2:9090", "pod": "avance-2"}
    not_yet = one(f"avance_watch_silence_seconds{{{STANDBY}}}", float("nan"))
    yield from _both(
        "AvanceWatchesSilent", "3m", deaf, instance, one(f"avance_watch_silence_seconds{{{STANDBY}}}", 9), not_yet
    )
    failing = {f'avance_failed_passes_total{{{LEADER},pair="shop"}}': "0+30x720"}
    once = {f'avance_failed_passes_total{{{LEADER},pair="shop"}}': "0x10 1x720"}
    yield from _both("AvanceOperatorErrors", "15m", failing, PAIR, once)
    yield from _both("AvanceOperatorSlow", "20m", _delays(2.5), {"instance": "10.0.0.1:9090", "pod": "avance-1"},
                     _delays(0.01))  # fmt: skip


def _delays(seconds: float) -> Series:
    """Thirty ticks each half minute, all of them as late as that."""
    name = f"avance_event_loop_delay_seconds_bucket{{{LEADER},le="
    return {f'{name}"{le}"}}': f"0+{30 if seconds <= limit else 0}x720" for le, limit in _BUCKETS.items()}


_BUCKETS = {"0.01": 0.01, "0.1": 0.1, "1.0": 1, "2.5": 2.5, "+Inf": float("inf")}


def _pairs() -> Iterator[Case]:
    looked = f'avance_pair_last_look_timestamp_seconds{{{LEADER},pair="shop"}}'
    yield from _both("AvancePairNotLookedAt", "5m", one(looked, 0), PAIR, {looked: "0+30x720"})
    for alert, type_, bad, at in (
        ("AvancePairNotReady", "Ready", 0, "6m"),
        ("AvancePairNotReady", "Ready", -1, "6m"),
        ("AvancePairNotRedundant", "Redundant", 0, "35m"),
        ("AvanceFailoverNotReady", "FailoverReady", 0, "6m"),
        ("AvanceFailoverNotReady", "FailoverReady", -1, "6m"),
        ("AvanceStormGateClosed", "Calm", 0, "6m"),
        ("AvanceOtherPowerAuthority", "SolePowerAuthority", 0, "2m"),
        ("AvanceNotificationsFailing", "NotificationsDelivered", 0, "2m"),
        ("AvancePrivateLinkDown", "PrivateLinkHealthy", 0, "3m"),
        ("AvanceMigrationsLimited", "MigrationsReady", 0, "65m"),
    ):
        yield from _both(alert, at, condition(type_, bad), PAIR | {"type": type_}, condition(type_, 1))
    yield Case("AvancePairNotRedundant", condition("Redundant", 0), "25m")
    planned = {name: condition(name, 0) | because(name, "Maintenance") for name in ("Redundant", "FailoverReady")}
    yield Case("AvancePairNotRedundant", planned["Redundant"], "35m")
    yield Case("AvanceFailoverNotReady", planned["FailoverReady"], "6m")
    other = condition("Redundant", 0) | because("FailoverReady", "Maintenance")
    yield Case("AvancePairNotRedundant", other, "35m", PAIR | {"type": "Redundant"})
    blocked = condition("FailoverReady", 0)
    yield Case("AvanceFailoverNotReady", blocked | condition("Paused", 1), "6m")
    yield Case("AvanceFailoverNotReady", blocked | condition("Paused", 0) | condition("Observing", 1), "6m")
    told = PAIR | {"type": "FailoverReady"}
    yield Case("AvanceFailoverNotReady", blocked | condition("Paused", 0), "6m", told)
    yield from _both("AvanceHandsOff", "4h5m", condition("Paused", 1), PAIR, condition("Paused", 0))
    yield Case("AvanceHandsOff", condition("Paused", 0) | condition("Observing", 1), "4h5m", PAIR)
    yield Case("AvanceHandsOff", condition("Paused", 1), "3h50m")


def _servers() -> Iterator[Case]:
    for alert, state in (
        ("AvanceServerSuspect", "Suspect"),
        ("AvanceServerDeclaredDown", "DeclaredDown"),
        ("AvanceServerReplaced", "Replaced"),
    ):
        serves = of_node("node_state", 1, state="InService")
        yield from _both(alert, "3m", of_node("node_state", 1, state=state), NODE | {"state": state}, serves)
    waits, quick = f"avance_fence_waiting_seconds{{{LEADER},{NODE_LABELS}}}", of_node("fence_waiting_seconds", 20)
    yield from _both(
        "AvanceFencingUnproven", "5m", {waits: "0+30x720"}, NODE, quick, of_node("fence_waiting_seconds", 0)
    )
    healthy = of_node("node_fence_path", 1)
    yield from _both("AvanceFencePathFailing", "6m", of_node("node_fence_path", 0), NODE, healthy)
    yield from _both("AvanceFencePathFailing", "6m", of_node("node_fence_path", -1), NODE, healthy)
    worked_on = of_node("node_state", 1, state="Maintenance")
    yield Case("AvanceFencePathFailing", of_node("node_fence_path", 0) | worked_on, "6m")
    for_days = dict.fromkeys(worked_on, "1x3000")
    yield Case("AvanceMaintenanceLong", for_days, "24h5m", NODE | {"state": "Maintenance"})
    yield Case("AvanceMaintenanceLong", for_days, "23h")
    asked = f"avance_node_fence_check_timestamp_seconds{{{LEADER},{NODE_LABELS}}}"
    yield from _both("AvanceFencePathUntested", "3h", one(asked, 0), NODE, {asked: "0+30x720"})
    yield Case("AvanceFencePathUntested", one(asked, 0) | worked_on, "3h")
    kind = {"kind": "PowerSupply", "severity": "Benign"}
    yield Case("AvanceComponentFailed", of_node("node_faults", 1, **kind), "6m", NODE | kind | {"severity": "warning"})
    yield Case("AvanceComponentFailed", of_node("node_faults", 1, **kind), "4m")
    disk = {"kind": "Disk"}
    failed = of_node("node_mtbf_exceeded_components", 1, **disk)
    yield from _both("AvanceMtbfExceeded", "1m", failed, NODE | disk, of_node("node_faults", 1, **kind))


def _vms() -> Iterator[Case]:
    shall, shall_not = of_vm("vm_shall_run", 1), of_vm("vm_shall_run", 0)
    up, down = of_vm("vm_condition", 1, type="Ready"), of_vm("vm_condition", 0, type="Ready")
    unseen = of_vm("vm_condition", -1, type="Ready")
    ready = VM | {"type": "Ready"}
    yield from _both("AvanceVmNotRunning", "7m", down | shall, ready, up | shall, down | shall_not)
    yield Case("AvanceVmNotRunning", unseen | shall, "7m", ready)
    given_up, failing = ({"type": "Stable", "reason": reason} for reason in ("GivenUp", "KeepsFailing"))
    told = of_vm("vm_condition_reason", 1, **given_up)
    yield from _both("AvanceVmGaveUp", "1m", told, VM | given_up, of_vm("vm_condition_reason", 1, **failing))
    yield from _both("AvanceDisksSplit", "1m", of_vm("vm_disks_split", 1), VM, of_vm("vm_disks_split", 0))
    two = of_vm("vm_up_to_date_copies", 2)
    yield from _both("AvanceOnlyOneGoodCopy", "16m", of_vm("vm_up_to_date_copies", 1), VM, two)
    yield Case(
        "AvanceOnlyOneGoodCopy",
        of_vm("vm_up_to_date_copies", 1) | of_node("node_state", 1, state="Maintenance"),
        "16m",
    )
    percent = f'avance_vm_resync_percent{{{LEADER},{VM_LABELS},node="node-b"}}'
    stalled, goes_on = {percent: "40+0.001x720"}, {percent: "1+0.1x720"}
    yield from _both("AvanceResyncStalled", "90m", stalled, VM | {"node": "node-b"}, goes_on)
    silent, synced = of_vm("vm_condition", -1, type="Synced"), of_vm("vm_condition", 1, type="Synced")
    yield from _both("AvanceStorageSilent", "11m", silent, VM | {"type": "Synced"}, synced)
    thrice, twice = of_vm("vm_failed_moves", 3), of_vm("vm_failed_moves", 2)
    yield from _both("AvanceMigrationsFailing", "1m", thrice, VM, twice)


CASES = (*_operator(), *_pairs(), *_servers(), *_vms())
