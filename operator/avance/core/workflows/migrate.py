"""Migrate: a graceful failover by live migration. Whatever goes wrong, the VM stays where it is and runs on."""

from __future__ import annotations

from avance.core.effects import CreateMigration, DeleteMigration
from avance.core.fitness import why_not_move_to
from avance.core.health import score
from avance.core.intents import BACKUP_HEALTHIER
from avance.core.model import ActionView, MigrationView, PairView, VmPhase, VmView
from avance.core.progress import Progress, act, cancel, fail, succeed, wait
from avance.core.replication import why_not_move

SETTLE_SECONDS = 2.0
"""After the end of a migration by another hand: the instance, which tells where the VM is, is another watch."""


def advance(action: ActionView, view: PairView, now: float) -> Progress:
    vm = view.vm(action.target)
    instance = vm.instance if vm else None
    if vm is None or instance is None or instance.uid != action.instance_uid or instance.phase is not VmPhase.RUNNING:
        return cancel("Move", f"the instance of {action.target} that was to move is not running any more")
    ours = next((migration for migration in vm.migrations if migration.name == action.name), None)
    if instance.node == action.destination and (ours is None or ours.final):
        return succeed("Copy", f"{vm.key} runs on {action.destination}")
    return _begin(action, view, vm, now) if ours is None else _follow(action, view, vm, ours, now)


def _lost_sense(action: ActionView, view: PairView, vm: VmView) -> str:
    """Why a move that copies nothing yet has lost its sense, in words; empty while it has it."""
    if vm.instance and vm.instance.paused:
        return f"the guest of {vm.key} is paused, and who paused it wants it to stay as it is"
    source, target = view.node(vm.node), view.node(action.destination)
    if action.reason != BACKUP_HEALTHIER or source is None or target is None:
        return ""
    here, there = score(source.faults).value, score(target.faults).value
    return "" if there > here else f"{target.name} is not the healthier server any more ({there}, {source.name} {here})"


def _begin(action: ActionView, view: PairView, vm: VmView, now: float) -> Progress:
    if action.started("Copy") is not None:
        return cancel("Copy", f"the migration of {vm.key} was withdrawn by somebody; it stays on {vm.node}")
    if vm.instance and vm.instance.migratable is False:
        return fail("Move", f"{vm.key} cannot be live-migrated: {vm.instance.not_migratable_because}")
    hindrance = (
        why_not_move_to(view, action.destination, now)
        or why_not_move(view, vm, action.destination)
        or _lost_sense(action, view, vm)
    )
    if hindrance:
        return cancel("Move", f"{vm.key} stays on {vm.node}: {hindrance}")
    other = next((migration for migration in vm.migrations if not migration.final), None)
    if other is not None:
        by = f" by {other.by}" if other.by else ""
        return wait("Move", f"waiting for the migration {other.name} of {vm.key}{by} to end")
    settled_at = max((each.ended_at + SETTLE_SECONDS for each in vm.migrations if each.ended_at), default=0.0)
    if now < settled_at:
        return wait("Move", f"a migration of {vm.key} has just ended: making sure where it runs now", settled_at)
    limit = view.policy.migration.unschedulable_seconds
    order = CreateMigration(action.name, vm.key, action.destination, limit)
    return act("Move", f"asking KubeVirt to move {vm.key} to {action.destination}", order)


def _follow(action: ActionView, view: PairView, vm: VmView, migration: MigrationView, now: float) -> Progress:
    if migration.phase == "Failed":
        return fail(
            "Copy", f"the migration of {vm.key} failed, it stays on {vm.node}: {migration.failure or 'no reason given'}"
        )
    gone = _lost_sense(action, view, vm)
    if gone and migration.queued:
        order = DeleteMigration(migration.name, vm.key)
        return act("Copy", f"withdrawing the move of {vm.key}, which has not begun: {gone}", order)
    deadline = (action.started("Move") or now) + view.policy.migration.timeout_seconds
    if now >= deadline and not migration.final:
        order = DeleteMigration(migration.name, vm.key)
        return act(
            "Copy", f"the migration of {vm.key} takes too long; withdrawing it, the VM stays on {vm.node}", order
        )
    stage = migration.phase or "Pending"
    return wait("Copy", f"moving {vm.key} to {action.destination}: {stage}", look_at=deadline)
