"""Disks of a ProtectedVM as KubeVirt wants them: a device, a volume, and a DataVolume for what has to be made first.

New disks are block devices that both nodes may attach (ReadWriteMany): without that a VM cannot be live-migrated.
"""

from __future__ import annotations

from typing import Any

from avance.api.disk import Disk
from avance.api.protected_vm import ProtectedVM

Object = dict[str, Any]

CLOUD_INIT = "cloudinit"
SYSPREP = "sysprep"


def disk_devices(pvm: ProtectedVM) -> list[Object]:
    """What the guest sees."""
    devices = [_device(disk) for disk in pvm.spec.disks]
    if pvm.spec.guest.cloud_init:
        devices.append({"name": CLOUD_INIT, "disk": {"bus": "virtio"}})
    if pvm.spec.guest.sysprep:
        devices.append({"name": SYSPREP, "cdrom": {"bus": "sata"}})
    return devices


def volumes(pvm: ProtectedVM) -> list[Object]:
    """Where the content of each device comes from."""
    found = [{"name": disk.name, **_volume_source(pvm, disk)} for disk in pvm.spec.disks]
    guest = pvm.spec.guest
    if guest.cloud_init and guest.cloud_init.secret_name:
        found.append({"name": CLOUD_INIT, "cloudInitNoCloud": {"secretRef": {"name": guest.cloud_init.secret_name}}})
    elif guest.cloud_init:
        found.append({"name": CLOUD_INIT, "cloudInitNoCloud": {"userData": guest.cloud_init.user_data}})
    if guest.sysprep:
        found.append({"name": SYSPREP, "sysprep": {"secret": {"name": guest.sysprep.secret_name}}})
    return found


def data_volume_templates(pvm: ProtectedVM) -> Object:
    """`dataVolumeTemplates` for the disks that are made with the VM; nothing when there are none."""
    templates = [_data_volume(pvm, disk, source) for disk in pvm.spec.disks if (source := _import_source(disk))]
    return {"dataVolumeTemplates": templates} if templates else {}


def _device(disk: Disk) -> Object:
    order = {"bootOrder": disk.boot_order} if disk.boot_order else {}
    return {"name": disk.name, "disk": {"bus": disk.bus}, **order}


def _volume_source(pvm: ProtectedVM, disk: Disk) -> Object:
    if disk.container_image:
        return {"containerDisk": {"image": disk.container_image}}
    if disk.claim:
        return {"persistentVolumeClaim": {"claimName": disk.claim.name}}
    return {"dataVolume": {"name": _data_volume_name(pvm, disk)}}


def _import_source(disk: Disk) -> Object | None:
    if disk.blank:
        return {"blank": {}}
    if disk.registry_image:
        return {"registry": {"url": disk.registry_image.url}}
    if disk.http:
        return {"http": {"url": disk.http.url}}
    if disk.golden_image:
        return {"pvc": {"name": disk.golden_image.name, "namespace": disk.golden_image.namespace}}
    return None


def _data_volume(pvm: ProtectedVM, disk: Disk, source: Object) -> Object:
    storage: Object = {
        "accessModes": ["ReadWriteMany"],
        "volumeMode": "Block",
        "resources": {"requests": {"storage": disk.capacity}},
    }
    if disk.storage_class_name:
        storage["storageClassName"] = disk.storage_class_name
    return {"metadata": {"name": _data_volume_name(pvm, disk)}, "spec": {"source": source, "storage": storage}}


def _data_volume_name(pvm: ProtectedVM, disk: Disk) -> str:
    return f"{pvm.metadata.name}-{disk.name}"
