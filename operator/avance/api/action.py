"""AvanceAction: one object for each thing that is done, written before it is done.

It is the write-ahead intent that a successor of a dead operator resumes, the log of what happened, and the way in
which a person asks for something.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from avance.api.base import ApiModel, Column, ListOf, MapBy, Names, Resource, Rule
from avance.api.meta import Evidence, Message, NodeName, ObjectMeta, ObjectName, PairRef, Time
from avance.api.notifications import Message as Notification
from avance.api.upgrade import Upgrade

ActionType = Literal[
    "Start",
    "Stop",
    "Migrate",
    "Restart",
    "Fence",
    "ColdRestart",
    "Rejoin",
    "CallHome",
    "Reboot",
    "DeclareDown",
    "ResetMTBF",
    "AttestOff",
    "GiveUp",
    "Failback",
    "Switchover",
    "AcceptReplacement",
    "Notify",
    "EnterMaintenance",
    "LeaveMaintenance",
    "Edit",
    "RollingUpgrade",
    "PauseUpgrade",
    "ResumeUpgrade",
    "AbortUpgrade",
]
ActionPhase = Literal["Pending", "Running", "Succeeded", "Failed", "Cancelled"]

NODE_ACTIONS: tuple[ActionType, ...] = (
    "Fence",
    "Rejoin",
    "CallHome",
    "Reboot",
    "DeclareDown",
    "ResetMTBF",
    "AttestOff",
    "Failback",
    "Switchover",
    "AcceptReplacement",
    "EnterMaintenance",
    "LeaveMaintenance",
)
VM_ACTIONS: tuple[ActionType, ...] = ("Start", "Stop", "Migrate", "Restart", "ColdRestart", "GiveUp")
UPGRADE_ACTIONS: tuple[ActionType, ...] = ("RollingUpgrade", "PauseUpgrade", "ResumeUpgrade", "AbortUpgrade")
FINISHED: tuple[ActionPhase, ...] = ("Succeeded", "Failed", "Cancelled")

Note = Annotated[str, Field(max_length=1024)]
_Word = Annotated[str, Field(min_length=1, max_length=64, pattern="^[A-Z][A-Za-z0-9]*$")]


class Target(ApiModel):
    """What an action is done to."""

    rules = (
        Rule(
            "self.kind != 'ProtectedVM' || has(self.namespace)",
            "a ProtectedVM lives in a namespace: add target.namespace",
        ),
        Rule("self.kind != 'Node' || !has(self.namespace)", "a Node lives in no namespace: remove target.namespace"),
        Rule(
            "self.kind != 'AvancePair' || !has(self.namespace)",
            "an AvancePair lives in no namespace: remove target.namespace",
        ),
    )

    kind: Literal["Node", "ProtectedVM", "AvancePair"]
    """Kind of the target."""
    name: ObjectName
    """Name of the target."""
    namespace: Annotated[ObjectName, Field(max_length=63)] | None = None
    """Namespace of a ProtectedVM."""


class ActionSpec(ApiModel):
    """What is to be done, to what, and why. It never changes."""

    rules = (
        Rule("self == oldSelf", "an action cannot be changed once it is written: delete it, or create another one"),
        Rule(
            f"!(self.type in {list(NODE_ACTIONS)}) || self.target.kind == 'Node'",
            f"{', '.join(NODE_ACTIONS[:-1])} and {NODE_ACTIONS[-1]} are done to a node: set target.kind to Node",
        ),
        Rule(
            f"!(self.type in {list(VM_ACTIONS)}) || self.target.kind == 'ProtectedVM'",
            f"{', '.join(VM_ACTIONS[:-1])} and {VM_ACTIONS[-1]} are done to a VM: set target.kind to ProtectedVM",
        ),
        Rule(
            "self.type != 'Notify' || (self.target.kind == 'AvancePair' && self.target.name == self.pairRef.name)",
            "Notify tells about a pair: set target.kind to AvancePair, and target.name to the name in pairRef",
        ),
        Rule(
            "self.type != 'Edit' || self.target.kind == 'ProtectedVM' || "
            "(self.target.kind == 'AvancePair' && self.target.name == self.pairRef.name)",
            "Edit is about a pair or a VM: set target.kind to ProtectedVM, or to AvancePair with the name in pairRef",
        ),
        Rule(
            "(self.type == 'Notify') == has(self.notification)",
            "a Notify, and nothing else, has a notification: name the channel in notification.channel",
        ),
        Rule(
            f"!(self.type in {list(UPGRADE_ACTIONS)}) || "
            "(self.target.kind == 'AvancePair' && self.target.name == self.pairRef.name)",
            f"{', '.join(UPGRADE_ACTIONS[:-1])} and {UPGRADE_ACTIONS[-1]} are about a pair: set target.kind to "
            "AvancePair, and target.name to the name in pairRef",
        ),
        Rule(
            "self.type == 'RollingUpgrade' || !has(self.upgrade)",
            "only a RollingUpgrade waits for versions: remove upgrade",
        ),
        Rule(
            "!(self.type in ['RollingUpgrade', 'PauseUpgrade', 'AbortUpgrade']) || "
            "(has(self.message) && size(self.message) > 0)",
            "others have to know why the pair is being upgraded, or why that was halted: say it in message",
        ),
        Rule(
            "self.type in ['Start', 'Migrate', 'Restart', 'ColdRestart'] || !has(self.destination)",
            "only a VM that moves or starts goes to a node: remove destination",
        ),
        Rule(
            "self.type != 'ResetMTBF' || (has(self.requestedBy) && has(self.message) && size(self.message) > 0)",
            "a person trusts the node again: give requestedBy, and say in message why (the part was replaced, say)",
        ),
        Rule(
            "self.type != 'AttestOff' || "
            "(has(self.message) && self.message.size() >= 10 && self.message.contains(self.target.name))",
            "attesting that a node is off restarts its VMs elsewhere: say in message, in 10 characters or more, what "
            "you have seen, and name the node in it",
        ),
        Rule(
            "self.type != 'AcceptReplacement' || "
            "(has(self.message) && self.message.size() >= 10 && self.message.contains(self.target.name))",
            "with another server the old one has to be off for good: say in message, in 10 characters or more, where "
            "it is now, and name the node in it",
        ),
        Rule(
            "self.type != 'EnterMaintenance' || (has(self.message) && size(self.message) > 0)",
            "others have to know why a node is out of service: say in message what is done to it",
        ),
        Rule(
            "!(self.type in ['AttestOff', 'AcceptReplacement']) || (has(self.requestedBy) && self.requestedBy != '')",
            "somebody has to stand for it: set requestedBy to your user name",
        ),
    )

    pair_ref: PairRef
    """The pair that the action is about."""
    type: ActionType
    """What is done. Start, Stop, Migrate, Restart and ColdRestart are done to a VM; Fence (power off and prove it), \
Rejoin (take a node back into service), CallHome (ask for a spare part), Reboot (empty a live node, power it off and \
on), DeclareDown (take a node out of service until its MTBF is reset), ResetMTBF (trust a node again: its faults \
count no more; needs requestedBy and a message), AttestOff (a person says that a node is off, where nothing else \
can prove it; needs requestedBy and a message that names the node), Failback (the VMs whose home it is go there), \
Switchover (all VMs go there), AcceptReplacement (another server may have the node's name; the old one is off for \
good; needs requestedBy and a message that names the node), EnterMaintenance (its VMs move to the other node while \
they run, then it is a person's to work on; needs a message) and LeaveMaintenance (it is taken back into service; \
while an EnterMaintenance is under way it calls that off) to a node. Notify (tell people by one of the pair's \
channels; made by a person it is a test of the channel) and RollingUpgrade (each of its nodes in turn goes through a \
maintenance, the backup first; needs a message) are done to a pair; PauseUpgrade, ResumeUpgrade and AbortUpgrade are \
what people say about the RollingUpgrade of a pair that is under way. GiveUp is the operator's own record that a \
VM kept failing and is restarted no more, Edit its record that somebody has created, changed or deleted the pair or a \
VM of it."""
    target: Target
    """What it is done to."""
    destination: NodeName | None = None
    """Node that the VM shall run on afterwards; when absent, the pair's other node for a Migrate, else the node that \
the pair's rules choose."""
    instance_uid: Annotated[str, Field(max_length=64)] | None = None
    """UID of the VirtualMachineInstance that it is about, so that it is never done to a later one; when absent, the \
one that there is when the action is taken up."""
    reason: _Word = "Requested"
    """Why, as one CamelCase word; the same word as in events, logs and metrics. Requested: a person asked for it."""
    message: Message = ""
    """Why, as a sentence for people."""
    requested_by: Annotated[str, Field(max_length=256)] | None = None
    """Who asked for it: a user's name, or the operator's. Filled in from the request where the cluster knows \
MutatingAdmissionPolicies. Of an Edit who did it, and absent if nobody knows."""
    incident: Annotated[str, Field(max_length=128)] | None = None
    """The incident that it belongs to; what was done about one crash, say, carries one incident."""
    notification: Notification | None = None
    """What a Notify tells, and by which channel."""
    upgrade: Upgrade | None = None
    """What tells a RollingUpgrade that the work on a node is done. A LeaveMaintenance of the node by a person always \
does."""


class Step(ApiModel):
    """One step of an action. A step may be tried again by a successor: it is made so that this does no harm."""

    name: _Word
    """Name of the step."""
    started_at: Time
    """When it was entered; entered again, when last."""
    finished_at: Time | None = None
    """When it was done; absent while it is not."""
    attempts: Annotated[int, Field(ge=0)] = 0
    """How many tries failed."""
    message: Message = ""
    """What came of it, or what it waits for."""


class ActionStatus(ApiModel):
    """How far the action is, and what came of it."""

    rules = (
        Rule(
            f"!has(oldSelf.phase) || !(oldSelf.phase in {list(FINISHED)}) || "
            "(has(self.phase) && self.phase == oldSelf.phase)",
            "a finished action stays as it ended: create another one to do it again",
        ),
    )

    phase: ActionPhase | None = None
    """Pending until the operator takes it up, then Running, then one of Succeeded, Failed and Cancelled, for good."""
    started_at: Time | None = None
    """When the operator took it up."""
    destination: NodeName | None = None
    """The node that it goes to, settled when it was taken up."""
    instance_uid: Annotated[str, Field(max_length=64)] | None = None
    """The instance of the VM that it is about, settled when it was taken up."""
    finished_at: Time | None = None
    """When it ended."""
    step: _Word | None = None
    """The step that is being done."""
    steps: Annotated[ListOf[Step], Field(max_length=32), MapBy("name")] = ()
    """The steps begun so far, with their times."""
    evidence: Evidence | None = None
    """Proof that a fenced node is off."""
    report: Annotated[dict[str, str], Field(max_length=64)] = Field(default_factory=dict)
    """What a call home says: part, serial, kind, component, severity, condition, detail and faults (how many are on \
record), as far as they are known."""
    notes: Annotated[dict[str, Note], Field(max_length=64)] = Field(default_factory=dict)
    """What it has noted for later: of a RollingUpgrade the versions that the nodes had before, as `node/field`."""
    result: Message = ""
    """What came of it, as a sentence."""
    operator: Annotated[str, Field(max_length=256)] | None = None
    """Identity of the operator that works on it."""
    epoch: Annotated[int, Field(ge=0)] | None = None
    """Counts the changes of leadership; tells the operator that works on it from one that was replaced."""


class AvanceAction(Resource):
    """One thing that is done about a pair: by the operator on its own, or because a person asked for it by creating
    this object. Written before it is done, resumed by another operator if the first one dies, and kept as the log.
    """

    names: ClassVar = Names("AvanceAction", "avanceactions", "avanceaction", "action", "Cluster")
    columns: ClassVar = (
        Column("Type", ".spec.type"),
        Column("Target", ".spec.target.name"),
        Column("Reason", ".spec.reason"),
        Column("By", ".spec.requestedBy"),
        Column("Phase", ".status.phase"),
        Column("Step", ".status.step"),
        Column("Incident", ".spec.incident", priority=1),
        Column("Age", ".metadata.creationTimestamp", type="date"),
    )

    metadata: ObjectMeta
    """Standard metadata."""
    spec: ActionSpec
    """What is to be done, to what, and why."""
    status: ActionStatus = ActionStatus()
    """How far it is, and what came of it."""
