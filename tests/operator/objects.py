"""Objects as the API server returns them, as far as the operator reads them; and a clock that is set by hand."""

from __future__ import annotations

from typing import Any

from avance.kube.resources import (
    AVANCE_PAIRS,
    LEASES,
    NODES,
    PODS,
    PROTECTED_VMS,
    VIRTUAL_MACHINES,
    VMIS,
    Resource,
)
from avance.operator.actions import ActionLog
from avance.operator.clock import Clock
from avance.operator.observe import Observer
from avance.operator.store import NODE_LEASES, Store

Object = dict[str, Any]

START = 1_000_000.0
NOTED = "2026-05-01T10:00:00Z"
PAIR, LABEL = "site", "avance.dev/pair"
UUIDS = {"node-a": "1c5f2a52-3a4e-4d8a-9b41-0d1f5f6e7a01", "node-b": "2d6f3b63-4b5f-4e9b-8c52-1e2f6f7f8b02"}


class HandClock(Clock):
    """Stands still until it is told to go on."""

    def __init__(self) -> None:
        self._now = START
        super().__init__(lambda: START, lambda: self._now)
        self._offset = 0.0

    def go_on(self, seconds: float) -> None:
        self._now += seconds


class Versions:
    """resourceVersions as the API server gives them: never the same twice."""

    def __init__(self) -> None:
        self._last = 100

    def next(self) -> str:
        self._last += 1
        return str(self._last)


class World:
    """A store that is filled as the watches would fill it."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.store = Store(self.clock)
        self.versions = Versions()
        self.observer = Observer(self.store, ActionLog(self.store), {})

    def put(self, resource: Resource, obj: Object, *, listed: bool = False) -> Object:
        """A change of an object, or its first appearance; returns it with its new version."""
        new = {**obj, "metadata": {**obj["metadata"], "resourceVersion": self.versions.next()}}
        assert self.store.put(resource, new, listed=listed)
        return new

    def quiet_pair(self, **spec: Any) -> Object:
        """The pair, its nodes, and their Leases."""
        for name in UUIDS:
            self.put(NODES, node(name))
            self.put(LEASES, lease(name))
        return self.put(AVANCE_PAIRS, pair(**spec))

    def vm(self, name: str = "web", on: str = "node-a", **spec: Any) -> Object:
        """A running VM of the pair with its machine, instance and launcher pod."""
        obj = self.put(PROTECTED_VMS, protected_vm(name, **spec))
        self.put(VIRTUAL_MACHINES, machine(name, on))
        self.put(VMIS, instance(name, on))
        self.put(PODS, launcher(name, on))
        return obj


def metadata(name: str, namespace: str = "", uid: str = "", **more: Any) -> Object:
    place = {"namespace": namespace} if namespace else {}
    return {"name": name, "uid": uid or f"uid-{name}", "resourceVersion": "1", "generation": 1, **place, **more}


def pair(name: str = PAIR, **spec: Any) -> Object:
    return {"metadata": metadata(name), "spec": {"nodeSelector": {LABEL: PAIR}, **spec}}


def condition(type_: str, status: str, message: str = "", since: str = NOTED) -> Object:
    return {"type": type_, "status": status, "message": message, "reason": "Test", "lastTransitionTime": since}


def node(name: str = "node-a", *conditions: Object, boot: str = "boot-1", **spec: Any) -> Object:
    labels = {LABEL: PAIR, "kubernetes.io/hostname": f"{name}.example", "kubevirt.io/schedulable": "true"}
    return {
        "metadata": metadata(name, labels=labels),
        "spec": spec,
        "status": {
            "allocatable": {"cpu": "15500m", "memory": "65000000Ki"},
            "nodeInfo": {"bootID": boot, "systemUUID": UUIDS.get(name, "")},
            "conditions": [condition("Ready", "True"), *conditions],
        },
    }


def lease(name: str = "node-a", renewed: str = "2026-05-01T10:00:00.000001Z") -> Object:
    return {"metadata": metadata(name, NODE_LEASES), "spec": {"holderIdentity": name, "renewTime": renewed}}


def protected_vm(name: str = "web", status: Object | None = None, **spec: Any) -> Object:
    small = {
        "pairRef": {"name": PAIR},
        "cores": 2,
        "memory": "4Gi",
        "disks": [{"name": "root", "claim": {"name": "root"}}],
    }
    return {"metadata": metadata(name, "shop"), "spec": small | spec, **({"status": status} if status else {})}


def machine(name: str = "web", prefers: str = "node-a", printable: str = "Running", *conditions: Object) -> Object:
    return {
        "metadata": metadata(
            name,
            "shop",
            labels={"app.kubernetes.io/managed-by": "avance"},
            annotations={"avance.dev/prefers": prefers},
        ),
        "spec": {},
        "status": {"printableStatus": printable, "conditions": list(conditions)},
    }


def instance(
    name: str = "web", on: str = "node-a", phase: str = "Running", uid: str = "", *conditions: Object
) -> Object:
    found = [condition("Ready", "True"), condition("LiveMigratable", "True"), *conditions]
    return {
        "metadata": metadata(name, "shop", uid or f"vmi-{name}"),
        "spec": {},
        "status": {"phase": phase, "nodeName": on, "conditions": found},
    }


def launcher(name: str = "web", on: str = "node-a", phase: str = "Running", suffix: str = "abcde") -> Object:
    labels = {"kubevirt.io": "virt-launcher", "vm.kubevirt.io/name": name, "kubevirt.io/created-by": f"vmi-{name}"}
    requests = {"cpu": "200m", "memory": "4384Mi"}
    return {
        "metadata": metadata(f"virt-launcher-{name}-{suffix}", "shop", labels=labels),
        "spec": {"nodeName": on, "containers": [{"name": "compute", "resources": {"requests": requests}}]},
        "status": {"phase": phase},
    }
