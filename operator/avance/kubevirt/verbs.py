"""KubeVirt's verbs for VMs: start, stop, restart, and live migration to one node.

A verb is spoken only to the instance that the decision was about: KubeVirt's own state is read first, because by now
somebody else, or our own predecessor, may have done it.
"""

from __future__ import annotations

from typing import Any

from avance.kube.client import Kube
from avance.kube.errors import AlreadyExists, ApiError, Conflict, NotFound
from avance.kube.resources import MIGRATIONS, VMIS
from avance.kubevirt.affinity import HOSTNAME_LABEL

Object = dict[str, Any]

_SUBRESOURCES = "/apis/subresources.kubevirt.io/v1/namespaces"
_UNSCHEDULABLE_SECONDS = "kubevirt.io/migrationUnschedulablePodTimeoutSeconds"
_PENDING_SECONDS = "kubevirt.io/migrationPendingPodTimeoutSeconds"


async def start(kube: Kube, namespace: str, name: str, instance_uid: str) -> None:
    """Ask for a new instance in place of the one with `instance_uid` (empty: of none).

    Returns without doing anything when there is another instance by now, or when KubeVirt is at it already. Raises
    ApiError for other refusals.
    """
    live = await _instance_uid(kube, namespace, name)
    if live != instance_uid:
        return
    await _speak(kube, namespace, name, "restart" if live else "start")


async def stop(kube: Kube, namespace: str, name: str, instance_uid: str) -> None:
    """Have the guest of this very instance shut down; nothing if it is gone."""
    if await _instance_uid(kube, namespace, name) == instance_uid:
        await _speak(kube, namespace, name, "stop")


async def migrate(kube: Kube, namespace: str, vm: str, name: str, hostname: str, unschedulable_seconds: float) -> None:
    """Create the migration `name` of a VM to the node with this hostname label; nothing if it exists.

    KubeVirt's own time-outs for a target that no node takes are 5 and 15 minutes, and a stuck migration keeps one of
    the few slots that others wait for: hence shorter ones.
    """
    limits = {
        _UNSCHEDULABLE_SECONDS: str(int(unschedulable_seconds)),
        # A target pod that is scheduled may still have to pull an image.
        _PENDING_SECONDS: str(int(unschedulable_seconds) * 4),
    }
    migration: Object = {
        "apiVersion": MIGRATIONS.api_version,
        "kind": MIGRATIONS.kind,
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {"app.kubernetes.io/managed-by": "avance"},
            "annotations": limits,
        },
        "spec": {"vmiName": vm, "addedNodeSelector": {HOSTNAME_LABEL: hostname}},
    }
    try:
        # A KubeVirt that does not know the selector would move the VM to any node of the cluster.
        await kube.create(MIGRATIONS, migration, namespace, strict=True)
    except AlreadyExists:
        return


async def withdraw_migration(kube: Kube, namespace: str, name: str) -> None:
    """Cancel a migration; the VM stays where it is."""
    await kube.delete(MIGRATIONS, name, namespace, missing_ok=True)


async def _instance_uid(kube: Kube, namespace: str, name: str) -> str:
    try:
        return str((await kube.get(VMIS, name, namespace))["metadata"]["uid"])
    except NotFound:
        return ""


async def _speak(kube: Kube, namespace: str, name: str, verb: str) -> None:
    try:
        await kube.subresource_put(f"{_SUBRESOURCES}/{namespace}/virtualmachines/{name}/{verb}")
    except Conflict:
        # 409 is KubeVirt's "not in a state for this", and the state is watched: the next look decides anew.
        return
    except ApiError as error:
        if "already underway" in error.message:
            return
        raise
