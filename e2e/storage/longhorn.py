"""Longhorn's Replica and Engine as objects of the API server: definitions of our own, with the fields that are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Object = dict[str, Any]

GROUP, VERSION = "longhorn.io", "v1beta2"
_OPEN: Object = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_TEXT: Object = {"type": "string"}
_TEXTS: Object = {"type": "object", "additionalProperties": _TEXT, "nullable": True}
_REPLICA_SPEC = dict.fromkeys(("volumeName", "nodeID", "engineName", "healthyAt", "failedAt"), _TEXT)
_ENGINE_STATUS: Object = {
    "currentState": _TEXT,
    "replicaModeMap": _TEXTS,
    "currentReplicaAddressMap": _TEXTS,
    "rebuildStatus": {"type": "object", "additionalProperties": _OPEN, "nullable": True},
}


def definitions() -> list[Object]:
    """The CustomResourceDefinitions; like Longhorn's own they have no status subresource that matters to a reader."""
    return [
        _definition("replicas", "Replica", {**_REPLICA_SPEC, "active": {"type": "boolean"}}, {"currentState": _TEXT}),
        _definition(
            "engines", "Engine", {"volumeName": _TEXT, "nodeID": _TEXT, "active": {"type": "boolean"}}, _ENGINE_STATUS
        ),
    ]


def replica(volume: str, node: str, **spec: Any) -> Object:
    """A healthy copy on a node, unless the spec says otherwise."""
    healthy = {"healthyAt": "2026-01-01T00:00:00Z", "failedAt": ""}
    known = {"volumeName": volume, "nodeID": node, "engineName": f"{volume}-e", "active": True}
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": "Replica",
        "metadata": {"name": f"{volume}-r-{node}"},
        "spec": {**known, **healthy, **spec},
        "status": {"currentState": "running"},
    }


def engine(volume: str, node: str, modes: Mapping[str, str], rebuilt: Mapping[str, int] | None = None) -> Object:
    """A running engine: the mode of the copy on each node, and how far it is rebuilt, in percent."""
    addresses = {name: f"10.0.0.{number}:10000" for number, name in enumerate(modes, 1)}
    status = {
        "currentState": "running",
        "replicaModeMap": {f"{volume}-r-{name}": mode for name, mode in modes.items()},
        "currentReplicaAddressMap": {f"{volume}-r-{name}": address for name, address in addresses.items()},
        "rebuildStatus": {
            f"tcp://{addresses[name]}": {"isRebuilding": True, "progress": done}
            for name, done in (rebuilt or {}).items()
        },
    }
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": "Engine",
        "metadata": {"name": f"{volume}-e"},
        "spec": {"volumeName": volume, "nodeID": node, "active": True},
        "status": status,
    }


def _definition(plural: str, kind: str, spec: Object, status: Object) -> Object:
    schema = {
        "type": "object",
        "properties": {
            "spec": {"type": "object", "properties": spec},
            "status": {"type": "object", "properties": status},
        },
    }
    version = {"name": VERSION, "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {"plural": plural, "singular": kind.lower(), "kind": kind, "listKind": f"{kind}List"},
            "versions": [version],
        },
    }
