"""The operator's part: it looks, asks the core, writes down, and only then does; a virtual twin of the real shell.

It sees the API some time late, its own records at once. Before every write of a record and around every effect it
can be killed; all that its successor has is the records and the moment of its own start.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from avance.core.effects import (
    ApplyVm,
    ClearOutOfService,
    CloseNode,
    CreateMigration,
    DeleteMigration,
    DeletePod,
    Effect,
    MarkOutOfService,
    OpenNode,
    PowerOff,
    PowerOn,
    StartVm,
    StopVm,
)
from avance.core.model import ActionPhase, ActionView, PairView
from avance.core.plan import Plan, plan
from avance.core.policy import Mode, PairPolicy
from avance.core.power import PowerReading
from avance.core.progress import Progress
from avance.simulator.kubevirt import KubeVirt
from avance.simulator.objects import Api, Snapshot
from avance.simulator.observe import Observer
from avance.simulator.records import Records
from avance.simulator.world import World


class Killed(Exception):
    """The operator's process ended."""


@dataclass(frozen=True, slots=True)
class Site:
    """What an operator is connected to."""

    api: Api
    kubevirt: KubeVirt
    world: World
    records: Records
    tell: Callable[[str, str], None]
    boundary: Callable[[str], None]
    """Called before every write of a record and around every effect; raises Killed to end the operator there."""
    audit: Callable[[PairView, ActionView | None, Effect], None]
    """Called with each effect as it is performed."""


class Operator:
    def __init__(self, site: Site, policy: PairPolicy, started_at: float, lag: float = 0.0) -> None:
        self._site = site
        self._policy = policy
        self._lag = lag
        self._observer = Observer(policy, started_at)
        self._coming: deque[tuple[float, Snapshot]] = deque()
        self._version = -1
        self._seen: Snapshot | None = None
        self._done: dict[tuple[str, Effect], float] = {}
        self._power: dict[str, PowerReading] = {}
        self._answers: dict[str, tuple[float, PowerReading]] = {}
        self._asked_at: dict[str, float] = {}
        self._would: set[str] = set()
        self._due = started_at
        self.view: PairView | None = None
        self.last_plan: Plan = Plan()

    def tick(self, now: float) -> None:
        """Look if there is anything new to see or something is due. Raises Killed."""
        news = self._take_in(now) | self._take_answers(now)
        if self._seen is not None and (news or now >= self._due):
            self._look(self._seen, now)

    def _take_in(self, now: float) -> bool:
        api = self._site.api
        if api.version != self._version:
            self._version = api.version
            self._coming.append((now + self._lag, api.snapshot()))
        news = False
        while self._coming and self._coming[0][0] <= now:
            self._seen, news = self._coming.popleft()[1], True
        return news

    def _look(self, seen: Snapshot, now: float) -> None:
        view = self.view = self._observer.view(seen, self._site.records, self._power, now)
        self._keep_status(view, now)
        self.last_plan = todo = plan(view, now)
        self._due = now + 3600.0 if todo.look_at is None else todo.look_at
        self._ask_bmcs(todo, now)
        if self._policy.mode is Mode.OBSERVE:
            self._tell_what_it_would_do(todo)
            return
        wrote = [self._record(todo, now)] + [self._advance(view, action, step, now) for action, step in todo.progress]
        for upkeep in todo.upkeep:
            self._perform(view, None, upkeep, now)
        if any(wrote):
            self._due = now

    def _keep_status(self, view: PairView, now: float) -> None:
        """The last node of a VM is kept in its status."""
        for vm in view.vms:
            if vm.running and vm.node and vm.node != vm.last_node:
                moved_at = now if vm.last_node else None
                self._site.api.change(self._site.api.vms, vm.key, last_node=vm.node, moved_at=moved_at)

    # ── records ──

    def _record(self, todo: Plan, now: float) -> bool:
        wrote = False
        for intent in todo.intents:
            self._site.boundary(f"record {intent.type}")
            if self._site.records.create(intent, now):
                wrote = True
                self._site.tell("avance", f"{intent.type} {intent.target}: {intent.message}")
        return wrote

    def _advance(self, view: PairView, action: ActionView, progress: Progress, now: float) -> bool:
        """Write the step, then perform its effects; never the other way round. True if the plan may differ now."""
        records = self._site.records
        if _is_news(action, progress):
            self._site.boundary(f"step {action.type}/{progress.step}")
            records.advance(action, progress, now)
            self._tell_step(action, progress)
        for effect in progress.effects:
            self._perform(view, records.get(action.name), effect, now)
        return progress.outcome is not None or action.current != progress.step or progress.evidence is not None

    def _tell_step(self, before: ActionView, progress: Progress) -> None:
        if progress.outcome or before.current != progress.step or progress.message != _last_message(before):
            outcome = f" [{progress.outcome}]" if progress.outcome else ""
            self._site.tell("avance", f"{before.type} {before.target}, {progress.step}: {progress.message}{outcome}")

    def _tell_what_it_would_do(self, todo: Plan) -> None:
        for intent in todo.intents:
            if intent.name not in self._would:
                self._would.add(intent.name)
                self._site.tell("avance", f"would {intent.type} {intent.target}: {intent.message}")

    # ── power ──

    def _ask_bmcs(self, todo: Plan, now: float) -> None:
        for node, max_age in todo.power_checks.items():
            if node in self._answers:
                continue
            next_at = self._asked_at.get(node, float("-inf")) + max_age
            if next_at > now:
                self._due = min(self._due, next_at)
                continue
            self._asked_at[node] = now
            reading, delay = self._site.world.ask_bmc(node)
            self._answers[node] = (now + delay, reading)

    def _take_answers(self, now: float) -> bool:
        ready = [node for node, (at, _) in self._answers.items() if at <= now]
        for node in ready:
            self._power[node] = self._answers.pop(node)[1]
        return bool(ready)

    # ── effects ──

    def _perform(self, view: PairView, action: ActionView | None, effect: Effect, now: float) -> None:
        deed = (action.name if action else "", effect)
        again_at = self._done.get(deed, float("-inf")) + effect.repeat_after
        if now < again_at:
            self._due = min(self._due, again_at)
            return
        word = type(effect).__name__
        self._site.boundary(f"before {word}")
        self._site.audit(view, action, effect)
        self._do(effect, now)
        self._done[deed] = now
        self._due = min(self._due, now + effect.repeat_after)
        self._site.boundary(f"after {word}")

    def _do(self, effect: Effect, now: float) -> None:
        if not self._do_to_a_node(effect) and not self._do_to_a_vm(effect, now):
            raise NotImplementedError(f"no handler for {effect}")

    def _do_to_a_node(self, effect: Effect) -> bool:
        api, world = self._site.api, self._site.world
        match effect:
            case CloseNode(node):
                by_us = api.nodes[node].cordoned_by_us or not api.nodes[node].cordoned
                api.change(api.nodes, node, cordoned=True, cordoned_by_us=by_us, closed=True, vms_label=False)
            case OpenNode(node):
                cordoned = api.nodes[node].cordoned and not api.nodes[node].cordoned_by_us
                api.change(api.nodes, node, cordoned=cordoned, cordoned_by_us=False, closed=False)
            case MarkOutOfService(node):
                api.change(api.nodes, node, out_of_service=True)
            case ClearOutOfService(node):
                api.change(api.nodes, node, out_of_service=False)
            case PowerOff(node, system_uuid):
                world.order_off(node, system_uuid)
            case PowerOn(node, system_uuid):
                world.order_on(node, system_uuid)
            case _:
                return False
        return True

    def _do_to_a_vm(self, effect: Effect, now: float) -> bool:
        api, kubevirt = self._site.api, self._site.kubevirt
        match effect:
            case DeletePod(uid=uid, node=node):
                if uid in api.pods and api.pods[uid].node == node:
                    api.remove(api.pods, uid)
            case ApplyVm(vm, prefer):
                api.change(api.vms, vm, exists=True, prefers=prefer)
            case StartVm(vm, instance_uid):
                kubevirt.start(vm, instance_uid, now)
            case StopVm(vm, instance_uid):
                kubevirt.stop(vm, instance_uid, now)
            case CreateMigration(name, vm, destination, seconds):
                kubevirt.migrations.create(name, vm, destination, seconds, now)
            case DeleteMigration(name):
                kubevirt.migrations.withdraw(name)
            case _:
                return False
        return True


def _last_message(action: ActionView) -> str:
    return action.step.message if action.step else ""


def _is_news(action: ActionView, progress: Progress) -> bool:
    return (
        action.phase is ActionPhase.PENDING
        or progress.outcome is not None
        or progress.step != action.current
        or progress.message != _last_message(action)
        or (progress.evidence is not None and progress.evidence != action.evidence)
    )
