"""The disks of a ProtectedVM: where each comes from, and what may change once it exists."""

from typing import Annotated, Literal

from pydantic import Field

from avance.api.base import ApiModel, Rule, exactly_one
from avance.api.meta import QUANTITY_PATTERN, DnsLabel, ObjectName

_SOURCES = ("blank", "containerImage", "registryImage", "http", "goldenImage", "clone", "claim")
_COPIES = ("goldenImage", "clone")
"""Sources that have a size, which a copy takes over."""
_AS_IT_IS = ("containerImage", "claim")
"""Sources of which no new disk is made."""
_STAYS = ("storageClassName", "spindles")
_DISK_STAYS = "a disk keeps its source and its storage class: add a disk under another name instead"
_Stays = Rule("self == oldSelf", _DISK_STAYS)

_Capacity = Annotated[
    str,
    Field(max_length=32),
    Rule(f"self.matches('{QUANTITY_PATTERN}')", "write a number and a unit, for example 20Gi"),
    Rule(
        "!isQuantity(self) || quantity(self).compareTo(quantity('1Mi')) >= 0",
        "a disk has at least 1Mi; mind the unit: 20Gi, not 20",
    ),
    Rule(
        "!isQuantity(self) || quantity(self).compareTo(quantity(oldSelf)) >= 0",
        "a disk can grow but not shrink: leave its capacity, or add a smaller disk under another name",
    ),
]
_ImageName = Annotated[str, Field(min_length=1, max_length=512)]


class BlankSource(ApiModel):
    """An empty disk."""


class RegistryImageSource(ApiModel):
    """An image in a container registry that is copied into the disk once."""

    url: Annotated[
        str,
        Field(max_length=512),
        Rule("self.matches('^(docker|oci-archive)://.+$')", "write docker://<registry>/<image>:<tag>"),
    ]
    """The image: docker://<registry>/<image>:<tag>."""
    secret_name: ObjectName | None = None
    """Secret in the VM's namespace with accessKeyId and secretKey: user and password of the registry."""
    ca_config_map_name: ObjectName | None = None
    """ConfigMap in the VM's namespace with the certificates of a private authority."""


class HttpSource(ApiModel):
    """An image behind a web address that is copied into the disk once."""

    url: Annotated[
        str,
        Field(max_length=2048),
        Rule("self.matches('^https?://[^/]+')", "write the whole address of the image: https://<host>/<path>"),
    ]
    """Address of the image: raw or qcow2, also packed with gzip or xz."""
    secret_name: ObjectName | None = None
    """Secret in the VM's namespace with accessKeyId and secretKey: user and password of the server."""
    ca_config_map_name: ObjectName | None = None
    """ConfigMap in the VM's namespace with the certificates of a private authority."""


class GoldenImageSource(ApiModel):
    """A CDI DataSource: an installed disk that is kept as a template and cloned into the disk once."""

    name: ObjectName
    """Name of the DataSource."""
    namespace: Annotated[ObjectName, Field(max_length=63)] | None = None
    """Its namespace; that of the VM when absent. From another namespace, the VM's service account needs the right to \
clone there: see docs/golden-images.md."""


class CloneSource(ApiModel):
    """A claim whose content is copied into the disk once, while nothing writes to it."""

    name: ObjectName
    """Name of the PersistentVolumeClaim, in the ProtectedVM's namespace."""


class ClaimSource(ApiModel):
    """A claim that exists already and is used as it is."""

    name: ObjectName
    """Name of the PersistentVolumeClaim, in the ProtectedVM's namespace."""


_NEW_ALONE = {
    "capacity": "remove capacity: a claim or a container image has its own size",
    "storageClassName": "remove storageClassName: it is for new disks, not for a claim or a container image",
    "spindles": "remove spindles: they are for new disks, not for a claim or a container image",
}


def _for_new_disks(field: str, message: str) -> Rule:
    taken = " || ".join(f"has(self.{source})" for source in reversed(_AS_IT_IS))
    return Rule(f"!has(self.{field}) || !({taken})", message)


class Disk(ApiModel):
    """A disk of the VM, with one source."""

    rules = (
        Rule(exactly_one(*_SOURCES), f"say where the disk comes from with exactly one of {', '.join(_SOURCES)}"),
        Rule(
            " || ".join(f"has(self.{field})" for field in ("capacity", *_COPIES, *_AS_IT_IS)),
            "say how large the new disk is: add capacity, for example 20Gi",
        ),
        *(_for_new_disks(field, why) for field, why in _NEW_ALONE.items()),
        Rule(
            "!has(self.cdrom) || !self.cdrom || !(has(self.blank) || has(self.goldenImage))",
            "a CD-ROM drive holds an image: give it containerImage, registryImage, http, clone or claim",
        ),
        Rule(
            "!has(self.spindles) || !has(self.storageClassName)",
            "spindles choose the storage class: remove storageClassName, or spindles",
        ),
        Rule(
            " && ".join(f"has(self.{field}) == has(oldSelf.{field})" for field in (*_SOURCES, *_STAYS)),
            _DISK_STAYS,
        ),
    )

    name: DnsLabel
    """Name of the disk."""
    capacity: _Capacity | None = None
    """Size of a new disk, for example 20Gi. A copy is as large as its source when absent. A disk that exists grows \
with its claim, which nobody but a person makes larger; then write the new size here, too."""
    storage_class_name: Annotated[ObjectName, _Stays] | None = None
    """StorageClass of a new disk; without it and spindles the cluster's default."""
    spindles: Annotated[int, Field(ge=1, le=64), _Stays] | None = None
    """Over how many physical disks a new disk is striped: storage.classes of the pair names the StorageClass."""
    bus: Literal["virtio", "sata", "scsi"] = "virtio"
    """How the guest sees the disk: virtio is fastest, sata needs no driver."""
    cdrom: bool | None = None
    """The guest sees it as a CD-ROM drive (on the sata bus, or on scsi if bus says so) and cannot write to it."""
    boot_order: Annotated[int, Field(ge=1, le=64)] | None = None
    """The guest boots from the disk with the lowest number."""
    blank: BlankSource | None = None
    """An empty disk; write it as blank: {}."""
    container_image: _ImageName | None = None
    """A container image that holds a disk. What the guest writes is lost when the VM stops."""
    registry_image: Annotated[RegistryImageSource, _Stays] | None = None
    """An image in a container registry that is copied into the disk once."""
    http: Annotated[HttpSource, _Stays] | None = None
    """An image behind a web address that is copied into the disk once."""
    golden_image: Annotated[GoldenImageSource, _Stays] | None = None
    """A CDI DataSource: an installed disk that is kept as a template and cloned into the disk once."""
    clone: Annotated[CloneSource, _Stays] | None = None
    """A claim whose content is copied into the disk once, while nothing writes to it."""
    claim: Annotated[ClaimSource, _Stays] | None = None
    """A claim that exists already and is used as it is."""
