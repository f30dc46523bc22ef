"""What a pair's status says of each of its nodes."""

from typing import Annotated, Literal

from pydantic import Field

from avance.api.base import ApiModel, ListOf
from avance.api.health import ComponentKind, Severity
from avance.api.maintenance import MaintenanceStatus
from avance.api.meta import Evidence, Message, NodeName, Time
from avance.api.mtbf import ComponentStatus, DeclaredDown

NodeState = Literal[
    "Unknown",
    "InService",
    "Degraded",
    "Suspect",
    "Fencing",
    "Fenced",
    "Rejoining",
    "Closed",
    "Rebooting",
    "DeclaredDown",
    "Replaced",
    "Draining",
    "Maintenance",
    "Absent",
]


class ActiveFault(ApiModel):
    """A fault that is there now."""

    kind: ComponentKind
    """Kind of the component."""
    component: Annotated[str, Field(max_length=253)]
    """The component, for example PSU2."""
    severity: Severity
    """What it means for the node."""
    condition: Annotated[str, Field(max_length=316)]
    """The Node condition that reports it."""
    since: Time
    """When it began."""
    message: Message = ""
    """The condition's own words."""
    part: Annotated[str, Field(max_length=253)] | None = None
    """Part number, when the condition names it."""
    serial: Annotated[str, Field(max_length=253)] | None = None
    """Serial number, when the condition names it."""


class FencePath(ApiModel):
    """Whether the node could be fenced now."""

    state: Literal["Healthy", "Failed", "Unknown"]
    """Healthy: the management controller answered, and it is the right one."""
    checked_at: Time | None = None
    """When it was asked last."""
    lied_at: Time | None = None
    """When it read Off while the node was alive; it is not believed until it has read On."""
    message: Message = ""
    """What it answered, or why it did not, and what to do."""


class FenceStatus(ApiModel):
    """What is known about the fencing of a node."""

    path: FencePath | None = None
    """Whether the node could be fenced now."""
    evidence: Evidence | None = None
    """The last proof that the node was off."""


class NodeStatus(ApiModel):
    """One of the two nodes, as the operator sees it."""

    name: NodeName
    """Name of the node."""
    state: NodeState
    """InService and Degraded nodes serve. Suspect: maybe dead. Fencing: being powered off. Fenced: proved off. \
Rejoining: back, not yet trusted. Closed: takes no VMs. Rebooting: being switched off and on, which may mend a fault. \
DeclaredDown: out of service until its MTBF is reset. Replaced: another server than before, which a person has to \
accept. Draining: its VMs move away for a maintenance. Maintenance: a person works on it, until a LeaveMaintenance. \
Absent: known from before, and not a node of the pair now."""
    score: Annotated[int, Field(ge=0, le=100)] | None = None
    """Health score: 100 without a fault, 0 when the node is gone."""
    explanation: Message = ""
    """How the score came about, for example 92 = 100 - 8 (power supply PSU2 of node-a failed)."""
    faults: Annotated[ListOf[ActiveFault], Field(max_length=64)] = ()
    """The faults that are there now."""
    boot_id: Annotated[str, Field(max_length=128)] | None = None
    """The boot that the node runs in."""
    system_uuid: Annotated[str, Field(max_length=128)] | None = None
    """UUID of the machine."""
    expected_system_uuid: Annotated[str, Field(max_length=128)] | None = None
    """UUID of the machine that is known by this name: the first that was seen, or that a person has accepted."""
    identified_at: Time | None = None
    """When it was accepted."""
    fence: FenceStatus | None = None
    """What is known about its fencing."""
    components: Annotated[ListOf[ComponentStatus], Field(max_length=64)] = ()
    """Components that have failed before, with their MTBF."""
    declared_down: DeclaredDown | None = None
    """Why it is out of service until its MTBF is reset."""
    maintenance: MaintenanceStatus | None = None
    """Since when it is in maintenance, for whom and why; absent while it is not."""
    maintenance_ended_at: Time | None = None
    """When its last maintenance ended."""
    mtbf_lifted_at: Time | None = None
    """When its MTBF was last reset or its last declaration forgiven."""
    cordoned_at: Time | None = None
    """When somebody else was first seen to have cordoned it; gone once it serves again after that."""
    heard_peer_in: Annotated[str, Field(max_length=128)] | None = None
    """The last boot of it in which it has heard the other node: before that its word that it is gone counts nothing."""
