"""Disks of a ProtectedVM as KubeVirt wants them: a device, a volume, and a DataVolume for what has to be made first.

New disks are block devices that both nodes may attach (ReadWriteMany): without that a VM cannot be live-migrated.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from avance.api.disk import Disk, HttpSource, RegistryImageSource
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


def data_volume_templates(pvm: ProtectedVM, striped: Mapping[str, str]) -> Object:
    """`dataVolumeTemplates` for the disks that are made with the VM; nothing when there are none.

    `striped`: the StorageClass of each disk with spindles, as `striped_classes` finds it.
    """
    templates = [_data_volume(pvm, disk, striped) for disk in made_with_the_vm(pvm)]
    return {"dataVolumeTemplates": templates} if templates else {}


def made_with_the_vm(pvm: ProtectedVM) -> list[Disk]:
    """The disks that CDI has to make before the VM can start."""
    return [disk for disk in pvm.spec.disks if _content(pvm, disk)]


def striped_classes(pvm: ProtectedVM, offered: Mapping[int, str], machine: Object | None) -> dict[str, str]:
    """The StorageClass of each disk with spindles; a disk for which none is offered is left out.

    What its VirtualMachine has stays: a disk does not move when the pair's table of classes changes.
    """
    templates = (machine or {}).get("spec", {}).get("dataVolumeTemplates") or ()
    has = {each["metadata"]["name"]: each["spec"].get("storage", {}).get("storageClassName") for each in templates}
    found = {
        disk.name: has.get(data_volume_name(pvm, disk)) or offered.get(disk.spindles)
        for disk in pvm.spec.disks
        if disk.spindles is not None
    }
    return {disk: name for disk, name in found.items() if name}


def _device(disk: Disk) -> Object:
    order = {"bootOrder": disk.boot_order} if disk.boot_order else {}
    if disk.cdrom:
        # There is no CD-ROM drive on the virtio bus, and sata is what an installer finds without a driver.
        return {"name": disk.name, "cdrom": {"bus": "scsi" if disk.bus == "scsi" else "sata"}, **order}
    return {"name": disk.name, "disk": {"bus": disk.bus}, **order}


def _volume_source(pvm: ProtectedVM, disk: Disk) -> Object:
    if disk.container_image:
        return {"containerDisk": {"image": disk.container_image}}
    if disk.claim:
        return {"persistentVolumeClaim": {"claimName": disk.claim.name}}
    return {"dataVolume": {"name": data_volume_name(pvm, disk)}}


def _content(pvm: ProtectedVM, disk: Disk) -> Object | None:
    """What a new disk is filled with; None for one that is not made."""
    if disk.blank:
        return {"source": {"blank": {}}}
    if disk.registry_image:
        return {"source": {"registry": _remote(disk.registry_image)}}
    if disk.http:
        return {"source": {"http": _remote(disk.http)}}
    if disk.clone:
        return {"source": {"pvc": {"name": disk.clone.name, "namespace": pvm.metadata.namespace}}}
    if disk.golden_image:
        namespace = disk.golden_image.namespace or pvm.metadata.namespace
        return {"sourceRef": {"kind": "DataSource", "name": disk.golden_image.name, "namespace": namespace}}
    return None


def _remote(source: RegistryImageSource | HttpSource) -> Object:
    optional = {"secretRef": source.secret_name, "certConfigMap": source.ca_config_map_name}
    return {"url": source.url, **{field: value for field, value in optional.items() if value}}


def _data_volume(pvm: ProtectedVM, disk: Disk, striped: Mapping[str, str]) -> Object:
    storage: Object = {"accessModes": ["ReadWriteMany"], "volumeMode": "Block"}
    if disk.capacity:
        storage["resources"] = {"requests": {"storage": disk.capacity}}
    class_name = striped.get(disk.name) or disk.storage_class_name
    if class_name:
        storage["storageClassName"] = class_name
    content = _content(pvm, disk) or {}
    return {"metadata": {"name": data_volume_name(pvm, disk)}, "spec": {**content, "storage": storage}}


def data_volume_name(pvm: ProtectedVM, disk: Disk) -> str:
    """The DataVolume and the claim of a new disk."""
    return f"{pvm.metadata.name}-{disk.name}"
