"""The few things that avance can do to the world, as data. Each is safe to repeat; the shell has a handler for each."""

from __future__ import annotations

from dataclasses import dataclass, field

from avance.core.channels import Notification


@dataclass(frozen=True, slots=True)
class Effect:
    """Something to do; equal effects are the same deed."""

    repeat_after = 2.0
    """Seconds before it is done again when the world does not show it yet."""


@dataclass(frozen=True, slots=True)
class CloseNode(Effect):
    """Let nothing new be scheduled to a node: cordon, NoSchedule taint and the label that launcher pods select on."""

    node: str


@dataclass(frozen=True, slots=True)
class OpenNode(Effect):
    """Undo CloseNode; a cordon that a person had set before stays."""

    node: str


@dataclass(frozen=True, slots=True)
class MarkOutOfService(Effect):
    """Tell Kubernetes that the node is off: its pods and volume attachments are given up at once."""

    node: str


@dataclass(frozen=True, slots=True)
class ClearOutOfService(Effect):
    """Let the daemons of a node that is back run again; for VMs it stays closed."""

    node: str


@dataclass(frozen=True, slots=True)
class PowerOff(Effect):
    """Cut a server's power through its BMC, if the BMC proves to be that server's."""

    node: str
    system_uuid: str
    repeat_after: float = field(default=10.0, compare=False)


@dataclass(frozen=True, slots=True)
class PowerOn(Effect):
    node: str
    system_uuid: str
    repeat_after = 15.0


@dataclass(frozen=True, slots=True)
class DeletePod(Effect):
    """Force-delete a launcher pod: only ever of a node that is proven off."""

    namespace: str
    name: str
    uid: str
    node: str


@dataclass(frozen=True, slots=True)
class ApplyVm(Effect):
    """Make a VM's VirtualMachine what its spec asks for, preferring one node."""

    vm: str
    prefer: str
    repeat_after = 5.0


@dataclass(frozen=True, slots=True)
class ReleaseVm(Effect):
    """Leave an adopted VirtualMachine as it was, and let its ProtectedVM go."""

    vm: str
    instance_uid: str | None
    """The live instance that was seen, empty for none; None if it is not adopted, so that nothing depends on it."""
    repeat_after = 5.0


@dataclass(frozen=True, slots=True)
class StartVm(Effect):
    """Ask KubeVirt for a new instance in place of `instance_uid` (empty: of none)."""

    vm: str
    instance_uid: str
    repeat_after = 5.0


@dataclass(frozen=True, slots=True)
class StopVm(Effect):
    """Ask KubeVirt to shut the guest down."""

    vm: str
    instance_uid: str
    repeat_after = 30.0


@dataclass(frozen=True, slots=True)
class CreateMigration(Effect):
    """Ask KubeVirt to live-migrate a VM to one node."""

    name: str
    vm: str
    destination: str
    unschedulable_seconds: float
    repeat_after = 5.0


@dataclass(frozen=True, slots=True)
class DeleteMigration(Effect):
    """Withdraw a migration; the VM stays where it is."""

    name: str
    vm: str


@dataclass(frozen=True, slots=True)
class SendMessage(Effect):
    """Hand a message over for delivery, which is not waited for: how it went is part of a later view.

    Whoever gets it twice knows it by the action's name.
    """

    action: str
    notification: Notification = field(repr=False)
    created_at: float
    tries: int
    """Those that have failed: another try is another deed."""
    repeat_after = 30.0
