"""The CustomResourceDefinitions of the stand-in. Schemas are open: validation is the webhooks' work, as far as there
is any.
"""

from typing import Any

from e2e.kubevirt.api import (
    CLUSTER_INSTANCE_TYPE,
    CLUSTER_PREFERENCE,
    INSTANCE_TYPE,
    KUBEVIRT,
    NETWORK_ATTACHMENT,
    POLICY,
    PREFERENCE,
    VM,
    VMI,
    VMIM,
    Object,
    Resource,
)

_OPEN: dict[str, Any] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_AGE = ("Age", "date", ".metadata.creationTimestamp")
_READY = ("Ready", "string", ".status.conditions[?(@.type=='Ready')].status")
_PHASE = ("Phase", "string", ".status.phase")


def definitions() -> list[Object]:
    """All of them."""
    return [
        _definition(VM, ["vm", "vms"], [_AGE, ("Status", "string", ".status.printableStatus"), _READY], ["template"]),
        _definition(
            VMI,
            ["vmi", "vmis"],
            [
                _AGE,
                _PHASE,
                ("IP", "string", ".status.interfaces[0].ipAddress"),
                ("NodeName", "string", ".status.nodeName"),
                _READY,
            ],
            ["domain"],
            status_subresource=False,
        ),
        _definition(VMIM, ["vmim", "vmims"], [_PHASE, ("VMI", "string", ".spec.vmiName")]),
        _definition(KUBEVIRT, ["kv", "kvs"], [_AGE, _PHASE]),
        _definition(POLICY, [], [], ["selectors"]),
        *(
            _definition(each, [], [], ["cpu", "memory"], status_subresource=False)
            for each in (CLUSTER_INSTANCE_TYPE, INSTANCE_TYPE)
        ),
        *(_definition(each, [], [], status_subresource=False) for each in (CLUSTER_PREFERENCE, PREFERENCE)),
        _definition(NETWORK_ATTACHMENT, ["net-attach-def"], [], status_subresource=False),
    ]


def _definition(
    resource: Resource,
    short_names: list[str],
    columns: list[tuple[str, str, str]],
    required: list[str] | None = None,
    status_subresource: bool = True,
) -> Object:
    spec = {**_OPEN, **({"required": required} if required and resource is not VM else {})}
    schema = {"type": "object", "required": ["spec"], "properties": {"spec": spec, "status": _OPEN}}
    version: dict[str, Any] = {
        "name": resource.version,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "additionalPrinterColumns": [{"name": name, "type": kind, "jsonPath": path} for name, kind, path in columns],
    }
    if status_subresource:
        version["subresources"] = {"status": {}}
    return {
        "metadata": {"name": f"{resource.plural}.{resource.group}"},
        "spec": {
            "group": resource.group,
            "scope": "Namespaced" if resource.namespaced else "Cluster",
            "names": {
                "plural": resource.plural,
                "singular": resource.kind.lower(),
                "kind": resource.kind,
                "shortNames": short_names,
                "categories": ["all"] if resource.namespaced else [],
            },
            "versions": [version],
        },
    }
