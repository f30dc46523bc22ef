"""spec.storage of a pair: who is asked for the state of the copies of the VMs' disks."""

from typing import Annotated, Literal

from pydantic import Field

from avance.api.base import ApiModel, ListOf, MapBy, Rule
from avance.api.meta import ObjectName


class Linstor(ApiModel):
    """The LINSTOR controller. Its names of nodes have to be those of Kubernetes, as Piraeus makes them."""

    url: Annotated[
        str,
        Field(min_length=1, max_length=253),
        Rule(
            "self.matches('^https?://[^/?#@]+/?$')",
            "write http(s)://<host>:<port>, for example http://linstor-controller.piraeus-datastore.svc:3370",
        ),
    ]
    """Address of its REST API, for example http://linstor-controller.piraeus-datastore.svc:3370."""
    ca_secret_name: ObjectName | None = None
    """Secret in the operator's namespace with the key ca.crt: the private authority of an https address."""


class Longhorn(ApiModel):
    """The Longhorn of this cluster."""

    namespace: Annotated[ObjectName, Field(max_length=63)] = "longhorn-system"
    """Where its Replica and Engine objects are."""


class StripedClass(ApiModel):
    """The StorageClass whose volumes are striped over so many physical disks."""

    spindles: Annotated[int, Field(ge=1, le=64)]
    """Over how many disks its volumes are striped; 1 is a class without stripes."""
    storage_class_name: ObjectName
    """Name of the StorageClass."""


class Storage(ApiModel):
    """Whether each node has a copy of its own of every VM's disks, and who tells how good it is."""

    provider: Literal["None", "Linstor", "Longhorn", "Conditions"] = "None"
    """None: the disks are on storage that both nodes reach. Linstor, Longhorn: each node has a copy, and this storage \
is asked for its state. Conditions: each node has a copy, and its ReplicaStorageProblem condition tells of it."""
    linstor: Linstor | None = None
    """Where LINSTOR is; needed with provider Linstor."""
    longhorn: Longhorn = Longhorn()
    """Where Longhorn is."""
    classes: Annotated[ListOf[StripedClass], Field(max_length=16), MapBy("spindles")] = ()
    """Which StorageClass a disk with `spindles` gets. A disk that exists keeps its class."""
    request_timeout_seconds: Annotated[int, Field(ge=1, le=60)] = 5
    """How long one request to the storage may take."""
    only_copy_patience_seconds: Annotated[int, Field(ge=30, le=86400)] = 300
    """How long a node that holds the only good copy of a VM's disks must have been silent before it is fenced, unless \
its management controller says that it is off."""

    rules = (
        Rule(
            "!has(self.provider) || self.provider != 'Linstor' || has(self.linstor)",
            "say where LINSTOR is: write its address to storage.linstor.url",
        ),
    )
