"""The lines of the fault table and the safety rules, by the names that scenarios use to say which of them they show.

docs/failure-matrix.md is written from these and from the scenarios that name them (see `matrix`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

FAULTS: Mapping[str, Mapping[str, str]] = {
    "benign fault": {
        "backup": "One of two power supplies, a fan, a disk of an array, corrected memory errors: call home; stays in "
        "service.",
        "primary": "Call home; graceful failover as long as the backup is healthier.",
    },
    "VM failure": {
        "pair": "A guest that crashes, hangs, or whose launcher is lost is restarted where it is.",
    },
    "public network lost": {
        "backup": "The backup is rebooted (it may be transient); declared down once its MTBF is below the threshold.",
        "primary": "Traffic goes on through the backup; failover if the backup is healthier.",
    },
    "disk lost": {
        "backup": "Serious: the backup is rebooted; declared down once its MTBF is below the threshold.",
        "primary": "Goes on with the synchronised copy on the backup; failover.",
    },
    "serious fault": {
        "backup": "A CPU, a kernel, a daemon of the server: the backup is rebooted while attempts remain.",
        "primary": "Failover as long as the backup is healthier; then it is a fault of the backup.",
    },
    "server crash": {
        "backup": "Fenced and rebooted; declared down once its MTBF is below the threshold.",
        "primary": "Fenced, proven off, and every VM boots on the backup, highest tier first.",
    },
    "private link lost": {
        "backup": "Split brain, both alive: nothing moves; the backup is rebooted while attempts remain, then declared "
        "down.",
        "primary": "The VMs go on running where they are.",
    },
    "health lower": {
        "primary": "Graceful failover of every VM at the same time, each by itself; the target becomes its primary.",
    },
    "repeated fault": {
        "pair": "A component whose MTBF is below the threshold is declared down until somebody resets it.",
    },
    "planned downtime": {
        "backup": "Drained, acted on, returned to service.",
        "primary": "Roles are switched first; both servers in turn are a rolling upgrade.",
    },
    "returned server": {
        "backup": "Recognised, stabilised, resynchronised, healthy a while; VMs move back by the failback policy.",
    },
    "replica storage lost": {
        "backup": "A copy that is not up to date is no place to start from; the pair is not redundant until it is.",
        "primary": "The VM goes on with the good copy; the server that holds it is not given up by choice.",
    },
    "VM start and stop": {
        "pair": "A VM runs if its spec says so, where the placement policy wants it, and is shut down if not.",
    },
    "capacity": {
        "pair": "Either server alone has to hold every VM; what does not fit is told, and nothing is sent there.",
    },
    "migration": {
        "pair": "A migration that fails, stalls or is refused loses nothing; it is withdrawn, retried, or given up.",
    },
    "operator lost": {
        "pair": "An operator that dies at any point is replaced by one that goes on from the records; nothing is done "
        "twice.",
    },
    "API silent": {
        "pair": "Silence of the API is no death: nothing is fenced, the VMs run on.",
    },
    "fence path lost": {
        "pair": "A management controller that refuses, hangs, lies or belongs to another server proves nothing.",
    },
    "request": {
        "pair": "What a person asks for is done once, or refused in words if it makes no sense, and recorded.",
    },
}
"""Lines of the fault table: on the backup of a VM, on its primary, or on the pair as a whole."""

RULES: Mapping[str, str] = {
    "proof before restart": "No VM starts on the survivor without fence evidence for the server that may still run it.",
    "give up only what is off": "The out-of-service taint and forced deletion come only after the proof.",
    "close before fencing": "A server is closed to scheduling before its power is cut.",
    "power is read back": "Power is judged by what is read back, never by how an order was answered; already off is "
    "fenced.",
    "only Off is off": "Only an exact `Off` counts: powering off, unknown and no answer are not fenced.",
    "the off phase decides": "Failures of switching on again do not undo a fence.",
    "right BMC": "A controller has to prove that it belongs to the server: its system UUID is compared.",
    "fence path tested": "The fence path is tried all the time; a failed one is told before it is needed.",
    "patience without evidence": "What cannot be fenced is never taken for fenced, however long it lasts; only a "
    "person's typed word or proof ends the wait.",
    "heard is not dead": "What the other server still hears is not dead: silence of the API alone fences nothing.",
    "two opinions": "A server is held to be dead only when two independent observers agree.",
    "good copy": "The only good copy of a disk is never fenced, drained or rebooted by choice.",
    "storm gate": "When both servers look bad, or the API is sick, nothing new is begun.",
    "quiet time": "After its own start an operator fences nobody before it has listened for the whole time itself.",
    "written first": "An intent is written before it is acted on, once; an outdated order is dropped.",
    "inert after boot": "A server that boots is not trusted until it is seen, and has been stable.",
    "loser never fences": "With a lasting link fault the fenced server does not fence the winner when it is back.",
    "split brain stays": "With the private link down and both servers alive nothing fails over.",
    "override is narrow": "A person's override is for one incident, names the server, says why, and ends with it.",
    "sustained recovery": "Recovery counts only when it lasts; one good sign changes nothing.",
    "declared down stays": "What is declared down stays so across reboots and restarts, until a person resets it.",
    "margin": "A move is made only towards a server that is healthier by the margin, fit, with room, and not flapping.",
    "stickiness": "A queued move is called off when its cause is gone; minimum stay and dwell prevent ping-pong.",
    "one incident": "The same observation has the same incident: it is reported and answered once.",
    "start from good disks": "A VM starts only where its disks are up to date, never from stale ones.",
    "no start while resyncing": "A copy that is being resynchronised is no failover target; the pair is not redundant.",
    "generation": "The generation that was written last is kept outside the pair; if it cannot be proven, wait.",
    "disk of the peer": "A local disk error is served from the peer's copy; then the VM moves to it.",
    "first blocker in words": "What keeps a VM from moving is told in words, first reason first.",
    "failed migration stays": "A failed migration leaves the VM on its source; tries are limited and spaced.",
    "one instance": "Never two instances of one VM, whoever caused them.",
    "no claim of the dead": "After a fence nothing may claim the dead server before a start.",
    "tiers": "Restarts go by tier; a stuck one holds the others up only so long.",
    "restart cap": "A VM that keeps failing is restarted ever more slowly and within a limit, then given up loudly.",
    "N+1": "Either server alone can hold every VM, or the pair says that it is not redundant.",
    "suppression": "Health checks of a guest are suppressed while it migrates, is paused, or boots.",
    "one node at a time": "Only one server is out of service by choice at a time.",
    "maintenance is left alone": "A server that a person works on is not fenced, rebooted, called home for or given "
    "VMs, until that person gives it back.",
    "pause wins": "A user's pause always wins; it says that nothing is protected, and it expires.",
    "rejoin in order": "A server rejoins in order: identity, stable, storage, health; never all at once.",
    "one operator": "Only the leader acts; what its successor needs is in the API's objects.",
    "control plane outlives": "The API has to outlive the loss of either server, or the pair says that it does not.",
    "KubeVirt down": "While KubeVirt itself is down nothing is moved, nothing counts as a VM's failure, and the pair "
    "says so; what is due is done when it is back.",
    "every deed has a reason": "Every action says who wanted it, why, and how it ended.",
    "Observe changes nothing": "Mode Observe runs the same rules, says what it would do, and changes nothing.",
    "resolved is quiet": "Once faults are healed the plan comes to rest and does nothing more.",
    "bounded moves": "Moves are limited: a flapping condition does not shuttle VMs to and fro.",
}
"""Safety rules that apply whatever the fault is."""

SIDES = ("backup", "primary", "pair")


class TableError(ValueError):
    """The `table` of a scenario names no line and no rule; says what to write instead."""


@dataclass(frozen=True, slots=True)
class Place:
    """What a scenario shows: a line of the fault table on one side, and safety rules."""

    fault: str = ""
    on: str = ""
    rules: tuple[str, ...] = ()


def place(value: Any) -> Place:
    """`{fault: server crash, on: primary, rules: [tiers]}` as a Place; raises TableError."""
    if value is None:
        return Place()
    if isinstance(value, dict) and True in value:
        value = {"on" if key is True else key: entry for key, entry in value.items()}  # what YAML makes of a bare `on`
    if not isinstance(value, dict) or value.keys() - {"fault", "on", "rules"}:
        raise TableError("`table` is written {fault: server crash, on: primary, rules: [tiers]}; each may be left out")
    fault, rules = str(value.get("fault", "")), value.get("rules") or []
    rules = rules if isinstance(rules, list) else [rules]
    if fault and fault not in FAULTS:
        raise TableError(f"the fault table has no line '{fault}'; it has: {', '.join(FAULTS)}")
    sides = list(FAULTS[fault]) if fault else []
    on = str(value.get("on", sides[0] if len(sides) == 1 else ""))
    if on not in (sides or [""]):
        wanted = " or ".join(f"on: {side}" for side in sides)
        raise TableError(f"'{fault}' needs {wanted}" if fault else "`on` goes with a `fault`")
    for rule in rules:
        if rule not in RULES:
            raise TableError(f"there is no safety rule '{rule}'; there are: {', '.join(RULES)}")
    return Place(fault, on, tuple(rules))


def cells() -> Iterator[tuple[str, str]]:
    """Every line of the fault table on each of its sides."""
    for fault, sides in FAULTS.items():
        yield from ((fault, side) for side in sides)
