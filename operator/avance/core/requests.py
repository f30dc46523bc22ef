"""A recorded action as it is taken up: what it leaves open is settled once, and what makes no sense is refused at once.

Anybody with the right may create an AvanceAction. One that could only wait for ever would hold up everything that the
rules want for the same node or VM.
"""

from __future__ import annotations

from dataclasses import replace

from avance.core.intents import REQUESTED
from avance.core.maintenance import entering, left_alone, why_worked_on, worked_on
from avance.core.model import ActionType, ActionView, NodeView, PairView, VmView
from avance.core.upgrade import under_way

ATTESTATION_LENGTH = 10
"""Characters that a person has to type, at least, to attest that a server is off."""
NODE_ACTIONS = (
    ActionType.FENCE,
    ActionType.REJOIN,
    ActionType.REBOOT,
    ActionType.DECLARE_DOWN,
    ActionType.FAILBACK,
    ActionType.SWITCHOVER,
    ActionType.ENTER_MAINTENANCE,
    ActionType.LEAVE_MAINTENANCE,
)
PAIR_ACTIONS = (
    ActionType.ROLLING_UPGRADE,
    ActionType.PAUSE_UPGRADE,
    ActionType.RESUME_UPGRADE,
    ActionType.ABORT_UPGRADE,
)
_MAY_INTERRUPT = {
    ActionType.ENTER_MAINTENANCE: ActionType.REJOIN,
    ActionType.LEAVE_MAINTENANCE: ActionType.ENTER_MAINTENANCE,
}
"""What a person need not wait for: the one makes the other end."""


def settle(action: ActionView, view: PairView) -> ActionView:
    """The action with its instance and destination filled in: the VM's present instance, the node it is not on.

    Without this a repeated `Restart` would restart the instance that the first one had made.
    """
    vm = view.vm(action.target)
    if vm is None or vm.instance is None or action.instance_uid or action.steps:
        return action
    elsewhere = view.peer(vm.node) if action.type is ActionType.MIGRATE and vm.node else None
    return replace(
        action,
        instance_uid=vm.instance.uid,
        destination=action.destination or (elsewhere.name if elsewhere else ""),
    )


def why_not_take_up(action: ActionView, view: PairView) -> str:
    """Why an action that has not begun makes no sense now, in words that say what to do; empty if it does."""
    if action.steps or action.type in (ActionType.CALL_HOME, ActionType.NOTIFY, ActionType.EDIT):
        return ""
    if action.type in PAIR_ACTIONS:
        return _why_not_for_pair(action, view)
    if action.type is ActionType.RESET_MTBF:
        return "" if view.node(action.target) else f"{action.target} is not a node of pair {view.name}"
    if action.type is ActionType.ATTEST_OFF:
        return _why_not_attest(action, view)
    if action.type is ActionType.ACCEPT_REPLACEMENT:
        node = view.node(action.target)
        known = node is not None and not node.replaced
        return f"{action.target} is the server that it was" if known else _why_not_attest(action, view)
    other = view.open_action(action.target)
    first = other is not None and other.name != action.name and (other.steps or other.name < action.name)
    if other is not None and first and _MAY_INTERRUPT.get(action.type) is not other.type:
        return f"{other.type} {other.name} is under way for {action.target}: wait until it has ended"
    if action.type in NODE_ACTIONS:
        return _why_not_for_node(action, view)
    vm = view.vm(action.target)
    if vm is None:
        return f"there is no ProtectedVM {action.target} in pair {view.name}"
    return _why_not_for_vm(action, view, vm)


def _why_not_for_pair(action: ActionView, view: PairView) -> str:
    upgrade = under_way(view)
    if action.type is not ActionType.ROLLING_UPGRADE:
        asked_for = any(each.type is ActionType.ROLLING_UPGRADE and each.open for each in view.actions)
        return "" if asked_for else f"no rolling upgrade of pair {view.name} is under way"
    if upgrade is not None and upgrade.name != action.name:
        return f"{upgrade.name} is under way for pair {view.name}: wait until it has ended, or abort it"
    return ""


def _why_not_for_node(action: ActionView, view: PairView) -> str:
    node = view.node(action.target)
    if node is None:
        return f"{action.target} is not a node of pair {view.name}"
    if action.type is ActionType.REJOIN and node.history.declared_down is not None:
        return f"{node.name} is declared down: a ResetMTBF with the reason in its message lets it rejoin"
    if action.type is ActionType.ENTER_MAINTENANCE:
        return _why_not_enter(view, node)
    if action.type is ActionType.LEAVE_MAINTENANCE and not worked_on(node):
        return "" if entering(view, node.name) else f"{node.name} is not in maintenance"
    if left_alone(view, action.type, node.name):
        return f"{why_worked_on(view, node)}; ask for that first"
    return ""


def _why_not_enter(view: PairView, node: NodeView) -> str:
    peer = view.peer(node.name)
    both = why_worked_on(view, node) or (why_worked_on(view, peer) if peer else "")
    if both:
        return both
    if peer is not None and peer.history.declared_down is not None:
        return f"{peer.name} is declared down and could not take its VMs: a ResetMTBF lets it rejoin"
    return ""


def _why_not_attest(action: ActionView, view: PairView) -> str:
    if view.node(action.target) is None:
        return f"{action.target} is not a node of pair {view.name}"
    if not action.requested_by:
        return "nobody stands for it: name yourself in requestedBy"
    named = action.target in action.message and len(action.message) >= ATTESTATION_LENGTH
    return "" if named else f"say in the message what you have seen, and name {action.target} in it"


def _why_not_for_vm(action: ActionView, view: PairView, vm: VmView) -> str:
    lives = vm.instance is not None and not vm.instance.phase.final
    present = vm.instance.uid if vm.instance else ""
    if action.instance_uid and action.instance_uid != present:
        return f"the instance {action.instance_uid} of {vm.key} that it is about is gone"
    if action.type is ActionType.GIVE_UP and action.reason == REQUESTED:
        return f"only the operator gives a VM up: set running: false in the spec of {vm.key} to stop it"
    if action.type is ActionType.START and lives:
        return f"{vm.key} runs or is starting already: use Restart to restart it"
    if action.type is ActionType.STOP and vm.should_run:
        return f"{vm.key} shall run: set running: false in its spec to stop it"
    if action.type is ActionType.MIGRATE and action.destination == vm.node:
        return f"{vm.key} is on {vm.node or 'no node'} already"
    if action.type is ActionType.COLD_RESTART and not _has_evidence(action, view):
        return f"nothing proves the server of {vm.key} off: fence it first, or use Restart"
    return ""


def _has_evidence(action: ActionView, view: PairView) -> bool:
    fences = (other for other in view.actions if other.type is ActionType.FENCE and other.incident == action.incident)
    return any(fence.evidence is not None for fence in fences)
