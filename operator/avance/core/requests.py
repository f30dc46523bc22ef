"""What a person's request leaves open is settled once, when it is taken up, and recorded with it."""

from __future__ import annotations

from dataclasses import replace

from avance.core.model import ActionType, ActionView, PairView


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
