"""The objects of a quiet fleet: pairs of sound nodes with running, protected VMs about which nothing is to be done."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from avance.api import ProtectedVM
from avance.kubevirt.virtual_machine import virtual_machine

Object = dict[str, Any]

NAMESPACE = "fleet"
KUBEVIRT = "kubevirt"
"""Namespace of KubeVirt itself."""
PAIR_LABEL = "avance.dev/pair"
VMS_PER_PAIR = 8
_HEALTHY = ("PowerSupplyProblem", "FanProblem", "DiskProblem", "RaidProblem", "MemoryProblem", "PublicNetworkProblem")


def pair_name(number: int) -> str:
    return f"pair-{number:04}"


def node_names(number: int) -> tuple[str, str]:
    """The two nodes of a pair; its VMs run on the first."""
    return f"node-{number:04}-a", f"node-{number:04}-b"


def vm_names(number: int) -> list[str]:
    return [f"vm-{number:04}-{index}" for index in range(VMS_PER_PAIR)]


def kubevirt() -> Object:
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "KubeVirt",
        "metadata": {"name": "kubevirt", "namespace": KUBEVIRT},
        "spec": {},
    }


def answer_for_virt_api() -> Object:
    """A kind in the group of KubeVirt's verbs, so that the API server answers for it as it would with a virt-api."""
    names = {"kind": "Answer", "plural": "answers", "singular": "answer"}
    schema = {"openAPIV3Schema": {"type": "object"}}
    version = {"name": "v1", "served": True, "storage": True, "schema": schema}
    spec = {"group": "subresources.kubevirt.io", "scope": "Cluster", "names": names, "versions": [version]}
    return {"metadata": {"name": "answers.subresources.kubevirt.io"}, "spec": spec}


def pair(number: int) -> Object:
    return {
        "apiVersion": "avance.dev/v1alpha1",
        "kind": "AvancePair",
        "metadata": {"name": pair_name(number)},
        "spec": {"nodeSelector": {PAIR_LABEL: pair_name(number)}},
    }


def node(name: str, pair_label: str) -> Object:
    now = moment()
    labels = {"kubernetes.io/hostname": name, "kubevirt.io/schedulable": "true"}
    room = {"cpu": "32", "memory": "128Gi", "pods": "110"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels | ({PAIR_LABEL: pair_label} if pair_label else {})},
        "spec": {},
        "status": {
            "capacity": room,
            "allocatable": room,
            "nodeInfo": _node_info(name),
            "conditions": [condition("Ready", "True", now), *(condition(type_, "False", now) for type_ in _HEALTHY)],
        },
    }


def condition(type_: str, status: str, since: str, message: str = "") -> Object:
    return {
        "type": type_,
        "status": status,
        "reason": "Bench",
        "message": message,
        "lastHeartbeatTime": since,
        "lastTransitionTime": since,
    }


def lease(name: str) -> Object:
    spec = {"holderIdentity": name, "leaseDurationSeconds": 40, "renewTime": moment_exact()}
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": name}, "spec": spec}


def protected_vm(number: int, name: str) -> Object:
    return {
        "apiVersion": "avance.dev/v1alpha1",
        "kind": "ProtectedVM",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "pairRef": {"name": pair_name(number)},
            "cores": 2,
            "memory": "4Gi",
            "disks": [{"name": "root", "claim": {"name": f"{name}-root"}}],
        },
    }


def machine(number: int, created: Object) -> Object:
    """The VirtualMachine exactly as the operator would write it for a ProtectedVM as the API server returned it."""
    here, peer = node_names(number)
    vm = ProtectedVM.parse(created)
    body = virtual_machine(vm, created["metadata"]["uid"], {here: here, peer: peer}, here)
    return {"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", **body}


def instance(number: int, vm: Object) -> Object:
    metadata = {
        "name": vm["metadata"]["name"],
        "namespace": NAMESPACE,
        "labels": vm["spec"]["template"]["metadata"]["labels"],
    }
    conditions = [
        {"type": "Ready", "status": "True"},
        {"type": "LiveMigratable", "status": "True"},
        {"type": "AgentConnected", "status": "True"},
    ]
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachineInstance",
        "metadata": metadata,
        "spec": vm["spec"]["template"]["spec"],
        "status": {"phase": "Running", "nodeName": node_names(number)[0], "conditions": conditions},
    }


def launcher(number: int, vmi: Object) -> Object:
    name = vmi["metadata"]["name"]
    labels = {
        "kubevirt.io": "virt-launcher",
        "vm.kubevirt.io/name": name,
        "kubevirt.io/created-by": vmi["metadata"]["uid"],
    }
    container = {
        "name": "compute",
        "image": "virt-launcher",
        "resources": {"requests": {"cpu": "200m", "memory": "4384Mi"}},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"virt-launcher-{name}-{uuid.uuid4().hex[:5]}", "namespace": NAMESPACE, "labels": labels},
        "spec": {"nodeName": node_names(number)[0], "containers": [container], "automountServiceAccountToken": False},
    }


def moment() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment_exact() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _node_info(name: str) -> dict[str, str]:
    identity = str(uuid.uuid5(uuid.NAMESPACE_DNS, name))
    versions = ("kernelVersion", "osImage", "containerRuntimeVersion", "kubeletVersion", "kubeProxyVersion")
    return {
        "systemUUID": identity,
        "machineID": identity,
        "bootID": identity,
        "architecture": "amd64",
        "operatingSystem": "linux",
        **dict.fromkeys(versions, "bench"),
    }
