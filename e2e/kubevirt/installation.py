"""What virt-operator would install: CRDs, accounts and RBAC, webhook configurations, the APIService, the virt-handler
DaemonSet, and the KubeVirt object.
"""

import base64
from pathlib import Path
from typing import Any

from e2e.controlplane.client import Api, ApiError
from e2e.controlplane.processes import wait_until
from e2e.kubevirt.api import (
    API_SERVICE,
    APISERVER_USER,
    CLUSTER_INSTANCE_TYPE,
    CLUSTER_ROLE,
    CLUSTER_ROLE_BINDING,
    CONTROLLER_USER,
    CRD,
    DAEMON_SET,
    HANDLER_USER,
    KUBELET_USER,
    KUBEVIRT,
    MUTATING,
    NAMESPACE,
    NETWORK_ATTACHMENT,
    PREFERENCE,
    PRIORITY_CLASS,
    SERVICE,
    SERVICE_ACCOUNT,
    SUBRESOURCE_GROUP,
    SYSTEM_NAMESPACE,
    VALIDATING,
    VM,
    VMI,
    VMIM,
    Object,
    Resource,
)
from e2e.kubevirt.crds import definitions

API_SERVICE_NAME = f"v1.{SUBRESOURCE_GROUP}"
SERVING_NAMES = (f"virt-api.{SYSTEM_NAMESPACE}.svc",)
_DEPLOYED = {
    "phase": "Deployed",
    "conditions": [
        {"type": "Available", "status": "True", "reason": "AllComponentsReady", "message": "All components are ready."},
        {
            "type": "Progressing",
            "status": "False",
            "reason": "AllComponentsReady",
            "message": "All components are ready.",
        },
        {"type": "Degraded", "status": "False", "reason": "AllComponentsReady", "message": "All components are ready."},
    ],
}
_READ = ["get", "list", "watch"]
_ALL = [*_READ, "create", "update", "patch", "delete"]
_KUBEVIRT_GROUPS = ["kubevirt.io", "migrations.kubevirt.io", "instancetype.kubevirt.io"]


async def install(api: Api, webhook_port: int, subresource_port: int, ca: Path) -> None:
    """Creates or replaces everything, as cluster administrator. Raises ApiError, TimeoutError."""
    await _apply(api, NAMESPACE, {"metadata": {"name": SYSTEM_NAMESPACE}})
    for crd in definitions():
        await _apply(api, CRD, crd)
    await wait_until(lambda: _served(api), 30, "KubeVirt's CRDs")
    for name in ("kubevirt-controller", "kubevirt-handler", "kubevirt-apiserver"):
        await _apply(api, SERVICE_ACCOUNT, _system(name))
    for role, user in _ROLES.items():
        await _grant(api, role, user)
    for role, body in _USER_ROLES.items():
        await _apply(api, CLUSTER_ROLE, {"metadata": {"name": role, "labels": body["labels"]}, "rules": body["rules"]})
    priority = {"value": 1_000_000_000, "description": "KubeVirt's own components and what must not be preempted"}
    await _apply(api, PRIORITY_CLASS, {"metadata": {"name": "kubevirt-cluster-critical"}, **priority})
    bundle = base64.b64encode(ca.read_bytes()).decode()
    await _apply(api, SERVICE, {**_system("virt-api"), "spec": {"type": "ExternalName", "externalName": "localhost"}})
    await _apply(api, API_SERVICE, _api_service(bundle, subresource_port))
    await _apply(api, DAEMON_SET, _handler_daemon_set())
    await _create_once(api, KUBEVIRT, {**_system("kubevirt"), "spec": {"configuration": {}}})
    await api.patch(KUBEVIRT.path(SYSTEM_NAMESPACE, "kubevirt", "status"), {"status": _DEPLOYED})
    await _apply(api, MUTATING, {"metadata": {"name": "virt-api-mutator"}, "webhooks": _mutating(bundle, webhook_port)})
    await _apply(
        api, VALIDATING, {"metadata": {"name": "virt-api-validator"}, "webhooks": _validating(bundle, webhook_port)}
    )


async def wait_available(api: Api) -> None:
    """Returns when the API server reaches the subresource API. Raises TimeoutError."""
    await wait_until(lambda: _available(api), 60, f"APIService {API_SERVICE_NAME}")


async def _apply(api: Api, resource: Resource, obj: Object) -> None:
    body = {"apiVersion": resource.api_version, "kind": resource.kind, **obj}
    path = resource.path(obj["metadata"].get("namespace", ""), obj["metadata"]["name"])
    await api.patch(path, body, "application/apply-patch+yaml", fieldManager="virt-operator", force="true")


async def _create_once(api: Api, resource: Resource, obj: Object) -> None:
    """Leaves alone what users configured already."""
    body = {"apiVersion": resource.api_version, "kind": resource.kind, **obj}
    try:
        await api.post(resource.path(obj["metadata"].get("namespace", "")), body)
    except ApiError as error:
        if error.status != 409:
            raise


async def _served(api: Api) -> bool:
    try:
        for resource in (VM, VMI, VMIM, KUBEVIRT, CLUSTER_INSTANCE_TYPE, PREFERENCE, NETWORK_ATTACHMENT):
            await api.get(resource.path())
    except ApiError:
        return False
    return True


async def _available(api: Api) -> bool:
    found = await api.get(API_SERVICE.path("", API_SERVICE_NAME))
    conditions = (found.get("status") or {}).get("conditions") or []
    return any(one["type"] == "Available" and one["status"] == "True" for one in conditions)


def _system(name: str) -> Object:
    return {
        "metadata": {
            "name": name,
            "namespace": SYSTEM_NAMESPACE,
            "labels": {"app.kubernetes.io/managed-by": "virt-operator"},
        }
    }


# Accounts


async def _grant(api: Api, role: str, user: str) -> None:
    await _apply(api, CLUSTER_ROLE, {"metadata": {"name": role}, "rules": _RULES[role]})
    reference = {"apiGroup": CLUSTER_ROLE.group, "kind": "ClusterRole", "name": role}
    subject = {"apiGroup": CLUSTER_ROLE.group, "kind": "User", "name": user}
    await _apply(api, CLUSTER_ROLE_BINDING, {"metadata": {"name": role}, "roleRef": reference, "subjects": [subject]})


def _rule(groups: list[str], resources: list[str], verbs: list[str]) -> dict[str, list[str]]:
    return {"apiGroups": groups, "resources": resources, "verbs": verbs}


_ROLES = {
    "kubevirt-controller": CONTROLLER_USER,
    "kubevirt-handler": HANDLER_USER,
    "kubevirt-apiserver": APISERVER_USER,
    "stand-in-launcher-kubelet": KUBELET_USER,
}
_RULES: dict[str, list[dict[str, list[str]]]] = {
    "kubevirt-controller": [
        _rule(_KUBEVIRT_GROUPS, ["*"], _ALL),
        _rule([""], ["pods", "pods/status", "pods/finalizers"], _ALL),
        _rule([""], ["pods/eviction"], ["create"]),
        _rule([""], ["nodes"], [*_READ, "patch", "update"]),
        _rule(["k8s.cni.cncf.io"], ["network-attachment-definitions"], _READ),
        _rule([""], ["persistentvolumeclaims", "namespaces"], _READ),
        _rule([""], ["events"], ["create", "patch"]),
        _rule(["coordination.k8s.io"], ["leases"], _ALL),
        _rule(["apps"], ["controllerrevisions"], _ALL),
        _rule(["cdi.kubevirt.io"], ["*"], _ALL),
        _rule(["authorization.k8s.io"], ["subjectaccessreviews"], ["create"]),
    ],
    "kubevirt-handler": [
        _rule(_KUBEVIRT_GROUPS, ["virtualmachineinstances"], [*_READ, "update", "patch"]),
        _rule([""], ["nodes"], [*_READ, "patch"]),
        _rule([""], ["persistentvolumeclaims"], _READ),
        _rule([""], ["events"], ["create", "patch"]),
    ],
    "kubevirt-apiserver": [
        _rule(_KUBEVIRT_GROUPS, ["*"], [*_READ, "create", "update", "patch"]),
        _rule([""], ["pods"], [*_READ, "delete"]),
        _rule(["authorization.k8s.io"], ["subjectaccessreviews"], ["create"]),
    ],
    "stand-in-launcher-kubelet": [_rule([""], ["pods", "pods/status"], [*_READ, "patch", "delete"])],
}
_VM_VERBS = [f"virtualmachines/{verb}" for verb in ("start", "stop", "restart")]
_VMI_VERBS = [f"virtualmachineinstances/{verb}" for verb in ("pause", "unpause", "softreboot", "reset")]
_OWNED = ["virtualmachines", "virtualmachineinstances"]
_USER_ROLES: dict[str, dict[str, Any]] = {
    f"kubevirt.io:{role}": {
        "labels": {f"rbac.authorization.k8s.io/aggregate-to-{role}": "true"},
        "rules": [
            _rule(["kubevirt.io"], _OWNED, _READ if role == "view" else _ALL),
            _rule(["kubevirt.io"], ["virtualmachineinstancemigrations"], _READ),
            _rule([SUBRESOURCE_GROUP], ["virtualmachineinstances/guestosinfo"], ["get"]),
            *([] if role == "view" else [_rule([SUBRESOURCE_GROUP], [*_VM_VERBS, *_VMI_VERBS], ["update"])]),
        ],
    }
    for role in ("admin", "edit", "view")
} | {
    "kubevirt.io:migrate": {
        "labels": {},
        "rules": [
            _rule([SUBRESOURCE_GROUP], ["virtualmachines/migrate"], ["update"]),
            _rule(["kubevirt.io"], ["virtualmachineinstancemigrations"], _ALL),
        ],
    }
}


# Webhooks, the aggregated API, virt-handler


def _webhook(name: str, path: str, bundle: str, port: int, rule: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": f"{name}.kubevirt.io",
        "clientConfig": {"url": f"https://127.0.0.1:{port}/{path}", "caBundle": bundle},
        "rules": [rule],
        "failurePolicy": "Fail",
        "sideEffects": "NoneOnDryRun",
        "timeoutSeconds": 10,
        "admissionReviewVersions": ["v1"],
    }


def _on(resource: Resource, operations: list[str]) -> dict[str, Any]:
    return {
        "apiGroups": [resource.group],
        "apiVersions": ["*"],
        "resources": [resource.plural],
        "operations": operations,
    }


def _mutating(bundle: str, port: int) -> list[dict[str, Any]]:
    both = ["CREATE", "UPDATE"]
    return [
        _webhook("virtualmachines-mutator", "vms-mutate", bundle, port, _on(VM, both)),
        _webhook("virtualmachineinstances-mutator", "vmis-mutate", bundle, port, _on(VMI, both)),
        _webhook("migrations-mutator", "migrations-mutate", bundle, port, _on(VMIM, ["CREATE"])),
    ]


def _validating(bundle: str, port: int) -> list[dict[str, Any]]:
    both = ["CREATE", "UPDATE"]
    evictions = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods/eviction"], "operations": ["*"]}
    return [
        _webhook("virtualmachine-validator", "vms-validate", bundle, port, _on(VM, both)),
        _webhook("virtualmachineinstances-validator", "vmis-validate", bundle, port, _on(VMI, both)),
        _webhook("migration-validator", "migrations-validate", bundle, port, _on(VMIM, both)),
        _webhook("virt-launcher-eviction-interceptor", "evictions-validate", bundle, port, evictions),
    ]


def _api_service(bundle: str, port: int) -> Object:
    return {
        "metadata": {"name": API_SERVICE_NAME},
        "spec": {
            "group": SUBRESOURCE_GROUP,
            "version": "v1",
            "groupPriorityMinimum": 1000,
            "versionPriority": 15,
            "caBundle": bundle,
            "service": {"namespace": SYSTEM_NAMESPACE, "name": "virt-api", "port": port},
        },
    }


def _handler_daemon_set() -> Object:
    """A real DaemonSet: kcm makes the pods, the kubelets run them, and an out-of-service taint evicts them."""
    labels = {"kubevirt.io": "virt-handler"}
    container = {"name": "virt-handler", "image": "kubevirt.invalid/virt-handler:stand-in"}
    pod_spec = {
        "containers": [container],
        "hostPID": True,
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "priorityClassName": "kubevirt-cluster-critical",
        "serviceAccountName": "kubevirt-handler",
        "tolerations": [{"key": "CriticalAddonsOnly", "operator": "Exists"}],
    }
    template = {"metadata": {"labels": labels}, "spec": pod_spec}
    return {**_system("virt-handler"), "spec": {"selector": {"matchLabels": labels}, "template": template}}
