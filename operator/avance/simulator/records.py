"""The AvanceActions and the memory of a simulated pair: all that outlives an operator, written as the real ones are."""

from __future__ import annotations

from dataclasses import replace

from avance.core.channels import Notification, Standing
from avance.core.history import NodeHistory
from avance.core.intents import Intent
from avance.core.maintenance import OPEN
from avance.core.model import RECORDS_ONLY, ActionPhase, ActionType, ActionView, StepView
from avance.core.progress import Progress
from avance.core.upgrade_request import UpgradeWord


class Records:
    def __init__(self) -> None:
        self._actions: dict[str, ActionView] = {}
        self.histories: dict[str, NodeHistory] = {}
        """What the pair's status remembers of each node."""
        self.stormy = False
        """The pair's status says that a storm rages, or has only just passed."""
        self.liars: frozenset[str] = frozenset()
        """Servers whose BMC has lied, as the pair's status says."""
        self.standing: tuple[Standing, ...] = ()
        """The conditions of the pair's status."""
        self.channels: dict[str, float] = {}
        """Since when each channel is there, as the pair's status says."""

    def all(self) -> tuple[ActionView, ...]:
        """Oldest first."""
        return tuple(self._actions.values())

    def clear(self) -> None:
        """Everything goes with the pair."""
        self._actions.clear()
        self.histories.clear()
        self.channels.clear()
        self.liars, self.stormy, self.standing = frozenset(), False, ()

    def proves_off(self, node: str, boot_id: str) -> bool:
        """There is evidence that this life of a node has ended; a person's word is none before it is taken over."""
        proofs = (action.evidence for action in self.all() if action.type not in RECORDS_ONLY)
        return any(proof is not None and (proof.node, proof.boot_id) == (node, boot_id) for proof in proofs)

    def in_maintenance(self) -> frozenset[str]:
        """Servers that people may work on now. The status may be older than the action that has opened one."""
        opened = {
            action.target: action.started(OPEN) or 0.0
            for action in self.all()
            if action.type is ActionType.LEAVE_MAINTENANCE
        }
        records = {name: history.maintenance for name, history in self.histories.items()}
        return frozenset(name for name, each in records.items() if each and opened.get(name, 0.0) <= each.since)

    def delete(self, name: str) -> None:
        """Somebody deletes an action."""
        del self._actions[name]

    def get(self, name: str) -> ActionView:
        return self._actions[name]

    def adopt(self, action: ActionView) -> None:
        """Take over what is on record elsewhere."""
        self._actions[action.name] = action

    def create(self, intent: Intent, now: float) -> bool:
        """Write an intent down; False if it is on record already."""
        if intent.name in self._actions:
            return False
        self._actions[intent.name] = ActionView(
            name=intent.name,
            type=intent.type,
            target=intent.target,
            incident=intent.incident,
            reason=intent.reason,
            message=intent.message,
            created_at=now,
            destination=intent.destination,
            instance_uid=intent.instance_uid,
            notification=intent.notification,
        )
        return True

    def request(self, type_: ActionType, target: str, destination: str, now: float) -> None:
        """What a person asks for: it names no instance, and is an incident of its own."""
        name = f"by-hand-{len(self._actions) + 1}"
        message = f"a person asks for {type_} of {target}"
        self._actions[name] = ActionView(
            name, type_, target, name, "Requested", message, now, destination=destination, requested_by="a person"
        )

    def ask_of_pair(self, type_: ActionType, now: float, upgrade: UpgradeWord | None = None) -> None:
        """What a person asks for about the pair."""
        name = f"by-hand-{len(self._actions) + 1}"
        self._actions[name] = ActionView(
            name, type_, "pair", name, "Requested", "as the scenario has it", now, requested_by="a person",
            upgrade=upgrade,
        )  # fmt: skip

    def ask_for_a_test(self, pair: str, channel: str, now: float) -> None:
        """A person wants to see a message."""
        name = f"by-hand-{len(self._actions) + 1}"
        self._actions[name] = ActionView(
            name,
            ActionType.NOTIFY,
            pair,
            name,
            "Requested",
            "does this arrive?",
            now,
            requested_by="a person",
            notification=Notification(channel),
        )

    def advance(self, action: ActionView, progress: Progress, now: float) -> None:
        """Write how far an action is, and what it left open and is settled now."""
        self._actions[action.name] = replace(
            action,
            phase=progress.outcome or ActionPhase.RUNNING,
            current=progress.step,
            steps=_steps_after(action, progress, now),
            evidence=progress.evidence or action.evidence,
            notes=progress.notes or action.notes,
            finished_at=now if progress.outcome else None,
            result=progress.message if progress.outcome else "",
        )


def _steps_after(action: ActionView, progress: Progress, now: float) -> tuple[StepView, ...]:
    """Each step stands once; one that is entered again begins anew."""
    entered = action.step if action.current == progress.step else None
    others = tuple(step for step in action.steps if step.name != progress.step)
    step = replace(entered, message=progress.message) if entered else StepView(progress.step, now, 0, progress.message)
    return (*others, step)
