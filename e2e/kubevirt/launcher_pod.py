"""Renders the virt-launcher pod of a VMI, and the target pod of a migration."""

import copy
import json
import secrets
import string
from typing import Any

from e2e.kubevirt.api import (
    APP_LABEL,
    CREATED_BY_LABEL,
    DOMAIN_ANNOTATION,
    MIGRATION_JOB_ANNOTATION,
    MIGRATION_JOB_LABEL,
    NODE_NAME_LABEL,
    SCHEDULABLE_LABEL,
    UNPAUSED_GATE,
    VM_NAME_LABEL,
    VMI,
    Object,
    annotations_of,
    key_of,
    labels_of,
    owner_reference,
    uid_of,
)
from e2e.kubevirt.quantity import parse_bytes

OVERHEAD = 288 * 1024**2
"""Bytes that virt-launcher, libvirt and QEMU take beside the guest's memory."""
_GRACE_MARGIN = 30
DEFAULT_GRACE = 30


def guest_memory(vmi: Object) -> int:
    """Bytes of memory that the guest sees."""
    domain = vmi["spec"].get("domain") or {}
    guest = (domain.get("memory") or {}).get("guest")
    requested = ((domain.get("resources") or {}).get("requests") or {}).get("memory")
    return parse_bytes(guest or requested or "0")


def launcher_pod(vmi: Object, image: str) -> Object:
    """The pod that runs a VMI."""
    namespace, name = key_of(vmi)
    spec = vmi["spec"]
    grace = spec.get("terminationGracePeriodSeconds")
    pod_spec: dict[str, Any] = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": (DEFAULT_GRACE if grace is None else max(int(grace), 0)) + _GRACE_MARGIN,
        "nodeSelector": {**(spec.get("nodeSelector") or {}), "kubernetes.io/arch": spec.get("architecture") or "amd64",
                         SCHEDULABLE_LABEL: "true"},
        "readinessGates": [{"conditionType": UNPAUSED_GATE}],
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "hostname": spec.get("hostname") or name[:63],
        "containers": [_compute_container(vmi, image)],
        "volumes": _volumes(spec),
    }  # fmt: skip
    for field in ("affinity", "tolerations", "priorityClassName", "schedulerName", "topologySpreadConstraints"):
        if spec.get(field):
            pod_spec[field] = copy.deepcopy(spec[field])
    return {
        "metadata": {
            "name": f"virt-launcher-{name}-{_suffix()}",
            "namespace": namespace,
            "labels": {
                **{label: value for label, value in labels_of(vmi).items() if label != NODE_NAME_LABEL},
                APP_LABEL: "virt-launcher",
                CREATED_BY_LABEL: uid_of(vmi),
                VM_NAME_LABEL: name[:63],
            },
            "annotations": {**annotations_of(vmi), DOMAIN_ANNOTATION: name},
            "ownerReferences": [owner_reference(vmi, VMI)],
        },
        "spec": pod_spec,
    }


def launcher_image(pod: Object) -> str:
    """Of the container that the guest runs in."""
    return str(next(each["image"] for each in pod["spec"]["containers"] if each["name"] == "compute"))


def target_pod(
    vmi: Object, migration: Object, source_pod: Object | None, host_labels: dict[str, str], image: str
) -> Object:
    """The pod that a migration moves the VMI into.

    The VMI's own selector wins over the migration's; hard anti-affinity keeps it away from every other pod of the VMI.
    """
    pod = launcher_pod(vmi, image)
    added = migration["spec"].get("addedNodeSelector") or {}
    pod["spec"]["nodeSelector"] = {**added, **host_labels, **pod["spec"]["nodeSelector"]}
    pod["metadata"]["labels"][MIGRATION_JOB_LABEL] = uid_of(migration)
    pod["metadata"]["annotations"][MIGRATION_JOB_ANNOTATION] = migration["metadata"]["name"]
    if source_pod is not None:
        pod["spec"]["containers"][0]["image"] = source_pod["spec"]["containers"][0]["image"]
    anti = pod["spec"].setdefault("affinity", {}).setdefault("podAntiAffinity", {})
    anti.setdefault("requiredDuringSchedulingIgnoredDuringExecution", []).append(
        {"labelSelector": {"matchLabels": {CREATED_BY_LABEL: uid_of(vmi)}}, "topologyKey": "kubernetes.io/hostname"}
    )
    return pod


def _compute_container(vmi: Object, image: str) -> dict[str, Any]:
    spec = vmi["spec"]
    domain = spec.get("domain") or {}
    resources = copy.deepcopy(domain.get("resources") or {})
    requests = resources.get("requests") or {}
    requests["memory"] = _mebibytes(parse_bytes(requests.get("memory") or guest_memory(vmi)) + OVERHEAD)
    requests.setdefault("cpu", _cpu_request(domain.get("cpu") or {}))
    limits = resources.get("limits") or {}
    if "memory" in limits:
        limits["memory"] = _mebibytes(parse_bytes(limits["memory"]) + OVERHEAD)
    container: dict[str, Any] = {
        "name": "compute",
        "image": image,
        "command": ["/usr/bin/virt-launcher-monitor", "--name", vmi["metadata"]["name"], "--uid", uid_of(vmi)],
        "resources": {"requests": requests, **({"limits": limits} if limits else {})},
    }
    for probe in ("livenessProbe", "readinessProbe"):
        if spec.get(probe):
            container[probe] = _probe(spec[probe], vmi)
    return container


def _cpu_request(cpu: dict[str, Any]) -> str:
    vcpus = int(cpu.get("sockets") or 1) * int(cpu.get("cores") or 1) * int(cpu.get("threads") or 1)
    if cpu.get("dedicatedCpuPlacement"):
        return str(vcpus)
    return f"{vcpus * 100}m"  # cpuAllocationRatio 10


def _probe(probe: dict[str, Any], vmi: Object) -> dict[str, Any]:
    """Guest-agent and exec probes become an exec in the compute container, with time for virt-probe itself."""
    rendered = {field: value for field, value in probe.items() if field not in ("guestAgentPing", "exec")}
    domain_name = "_".join(key_of(vmi))
    if "guestAgentPing" in probe:
        rendered["exec"] = {"command": ["virt-probe", "--domainName", domain_name, "--guestAgentPing"]}
    elif "exec" in probe:
        words = (probe["exec"] or {}).get("command") or []
        rendered["exec"] = {"command": ["virt-probe", "--domainName", domain_name, "--command", json.dumps(words)]}
    if "exec" in rendered:
        rendered["initialDelaySeconds"] = int(probe.get("initialDelaySeconds") or 0) + 10
        rendered["timeoutSeconds"] = int(probe.get("timeoutSeconds") or 1) + 1
    return rendered


def _volumes(spec: dict[str, Any]) -> list[dict[str, Any]]:
    volumes: list[dict[str, Any]] = [{"name": "private", "emptyDir": {}}]
    for volume in spec.get("volumes") or []:
        claim = claim_name(volume)
        if claim:
            volumes.append({"name": volume["name"], "persistentVolumeClaim": {"claimName": claim}})
    return volumes


def claim_name(volume: dict[str, Any]) -> str:
    """The PersistentVolumeClaim behind a VMI volume, empty when there is none."""
    if volume.get("dataVolume"):
        return str(volume["dataVolume"].get("name", ""))
    return str((volume.get("persistentVolumeClaim") or {}).get("claimName", ""))


def _mebibytes(size: int) -> str:
    return f"{-(-size // 1024**2)}Mi"


def _suffix() -> str:
    alphabet = string.ascii_lowercase + string.digits
    return "".join(secrets.choice(alphabet) for _ in range(5))
