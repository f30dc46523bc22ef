"""Names of the API that the stand-in speaks, Kubernetes and KubeVirt: resources, their paths, labels, annotations."""

import datetime
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]
Key = tuple[str, str]
"""Namespace (empty for cluster-scoped objects) and name."""


@dataclass(frozen=True)
class Resource:
    """One kind of the API server. `group` is empty for the core group."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """URL path of the collection, of an object in it, or of an object's subresource."""
        root = f"/apis/{self.group}" if self.group else "/api"
        scope = f"/namespaces/{namespace}" if namespace else ""
        tail = "".join(f"/{part}" for part in (name, subresource) if part)
        return f"{root}/{self.version}{scope}/{self.plural}{tail}"

    @property
    def api_version(self) -> str:
        """As written in an object's apiVersion."""
        return f"{self.group}/{self.version}" if self.group else self.version


VM = Resource("kubevirt.io", "v1", "virtualmachines", "VirtualMachine")
VMI = Resource("kubevirt.io", "v1", "virtualmachineinstances", "VirtualMachineInstance")
VMIM = Resource("kubevirt.io", "v1", "virtualmachineinstancemigrations", "VirtualMachineInstanceMigration")
KUBEVIRT = Resource("kubevirt.io", "v1", "kubevirts", "KubeVirt")
POLICY = Resource("migrations.kubevirt.io", "v1alpha1", "migrationpolicies", "MigrationPolicy", namespaced=False)
_INSTANCE_TYPES = ("instancetype.kubevirt.io", "v1beta1")
CLUSTER_INSTANCE_TYPE = Resource(
    *_INSTANCE_TYPES, "virtualmachineclusterinstancetypes", "VirtualMachineClusterInstancetype", namespaced=False
)
INSTANCE_TYPE = Resource(*_INSTANCE_TYPES, "virtualmachineinstancetypes", "VirtualMachineInstancetype")
CLUSTER_PREFERENCE = Resource(
    *_INSTANCE_TYPES, "virtualmachineclusterpreferences", "VirtualMachineClusterPreference", namespaced=False
)
PREFERENCE = Resource(*_INSTANCE_TYPES, "virtualmachinepreferences", "VirtualMachinePreference")
NETWORK_ATTACHMENT = Resource("k8s.cni.cncf.io", "v1", "network-attachment-definitions", "NetworkAttachmentDefinition")
POD = Resource("", "v1", "pods", "Pod")
NODE = Resource("", "v1", "nodes", "Node", namespaced=False)
NAMESPACE = Resource("", "v1", "namespaces", "Namespace", namespaced=False)
PVC = Resource("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim")
PV = Resource("", "v1", "persistentvolumes", "PersistentVolume", namespaced=False)
STORAGE_CLASS = Resource("storage.k8s.io", "v1", "storageclasses", "StorageClass", namespaced=False)
DATA_VOLUME = Resource("cdi.kubevirt.io", "v1beta1", "datavolumes", "DataVolume")
DATA_SOURCE = Resource("cdi.kubevirt.io", "v1beta1", "datasources", "DataSource")
SAR = Resource("authorization.k8s.io", "v1", "subjectaccessreviews", "SubjectAccessReview", namespaced=False)
EVENT = Resource("", "v1", "events", "Event")
SERVICE = Resource("", "v1", "services", "Service")
SERVICE_ACCOUNT = Resource("", "v1", "serviceaccounts", "ServiceAccount")
REVISION = Resource("apps", "v1", "controllerrevisions", "ControllerRevision")
DAEMON_SET = Resource("apps", "v1", "daemonsets", "DaemonSet")
CLUSTER_ROLE = Resource("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", namespaced=False)
CLUSTER_ROLE_BINDING = Resource(
    "rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False
)
LEASE = Resource("coordination.k8s.io", "v1", "leases", "Lease")
PRIORITY_CLASS = Resource("scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass", namespaced=False)
CRD = Resource("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", namespaced=False)
API_SERVICE = Resource("apiregistration.k8s.io", "v1", "apiservices", "APIService", namespaced=False)
MUTATING = Resource(
    "admissionregistration.k8s.io", "v1", "mutatingwebhookconfigurations", "MutatingWebhookConfiguration", False
)
VALIDATING = Resource(
    "admissionregistration.k8s.io", "v1", "validatingwebhookconfigurations", "ValidatingWebhookConfiguration", False
)

SYSTEM_NAMESPACE = "kubevirt"
SUBRESOURCE_GROUP = "subresources.kubevirt.io"
CONTROLLER_USER = f"system:serviceaccount:{SYSTEM_NAMESPACE}:kubevirt-controller"
HANDLER_USER = f"system:serviceaccount:{SYSTEM_NAMESPACE}:kubevirt-handler"
APISERVER_USER = f"system:serviceaccount:{SYSTEM_NAMESPACE}:kubevirt-apiserver"
KUBEVIRT_USERS = frozenset({CONTROLLER_USER, HANDLER_USER, APISERVER_USER})
KUBELET_USER = "stand-in:launcher-kubelet"

APP_LABEL = "kubevirt.io"
CREATED_BY_LABEL = "kubevirt.io/created-by"
VM_NAME_LABEL = "vm.kubevirt.io/name"
NODE_NAME_LABEL = "kubevirt.io/nodeName"
MIGRATION_TARGET_LABEL = "kubevirt.io/migrationTargetNodeName"
MIGRATION_JOB_LABEL = "kubevirt.io/migrationJobUID"
SCHEDULABLE_LABEL = "kubevirt.io/schedulable"
HEARTBEAT_ANNOTATION = "kubevirt.io/heartbeat"
DOMAIN_ANNOTATION = "kubevirt.io/domain"
MIGRATION_JOB_ANNOTATION = "kubevirt.io/migrationJobName"
WORKLOAD_UPDATE_ANNOTATION = "kubevirt.io/workloadUpdateMigration"
EVACUATION_ANNOTATION = "kubevirt.io/evacuationMigration"
UNSCHEDULABLE_TIMEOUT_ANNOTATION = "kubevirt.io/migrationUnschedulablePodTimeoutSeconds"
PENDING_TIMEOUT_ANNOTATION = "kubevirt.io/migrationPendingPodTimeoutSeconds"
UNPAUSED_GATE = "kubevirt.io/virtual-machine-unpaused"

VM_FINALIZER = "kubevirt.io/virtualMachineControllerFinalize"
VMI_FINALIZER = "kubevirt.io/foregroundDeleteVirtualMachine"
VMIM_FINALIZER = "kubevirt.io/migrationJobFinalize"

FINAL_PHASES = frozenset({"Succeeded", "Failed"})


def key_of(obj: Object) -> Key:
    """Namespace and name of an object."""
    metadata = obj["metadata"]
    return metadata.get("namespace", ""), metadata["name"]


def uid_of(obj: Object) -> str:
    """The object's UID."""
    uid: str = obj["metadata"]["uid"]
    return uid


def labels_of(obj: Object) -> dict[str, str]:
    """The object's labels; a fresh empty dictionary when it has none."""
    labels: dict[str, str] = obj["metadata"].get("labels") or {}
    return labels


def annotations_of(obj: Object) -> dict[str, str]:
    """The object's annotations; a fresh empty dictionary when it has none."""
    annotations: dict[str, str] = obj["metadata"].get("annotations") or {}
    return annotations


def is_deleting(obj: Object) -> bool:
    """Whether somebody asked for its deletion."""
    return bool(obj["metadata"].get("deletionTimestamp"))


def phase_of(obj: Object) -> str:
    """status.phase, empty when unset."""
    phase: str = (obj.get("status") or {}).get("phase") or ""
    return phase


def is_final(obj: Object) -> bool:
    """Whether a VMI, migration or pod has ended."""
    return phase_of(obj) in FINAL_PHASES


def controller_uid(obj: Object) -> str:
    """UID of the controlling owner, empty when there is none."""
    for owner in obj["metadata"].get("ownerReferences") or []:
        if owner.get("controller"):
            uid: str = owner["uid"]
            return uid
    return ""


def owner_reference(owner: Object, resource: Resource) -> Object:
    """A controlling, blocking reference to `owner`."""
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "name": owner["metadata"]["name"],
        "uid": uid_of(owner),
        "controller": True,
        "blockOwnerDeletion": True,
    }


def timestamp(moment: datetime.datetime | None = None) -> str:
    """RFC 3339 with whole seconds, as metav1.Time is written; now by default."""
    moment = moment or datetime.datetime.now(datetime.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds_since(stamp: str) -> float:
    """Age in seconds of an RFC 3339 timestamp."""
    return (datetime.datetime.now(datetime.UTC) - datetime.datetime.fromisoformat(stamp)).total_seconds()
