"""virt-controller's part for the disks that are made with a VM: it creates their DataVolumes, and starts nothing before
they are filled.
"""

import copy
from typing import Any

from e2e.controlplane.client import ApiError
from e2e.kubevirt.api import (
    CREATED_BY_LABEL,
    DATA_SOURCE,
    DATA_VOLUME,
    SAR,
    VM,
    Object,
    key_of,
    owner_reference,
    phase_of,
    uid_of,
)
from e2e.kubevirt.conditions import condition, is_true
from e2e.kubevirt.store import Client, Stores

_FILLED = ("Succeeded", "WaitForFirstConsumer", "PendingPopulation")
_SOURCE_RIGHTS = (("create", "cdi.kubevirt.io", "datavolumes", "source"), ("create", "", "pods", ""))
"""Either of these in the source's namespace lets somebody clone from there."""


class DataVolumes:
    """Those of the VMs."""

    def __init__(self, client: Client, stores: Stores) -> None:
        self._client = client
        self._volumes, self._sources = stores[DATA_VOLUME], stores[DATA_SOURCE]

    async def ready(self, vm: Object) -> tuple[bool, str]:
        """Whether all are filled, and why one could not even be created."""
        ready = True
        for template in vm["spec"].get("dataVolumeTemplates") or ():
            namespace, name = key_of(vm)[0], template["metadata"]["name"]
            volume = self._volumes.get((namespace, name))
            if volume is None:
                ready = False
                trouble = await self._create(vm, template)
                if trouble:
                    return False, f"Error encountered while creating DataVolumes: {trouble}"
            elif phase_of(volume) not in _FILLED:
                ready = False
        return ready, ""

    def word(self, vm: Object) -> str:
        """What they add to printableStatus."""
        found = [self._volumes.get((key_of(vm)[0], name)) for name in _names(vm)]
        volumes = [volume for volume in found if volume is not None]
        for volume in volumes:
            running = condition(volume, "Running") or {}
            stopped = running.get("status") == "False" and running.get("reason") in ("Error", "ImagePullFailed")
            if phase_of(volume) == "Failed" or stopped:
                return "DataVolumeError"
        for volume in volumes:
            phase = phase_of(volume)
            if phase in ("Succeeded", "PendingPopulation"):
                continue
            if is_true(volume, "Bound") or phase != "WaitForFirstConsumer":
                return "Provisioning"
        return ""

    async def _create(self, vm: Object, template: Object) -> str:
        namespace = key_of(vm)[0]
        spec = copy.deepcopy(template["spec"])
        reference = spec.pop("sourceRef", None)
        if reference is not None:
            where = (reference.get("namespace") or namespace, reference["name"])
            named = self._sources.get(where)
            if named is None:
                return f'datasources.cdi.kubevirt.io "{where[1]}" not found'
            spec["source"] = copy.deepcopy(named["spec"]["source"])
            spec["source"].get("pvc", {}).setdefault("namespace", where[0])
        refusal = await self._why_not_clone(vm, spec["source"])
        if refusal:
            return f"not authorized to create DataVolume: {refusal}"
        metadata = {
            "name": template["metadata"]["name"],
            "namespace": namespace,
            "labels": {**(template["metadata"].get("labels") or {}), CREATED_BY_LABEL: uid_of(vm)},
            "ownerReferences": [owner_reference(vm, VM)],
        }
        try:
            await self._client.create(DATA_VOLUME, {"metadata": metadata, "spec": spec})
        except ApiError as error:
            return f"failed to create DataVolume: {error.message}"
        return ""

    async def _why_not_clone(self, vm: Object, source: dict[str, Any]) -> str:
        """The VM's service account has to have the right to clone from another namespace, not who wrote the VM."""
        namespace, origin = key_of(vm)[0], (source.get("pvc") or {}).get("namespace")
        if not origin or origin == namespace:
            return ""
        template = vm["spec"]["template"]["spec"]
        mounted = [each["serviceAccount"]["serviceAccountName"] for each in template.get("volumes") or ()
                   if "serviceAccount" in each]  # fmt: skip
        account = template.get("serviceAccountName") or next(iter(mounted), "default")
        user = f"system:serviceaccount:{namespace}:{account}"
        groups = ["system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated"]
        for verb, group, resource, subresource in _SOURCE_RIGHTS:
            attributes = {
                "namespace": origin,
                "verb": verb,
                "group": group,
                "resource": resource,
                "subresource": subresource,
            }
            review = {"spec": {"user": user, "groups": groups, "resourceAttributes": attributes}}
            body = {"apiVersion": SAR.api_version, "kind": SAR.kind, **review}
            answer = await self._client.api.post(SAR.path(), body)
            if answer["status"].get("allowed"):
                return ""
        return f"User {user} has insufficient permissions in clone source namespace {origin}"


def _names(vm: Object) -> list[str]:
    volumes = vm["spec"]["template"]["spec"].get("volumes") or ()
    return [volume["dataVolume"]["name"] for volume in volumes if "dataVolume" in volume]
