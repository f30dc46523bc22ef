"""`python -m bench.plan`: what one look at one pair with eight VMs costs, part by part, from plain objects in memory.

The floor is one walk over the same objects (`json.dumps`): what cannot be avoided when everything is looked at anew.
"""
# ruff: noqa: T201 - it talks to a person

from __future__ import annotations

import json
import sys
import timeit
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from avance.core.plan import plan
from avance.core.report import report
from avance.kube.resources import AVANCE_PAIRS, LEASES, NODES, PODS, PROTECTED_VMS, VIRTUAL_MACHINES, VMIS, Resource
from avance.operator.actions import ActionLog
from avance.operator.clock import Clock
from avance.operator.observe import Observer
from avance.operator.policy import policy_of
from avance.operator.status import pair_status, vm_status
from avance.operator.store import Store
from bench import fleet

BUDGET_MS = 10.0
"""At 1,000 pairs each looked at twice a minute, and several times for each change, this keeps the operator idle."""
REPEATS, TRIES = 20, 5


def main() -> int:
    store = Store(Clock())
    objects = _fill(store)
    observer = Observer(store, ActionLog(store), {})
    pair = observer.pair(next(iter(store.all(AVANCE_PAIRS))))
    sound = observer.view(pair)
    now = store.started_at + 1
    home, peer = sound.nodes
    faulty = _with_fault(store, observer, pair)
    dead = replace(
        sound,
        nodes=(replace(home, heard_at=now - 60), replace(peer, hears_peer=False, peer_unreachable_since=now - 30)),
    )
    told = report(sound, now)
    floor = _line("walk over the same objects (json.dumps)", lambda: json.dumps(objects))
    whole = _line("view, plan and report of a quiet pair", lambda: _look(observer, pair, now), floor)
    _line("  policy_of", lambda: policy_of(pair.spec), floor)
    _line("  Observer.view", lambda: observer.view(pair), floor)
    _line("  plan, quiet", lambda: plan(sound, now), floor)
    _line("  plan, a power supply failed", lambda: plan(faulty, now), floor)
    _line("  plan, a server crashed", lambda: plan(dead, now), floor)
    _line("  report", lambda: report(sound, now), floor)
    _line(
        "  status objects",
        lambda: (pair_status({}, 1, sound, told, now), [vm_status({}, 1, vm, now) for vm in told.vms]),
        floor,
    )
    print(f"budget {BUDGET_MS:g} ms a look: {'met' if whole < BUDGET_MS else 'MISSED'}")
    return 0 if whole < BUDGET_MS else 1


def _look(observer: Observer, pair: Any, now: float) -> None:
    view = observer.view(pair)
    plan(view, now)
    report(view, now)


def _with_fault(store: Store, observer: Observer, pair: Any) -> Any:
    node = next(iter(store.all(NODES)))
    fault = fleet.condition("PowerSupplyProblem", "True", fleet.moment(), "component=PSU2 state=failed")
    others = [each for each in node["status"]["conditions"] if each["type"] != fault["type"]]
    metadata = node["metadata"] | {"resourceVersion": "9"}
    store.put(NODES, {**node, "metadata": metadata, "status": {**node["status"], "conditions": [*others, fault]}})
    view = observer.view(pair)
    store.put(NODES, {**node, "metadata": metadata | {"resourceVersion": "10"}})
    return view


def _fill(store: Store) -> list[fleet.Object]:
    objects: list[fleet.Object] = []

    def put(resource: Resource, obj: fleet.Object) -> fleet.Object:
        uid = f"{resource.plural}-{obj['metadata']['name']}"
        created = {**obj, "metadata": {**obj["metadata"], "uid": uid, "resourceVersion": "1", "generation": 1}}
        store.put(resource, created)
        objects.append(created)
        return created

    put(AVANCE_PAIRS, fleet.pair(0))
    for name in fleet.node_names(0):
        put(NODES, fleet.node(name, fleet.pair_name(0)))
        lease = fleet.lease(name)
        put(LEASES, {**lease, "metadata": {**lease["metadata"], "namespace": "kube-node-lease"}})
    for name in fleet.vm_names(0):
        vm = put(VIRTUAL_MACHINES, fleet.machine(0, put(PROTECTED_VMS, fleet.protected_vm(0, name))))
        put(PODS, fleet.launcher(0, put(VMIS, fleet.instance(0, vm))))
    return objects


def _line(what: str, work: Callable[[], Any], floor: float = 0.0) -> float:
    """Milliseconds of the best of several tries."""
    best = min(timeit.repeat(work, number=REPEATS, repeat=TRIES)) / REPEATS * 1000
    print(f"{what:<44}{best:8.3f} ms" + (f"{best / floor:8.1f} x" if floor else ""))
    return best


if __name__ == "__main__":
    sys.exit(main())
