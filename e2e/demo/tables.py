"""The tables of the story, from what was recorded: actions, times of first sight, the ledger of physical guests."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from e2e.demo.times import moment, seconds_between
from e2e.demo.world import Object, World, status

Ledger = Mapping[str, Any]
"""What the lab tells of the guests that physically ran: `running`, `history`, `violations`."""

SUSPICION_BUDGET_S = 15.0
FENCE_BUDGET_S = 30.0
RESTART_BUDGET_S = 10.0
HANDOVER_S = 0.9
"""How long KubeVirt lets a guest pause at the end of a live migration (its default maxDowntimeMs)."""
MOVED = "migrated away"
_OPERATOR = "system:serviceaccount:avance-system:avance"


@dataclass(frozen=True)
class Table:
    """Rows of text. `failures` says what in it is not as it must be."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    failures: Sequence[str] = ()


def crash_phases(world: World, ledger: Ledger) -> Table:
    """The phases of the failover after the power cut, each against its budget. The crash itself is timed by the lab."""
    (fence,) = world.new("AvanceAction", "Fence")
    restarts = sorted(world.new("AvanceAction", "ColdRestart"), key=lambda action: _scheduled(world, action))
    cut, confirmed = world.deeds["power_cut"], moment(status(fence)["startedAt"])
    proven = moment(status(fence)["evidence"]["observedAt"])
    first, *others = ((each["spec"]["target"]["name"], _scheduled(world, each) - proven) for each in restarts)
    measured = [
        ("power cut to suspicion confirmed", confirmed - cut, SUSPICION_BUDGET_S),
        ("suspicion to fence confirmed (proven off)", proven - confirmed, FENCE_BUDGET_S),
        (f"fence evidence to {first[0]} scheduled on the survivor", first[1], RESTART_BUDGET_S),
    ]
    rows = [(phase, f"{took:.1f} s", f"{budget:.0f} s", _verdict(took, budget)) for phase, took, budget in measured]
    rows += [
        (f"fence evidence to {vm} scheduled, after its turn has come", f"{took:.1f} s", "", "") for vm, took in others
    ]
    failures = [f"{phase}: {took:.1f} s, budget {budget:.0f} s" for phase, took, budget in measured if took > budget]
    return Table("From the power cut to running VMs", ("phase", "took", "budget", ""), rows, failures)


def _verdict(took: float, budget: float) -> str:
    return "kept" if took <= budget else "EXCEEDED"


def _scheduled(world: World, restart: Object) -> float:
    """When the new instance of a restarted VM was first seen with a node of its own."""
    uid = world.get("VirtualMachineInstance", restart["spec"]["target"]["name"])["metadata"]["uid"]
    seen = (world.first_seen.get((uid, phase)) for phase in ("Scheduled", "Running"))
    return min(at for at in seen if at is not None)


def actions(world: World, ledger: Ledger) -> Table:
    """Every AvanceAction of the story: what, because of what, on whose behalf, how long in all and in each step."""
    done = sorted(world.all("AvanceAction"), key=lambda action: status(action).get("startedAt", ""))
    unfinished = [each["metadata"]["name"] for each in done if status(each).get("phase") != "Succeeded"]
    failures = [f"these actions did not succeed: {', '.join(unfinished)}"] if unfinished else []
    columns = ("at (UTC)", "action", "because of", "by", "result", "took", "steps (seconds)")
    return Table("Everything that was done", columns, [_action_row(action) for action in done], failures)


def _action_row(action: Object) -> Sequence[str]:
    spec, told = action["spec"], status(action)
    what = f"{spec['type']} {spec['target']['name']}" + (f" to {spec['destination']}" if "destination" in spec else "")
    by = "operator" if spec.get("requestedBy") == _OPERATOR else spec.get("requestedBy", "?")
    steps = "  ".join(f"{step['name']} {_took(step)}" for step in told.get("steps") or ())
    began = told.get("startedAt", "")[11:19]
    return began, what, spec["reason"], by, told.get("phase", "Pending"), _took(told), steps


def _took(entry: Object) -> str:
    if not entry.get("startedAt") or not entry.get("finishedAt"):
        return "-"
    return f"{seconds_between(entry['startedAt'], entry['finishedAt']):.1f}"


@dataclass(frozen=True)
class Outage:
    """A time in which no guest of a VM executed."""

    seconds: float
    because: str


def outages(ledger: Ledger, vm: str) -> list[Outage]:
    """The gaps between the physical runs of a VM, the pauses of live migrations included."""
    runs = [run for run in ledger["history"] if run["name"] == vm]
    return [
        Outage(seconds_between(run["ended"], later["started"]), run["ended_by"])
        for run, later in itertools.pairwise(runs)
        if run["ended"]
    ]


def downtime(world: World, ledger: Ledger) -> Table:
    """Downtime of each VM: as it physically was, and as the operator reports it."""
    rows, failures = [], []
    for vm in world.all("ProtectedVM"):
        name, found = vm["metadata"]["name"], outages(ledger, vm["metadata"]["name"])
        told = (status(vm).get("downtime") or {}).get("unplannedSeconds", 0)
        pauses = [gap.seconds for gap in found if gap.because == MOVED]
        losses = [gap for gap in found if gap.because != MOVED]
        causes = ", ".join(f"{gap.seconds:.1f} s ({gap.because})" for gap in losses)
        live = f"{len(pauses)}, pause {max(pauses, default=0.0):.3f} s"
        rows.append((name, f"{sum(gap.seconds for gap in losses):.1f} s", causes, live, f"{told} s"))
        failures += [f"{name} was down for {pause:.1f} s in a live move" for pause in pauses if pause > HANDOVER_S]
        running = sum(1 for run in ledger["running"] if run["name"] == name)
        failures += [f"{name} runs {running} times"] if running != 1 else []
    failures += [f"{each['name']} ran twice at once: {each['cause']}" for each in ledger["violations"]]
    columns = ("VM", "physically down", "of which", "live moves", "by the operator's account")
    return Table("Downtime", columns, rows, failures)
