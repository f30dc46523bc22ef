"""A support bundle: objects, events and logs in one archive, and nothing that is secret."""

from __future__ import annotations

import io
import json
import tarfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from avance import __version__
from avance.kube.client import Kube
from avance.kube.errors import ApiError, Unavailable
from avance.kube.resources import (
    AVANCE_ACTIONS,
    AVANCE_PAIRS,
    EVENTS,
    KUBEVIRTS,
    LEASES,
    MIGRATION_POLICIES,
    MIGRATIONS,
    NODES,
    PODS,
    PROTECTED_VMS,
    STORAGE_PROFILES,
    VIRTUAL_MACHINES,
    VMIS,
    Resource,
)
from avance.operator.glimpse import connected
from avance.operator.store import NODE_LEASES
from avance.operator.watching import LAUNCHER_SELECTOR

Object = dict[str, Any]

WHOLE = (AVANCE_PAIRS, PROTECTED_VMS, AVANCE_ACTIONS, NODES, KUBEVIRTS, VIRTUAL_MACHINES, VMIS, MIGRATIONS,
         MIGRATION_POLICIES, STORAGE_PROFILES, EVENTS)  # fmt: skip
LEFT_OUT = "left out: it may hold passwords"
SECRETIVE = frozenset(
    {
        "userData",
        "userDataBase64",
        "networkData",
        "networkDataBase64",
        "sysprep",
        "cloudInit",
        "unattend",
        "accessCredentials",
    }
)
"""Fields of VMs that hold what a guest is told at its first boot."""
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


async def bundle(kubeconfig: str | None, namespace: str, file: Path, context: str | None = None) -> list[str]:
    """Write the archive; returns what is in it. What may not be read is told in it, and does not end it."""
    async with connected(kubeconfig, context) as kube:
        try:
            return await _write(kube, namespace, file)
        except BaseException:
            file.unlink(missing_ok=True)
            raise


async def _write(kube: Kube, namespace: str, file: Path) -> list[str]:
    names = []
    with tarfile.open(file, "w:gz") as archive:
        async for name, text in _contents(kube, namespace):
            data = text.encode()
            entry = tarfile.TarInfo(f"{file.name.removesuffix('.tar.gz')}/{name}")
            entry.size, entry.mtime, entry.mode = len(data), int(time.time()), 0o600
            archive.addfile(entry, io.BytesIO(data))
            names.append(name)
    return names


async def _contents(kube: Kube, namespace: str) -> AsyncIterator[tuple[str, str]]:
    yield "version.txt", f"avance {__version__}\n"
    for resource in WHOLE:
        yield await _listed(kube, resource)
    launchers = ",".join(f"{key}={value}" for key, value in LAUNCHER_SELECTOR.items())
    yield await _listed(kube, PODS, name="launcher-pods", selector=launchers)
    yield await _listed(kube, PODS, namespace, name="operator-pods")
    yield await _listed(kube, LEASES, NODE_LEASES, name="node-leases")
    yield await _listed(kube, LEASES, namespace, name="operator-leases")
    async for entry in _logs(kube, namespace):
        yield entry


async def _listed(
    kube: Kube, resource: Resource, namespace: str = "", *, name: str = "", selector: str = ""
) -> tuple[str, str]:
    name = name or resource.plural
    try:
        items = (await kube.list(resource, namespace, label_selector=selector)).items
    except Unavailable:
        raise
    except ApiError as error:
        return f"{name}.txt", f"{error}\n"
    return f"{name}.json", json.dumps([without_secrets(item) for item in items], indent=1) + "\n"


async def _logs(kube: Kube, namespace: str) -> AsyncIterator[tuple[str, str]]:
    """Of every container of the operator's pods, the one before the last restart too."""
    try:
        pods = (await kube.list(PODS, namespace)).items
    except Unavailable:
        raise
    except ApiError as error:
        yield "logs.txt", f"{error}\n"
        return
    for pod in pods:
        for container in pod["spec"].get("containers") or ():
            for previous in (False, True):
                which = f"{pod['metadata']['name']}-{container['name']}{'-previous' if previous else ''}"
                try:
                    text = await kube.logs(pod["metadata"]["name"], namespace, container["name"], previous=previous)
                except ApiError as error:
                    text = f"{error}\n"
                yield f"logs/{which}.log", text


def without_secrets(value: Any) -> Any:
    """The same object without what may be secret in it, and without the copy of it that kubectl keeps."""
    if isinstance(value, dict):
        return {
            key: LEFT_OUT if key in SECRETIVE and held else without_secrets(held)
            for key, held in value.items()
            if key not in (LAST_APPLIED, "managedFields")
        }
    return [without_secrets(each) for each in value] if isinstance(value, list) else value
