"""The kinds that the operator reads or writes, with what it takes to address them. Nothing about their content."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote


@dataclass(frozen=True)
class Resource:
    """One kind of the Kubernetes API."""

    group: str
    """API group; empty for the core group."""
    version: str
    plural: str
    namespaced: bool
    kind: str

    @property
    def api_version(self) -> str:
        """The value of `apiVersion` in an object of this kind."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """URL path of an object, or of the collection when `name` is empty (of all namespaces without `namespace`).

        Raises ValueError when the namespace doesn't fit the kind: a wrong path would answer a misleading 404.
        """
        if namespace and not self.namespaced:
            raise ValueError(f"{self.kind} is cluster-scoped: leave the namespace out (got {namespace!r})")
        if name and self.namespaced and not namespace:
            raise ValueError(f"{self.kind} {name!r} needs a namespace")
        parts = ["apis", self.group, self.version] if self.group else ["api", self.version]
        parts += ["namespaces", namespace] if namespace else []
        parts += [part for part in (self.plural, name, subresource) if part]
        return "/" + "/".join(quote(part, safe="") for part in parts)


PODS = Resource("", "v1", "pods", True, "Pod")
NODES = Resource("", "v1", "nodes", False, "Node")
SECRETS = Resource("", "v1", "secrets", True, "Secret")
LEASES = Resource("coordination.k8s.io", "v1", "leases", True, "Lease")
EVENTS = Resource("events.k8s.io", "v1", "events", True, "Event")

CUSTOM_RESOURCE_DEFINITIONS = Resource(
    "apiextensions.k8s.io", "v1", "customresourcedefinitions", False, "CustomResourceDefinition"
)

AVANCE_PAIRS = Resource("avance.dev", "v1alpha1", "avancepairs", False, "AvancePair")
PROTECTED_VMS = Resource("avance.dev", "v1alpha1", "protectedvms", True, "ProtectedVM")
AVANCE_ACTIONS = Resource("avance.dev", "v1alpha1", "avanceactions", False, "AvanceAction")

VIRTUAL_MACHINES = Resource("kubevirt.io", "v1", "virtualmachines", True, "VirtualMachine")
VMIS = Resource("kubevirt.io", "v1", "virtualmachineinstances", True, "VirtualMachineInstance")
KUBEVIRTS = Resource("kubevirt.io", "v1", "kubevirts", True, "KubeVirt")
MIGRATION_POLICIES = Resource("migrations.kubevirt.io", "v1alpha1", "migrationpolicies", False, "MigrationPolicy")
MIGRATIONS = Resource("kubevirt.io", "v1", "virtualmachineinstancemigrations", True, "VirtualMachineInstanceMigration")

DATA_VOLUMES = Resource("cdi.kubevirt.io", "v1beta1", "datavolumes", True, "DataVolume")
DATA_SOURCES = Resource("cdi.kubevirt.io", "v1beta1", "datasources", True, "DataSource")
_INSTANCE_TYPES = ("instancetype.kubevirt.io", "v1beta1")
CLUSTER_INSTANCE_TYPES = Resource(
    *_INSTANCE_TYPES, "virtualmachineclusterinstancetypes", False, "VirtualMachineClusterInstancetype"
)
INSTANCE_TYPES = Resource(*_INSTANCE_TYPES, "virtualmachineinstancetypes", True, "VirtualMachineInstancetype")
CONTROLLER_REVISIONS = Resource("apps", "v1", "controllerrevisions", True, "ControllerRevision")

STORAGE_PROFILES = Resource("cdi.kubevirt.io", "v1beta1", "storageprofiles", False, "StorageProfile")
