"""What a user of the product applies to a lab, and what can be read there: objects, metrics, what physically ran."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from e2e.controlplane import Api
from e2e.hardware import PAIR_NODES
from e2e.kubevirt.ledger import Ledger
from e2e.lab import Lab

Object = dict[str, Any]

PAIR = "/apis/avance.dev/v1alpha1/avancepairs/demo"
PAIRS, ACTIONS = "/apis/avance.dev/v1alpha1/avancepairs", "/apis/avance.dev/v1alpha1/avanceactions"
PVMS = "/apis/avance.dev/v1alpha1/namespaces/default/protectedvms"
_KUBEVIRT = "/apis/kubevirt.io/v1/namespaces/default"
VMS, VMIS = f"{_KUBEVIRT}/virtualmachines", f"{_KUBEVIRT}/virtualmachineinstances"
MIGRATIONS = f"{_KUBEVIRT}/virtualmachineinstancemigrations"
PODS = "/api/v1/namespaces/default/pods"
KUBEVIRT = "/apis/kubevirt.io/v1/namespaces/kubevirt/kubevirts/kubevirt"
LEASE = "/apis/coordination.k8s.io/v1/namespaces/avance-system/leases/avance-operator"
PRIMARY, BACKUP = PAIR_NODES
"""By the placement policy every VM starts on the first node."""


@dataclass(frozen=True)
class Action:
    """An AvanceAction, read."""

    name: str
    type: str
    target: str
    phase: str
    step: str
    obj: Object = field(repr=False)

    @classmethod
    def of(cls, obj: Object) -> "Action":
        spec, status = obj["spec"], obj.get("status") or {}
        return cls(
            obj["metadata"]["name"],
            spec["type"],
            spec["target"]["name"],
            status.get("phase", "Pending"),
            status.get("step", ""),
            obj,
        )

    @property
    def done(self) -> bool:
        return self.phase in ("Succeeded", "Failed", "Cancelled")

    @property
    def steps(self) -> list[Object]:
        return list((self.obj.get("status") or {}).get("steps") or ())

    @property
    def says(self) -> str:
        """The message of the step that it is at."""
        return next((str(step.get("message", "")) for step in self.steps if step["name"] == self.step), "")

    @property
    def failed_tries(self) -> int:
        return sum(step.get("attempts", 0) for step in self.steps)


class Records:
    """The objects of one pair, and the records of its operators."""

    def __init__(self, lab: Lab) -> None:
        assert lab.kubevirt is not None, "these tests need KubeVirt"
        self.lab = lab
        self.ledger: Ledger = lab.kubevirt.ledger
        self._first_run = 0

    @property
    def api(self) -> Api:
        """The lab's administrator."""
        return self.lab.control_plane.api

    # What the user applies

    async def apply_pair(self, bmc_addresses: Mapping[str, str] | None = None, **changes: Any) -> None:
        """The pair of the two nodes, its waits shortened; `changes` are merged into the spec.

        `bmc_addresses`: by node, where the BMCs are to be reached if not where they are.
        """
        addresses = bmc_addresses or {node: bmc.url for node, bmc in self.lab.hardware.bmcs.items()}
        fencing = [
            {"name": node, "address": address, "credentialsSecretName": f"bmc-{node}"}
            for node, address in addresses.items()
        ]
        spec = {
            "nodeSelector": {"avance.dev/pair": "demo"},
            "mode": "Automatic",
            "health": {"minimumStaySeconds": 0},
            "fencing": {"nodes": fencing, "requestTimeoutSeconds": 1, "checkIntervalSeconds": 10},
            "recovery": {"stabilisationSeconds": 2, "powerOn": "Automatic"},
            "placement": {"policy": "Consolidated"},
            "restart": {"readyGateSeconds": 20, "startTimeoutSeconds": 30, "maxColdRestarts": 1000},
            "migration": {"retryBackoffSeconds": 5},
            # What earlier tests broke is nobody's history.
            "mtbf": {"minimumFaults": 30, "windowSeconds": 600},
            **changes,
        }
        body = {"apiVersion": "avance.dev/v1alpha1", "kind": "AvancePair", "metadata": {"name": "demo"}, "spec": spec}
        await self.api.patch(PAIR, body, "application/apply-patch+yaml", fieldManager="user", force="true")

    async def apply_vm(self, name: str, **spec: Any) -> None:
        """Creates a ProtectedVM, small unless the spec says otherwise; None leaves a field out."""
        disks = [{"name": "root", "containerImage": "registry.example/linux:1"}]
        small = {"pairRef": {"name": "demo"}, "cores": 1, "memory": "512Mi", "disks": disks}
        wanted = {field: value for field, value in {**small, **spec}.items() if value is not None}
        await self.api.post(PVMS, {**_kind("ProtectedVM"), "metadata": {"name": name}, "spec": wanted})

    async def edit_vm(self, name: str, **spec: Any) -> None:
        await self.api.patch(f"{PVMS}/{name}", {"spec": spec})

    async def remove_vm(self, name: str) -> None:
        await self.api.delete(f"{PVMS}/{name}")

    async def ask_for(self, kind: str, target: str, **spec: Any) -> str:
        """A person's own AvanceAction on a VM or a node; its name."""
        where: Object = (
            {"kind": "Node", "name": target}
            if target in PAIR_NODES
            else {"kind": "ProtectedVM", "name": target, "namespace": "default"}
        )
        body = {"pairRef": {"name": "demo"}, "type": kind, "target": where, "requestedBy": "lab-admin", **spec}
        made = await self.api.post(
            ACTIONS, {**_kind("AvanceAction"), "metadata": {"generateName": "my-"}, "spec": body}
        )
        return str(made["metadata"]["name"])

    # What can be asked

    async def pair_status(self) -> Object:
        return dict((await self.api.get(PAIR)).get("status") or {})

    async def actions(self, kind: str = "", target: str = "") -> list[Action]:
        """What was done, oldest first; the records of edits too if that kind is asked for."""
        found = [Action.of(obj) for obj in (await self.api.get(ACTIONS))["items"]]
        wanted = [one for one in found if (one.type == kind if kind else one.type != "Edit")]
        chosen = (one for one in wanted if target in ("", one.target))
        return sorted(chosen, key=lambda one: (one.obj["metadata"]["creationTimestamp"], _began(one)))

    async def node(self, name: str) -> Object:
        return dict(await self.api.get(f"/api/v1/nodes/{name}"))

    async def pvm(self, name: str) -> Object:
        return dict(await self.api.get(f"{PVMS}/{name}"))

    async def virtual_machine(self, name: str) -> Object:
        return dict(await self.api.get(f"{VMS}/{name}"))

    async def pods(self, vm: str) -> list[Object]:
        return list((await self.api.get(PODS, labelSelector=f"vm.kubevirt.io/name={vm}"))["items"])

    async def migrations(self) -> list[Object]:
        return list((await self.api.get(MIGRATIONS))["items"])

    def runs(self, vm: str) -> list[Object]:
        """Every time that this VM physically ran since it was made, oldest first."""
        return [run for run in self.ledger.history() if run["name"] == vm and run["number"] > self._first_run]

    async def metric(self, name: str, number: int = 1) -> float:
        """Sum of the samples whose line begins with `name`; 0 without any."""
        async with aiohttp.ClientSession() as session, session.get(self.lab.operators[number].metrics_url) as response:
            text = await response.text()
        return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(name))

    async def probe(self, path: str, number: int = 1) -> int:
        """HTTP status of a health probe."""
        url = f"{self.lab.operators[number].health_url}/{path}"
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            return response.status

    async def events(self, of: str) -> set[str]:
        """Reasons of the Events about one object."""
        listing = await self.api.get("/apis/events.k8s.io/v1/events")
        return {event["reason"] for event in listing["items"] if event.get("regarding", {}).get("name") == of}


def _kind(kind: str) -> Object:
    return {"apiVersion": "avance.dev/v1alpha1", "kind": kind}


def _began(action: Action) -> str:
    return str((action.obj.get("status") or {}).get("startedAt", ""))
