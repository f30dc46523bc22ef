"""What an installation of CDI puts into the cluster, and the StorageClasses of the lab."""

from typing import Any

from e2e.controlplane.client import APPLY, Api, ApiError
from e2e.controlplane.processes import wait_until
from e2e.kubevirt.api import (
    CLUSTER_ROLE,
    CLUSTER_ROLE_BINDING,
    CRD,
    DATA_SOURCE,
    DATA_VOLUME,
    NAMESPACE,
    STORAGE_CLASS,
    Object,
    Resource,
)

SYSTEM_NAMESPACE = "cdi"
USER = f"system:serviceaccount:{SYSTEM_NAMESPACE}:cdi-sa"
DEFAULT_CLASS = "shared"
CLASSES = (DEFAULT_CLASS, "striped-4")
PROVISIONER = "lab.avance.dev/nothing"

_OPEN: dict[str, Any] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_READ = ["get", "list", "watch"]
_ALL = [*_READ, "create", "update", "patch", "delete"]
_RULES = [
    {"apiGroups": ["cdi.kubevirt.io"], "resources": ["*"], "verbs": _ALL},
    {"apiGroups": [""], "resources": ["persistentvolumeclaims", "persistentvolumes"], "verbs": _ALL},
    {"apiGroups": [""], "resources": ["pods"], "verbs": _READ},
    {"apiGroups": ["storage.k8s.io"], "resources": ["storageclasses"], "verbs": _READ},
]


async def install(api: Api) -> None:
    """Creates or replaces everything, as cluster administrator. Raises ApiError, TimeoutError."""
    for definition in definitions():
        await _apply(api, CRD, definition)
    await wait_until(lambda: _served(api), 30, "CDI's CRDs")
    await _apply(api, NAMESPACE, {"metadata": {"name": SYSTEM_NAMESPACE}})
    await _apply(api, CLUSTER_ROLE, {"metadata": {"name": "cdi"}, "rules": _RULES})
    await _apply(api, CLUSTER_ROLE, _edit_role())
    reference = {"apiGroup": CLUSTER_ROLE.group, "kind": "ClusterRole", "name": "cdi"}
    subjects = [{"apiGroup": CLUSTER_ROLE.group, "kind": "User", "name": USER}]
    await _apply(api, CLUSTER_ROLE_BINDING, {"metadata": {"name": "cdi"}, "roleRef": reference, "subjects": subjects})
    for name in CLASSES:
        annotations = {"storageclass.kubernetes.io/is-default-class": str(name == DEFAULT_CLASS).lower()}
        metadata = {"name": name, "annotations": annotations}
        await _apply(api, STORAGE_CLASS, {"metadata": metadata, "provisioner": PROVISIONER})


def definitions() -> list[Object]:
    """DataVolume and DataSource; schemas are open, as those of the other stand-in."""
    phase = ("Phase", "string", ".status.phase")
    progress = ("Progress", "string", ".status.progress")
    return [_definition(DATA_VOLUME, ["dv", "dvs"], [phase, progress]), _definition(DATA_SOURCE, ["das"], [])]


def _definition(resource: Resource, short_names: list[str], columns: list[tuple[str, str, str]]) -> Object:
    schema = {"type": "object", "required": ["spec"], "properties": {"spec": _OPEN, "status": _OPEN}}
    version = {
        "name": resource.version,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}},
        "additionalPrinterColumns": [{"name": name, "type": kind, "jsonPath": path} for name, kind, path in columns],
    }
    names = {
        "plural": resource.plural,
        "singular": resource.kind.lower(),
        "kind": resource.kind,
        "shortNames": short_names,
    }
    return {
        "metadata": {"name": f"{resource.plural}.{resource.group}"},
        "spec": {"group": resource.group, "scope": "Namespaced", "names": names, "versions": [version]},
    }


def _edit_role() -> Object:
    """CDI lets who may edit a namespace clone from it too."""
    labels = {f"rbac.authorization.k8s.io/aggregate-to-{role}": "true" for role in ("admin", "edit")}
    kinds = ["datavolumes", "datavolumes/source", "datasources"]
    rules = [{"apiGroups": ["cdi.kubevirt.io"], "resources": kinds, "verbs": _ALL}]
    return {"metadata": {"name": "cdi.kubevirt.io:edit", "labels": labels}, "rules": rules}


async def _apply(api: Api, resource: Resource, obj: Object) -> None:
    body = {"apiVersion": resource.api_version, "kind": resource.kind, **obj}
    path = resource.path("", obj["metadata"]["name"])
    await api.patch(path, body, APPLY, fieldManager="cdi-operator", force="true")


async def _served(api: Api) -> bool:
    try:
        for resource in (DATA_VOLUME, DATA_SOURCE):
            await api.get(resource.path())
    except ApiError:
        return False
    return True
