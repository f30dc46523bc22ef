"""The operator's part: it looks, asks the core, writes down, and only then does; a virtual twin of the real shell.

It sees the API some time late, its own records at once. Before every write of a record and around every effect it
can be killed or stand still; all that its successor has is the records and the moment of its own start. Its clock may
be ahead of others' or behind them. Nothing is written or done unless it certainly leads.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from avance.core.capacity import why_not_admitted
from avance.core.channels import NOT_TRIED, Delivery, Post, Standing
from avance.core.condition import Condition
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
    SendMessage,
    StartVm,
    StopVm,
)
from avance.core.fencing_report import bmc_lied
from avance.core.model import ActionPhase, ActionView, PairView
from avance.core.plan import Plan, plan
from avance.core.power import PowerReading
from avance.core.progress import Progress
from avance.core.replication import why_ask_again, written_now
from avance.core.report import report
from avance.core.restraint import storm
from avance.core.storage import StorageView
from avance.simulator.disks import Disks
from avance.simulator.kubevirt import KubeVirt
from avance.simulator.leadership import Leadership
from avance.simulator.objects import Api, Snapshot
from avance.simulator.observe import Observer
from avance.simulator.post_office import PostOffice
from avance.simulator.records import Records
from avance.simulator.surroundings import SurroundingsWatch
from avance.simulator.world import World

STORAGE_SECONDS = 2.0
"""How often the storage is asked."""


class Killed(Exception):
    """The operator's process ended."""


class LeadershipLost(Killed):
    """It could not renew its Lease in time, and ends before the Lease runs out."""


class StandsStill(Exception):
    """The operator's process was stopped (SIGSTOP, a paused virtual machine); it may go on later, as if nothing was."""


@dataclass(frozen=True, slots=True)
class Site:
    """What an operator is connected to."""

    api: Api
    kubevirt: KubeVirt
    world: World
    disks: Disks | None
    """None with storage that both servers share."""
    records: Records
    post_office: PostOffice
    tell: Callable[[str, str], None]
    boundary: Callable[[str], None]
    """Called before every write of a record and around every effect; raises Killed to end the operator there."""
    audit: Callable[[PairView, ActionView | None, Effect], None]
    """Called with each effect as it is performed."""
    deliver: Callable[[Effect, Callable[[float], None]], None]
    """Carries a request to whom it is for, who acts on it now or, if it is held up on its way, later."""


class Operator:
    def __init__(
        self,
        site: Site,
        leadership: Leadership,
        now: float,
        lag: float = 0.0,
        clock_ahead: float = 0.0,
    ) -> None:
        """`clock_ahead`: seconds by which its clock is ahead of the API server's; negative if it is behind."""
        started_at = now + clock_ahead
        self._site = site
        self.leadership = leadership
        self.lag = lag
        self.reaches_api = True
        self._clock_ahead = clock_ahead
        self._observer = Observer(started_at)
        self._surroundings = SurroundingsWatch(started_at, stormy=site.records.stormy)
        self._coming: deque[tuple[float, Snapshot]] = deque()
        self._version = -1
        self._seen: Snapshot | None = None
        self._done: dict[tuple[str, Effect], float] = {}
        self._power: dict[str, PowerReading] = {}
        self._answers: dict[str, tuple[float, PowerReading]] = {}
        self._asked_at: dict[str, float] = {}
        self._storage: dict[str, StorageView] = {}
        self._storage_due = started_at
        self._deliveries: dict[str, Delivery] = {}
        self._would: set[str] = set()
        self._due = started_at
        self.view: PairView | None = None
        self.last_plan: Plan = Plan()

    def tick(self, now: float) -> None:
        """Look if there is anything new to see or something is due. Raises Killed, or StandsStill."""
        self.leadership.keep(now, reaches_api=self.reaches_api)
        self._check_that_it_leads(now)
        mine = now + self._clock_ahead
        news = self._take_in(mine) | self._take_answers(mine) | self._ask_storage(mine) | self._hear_of_messages(mine)
        if self._seen is not None and (news or mine >= self._due):
            self._look(self._seen, mine)

    def _check_that_it_leads(self, now: float) -> None:
        if not self.leadership.holds(now):
            self._site.tell("hardware", f"the operator of epoch {self.leadership.epoch} does not lead any more")
            raise LeadershipLost

    def _take_in(self, now: float) -> bool:
        api = self._site.api
        if self.reaches_api and api.version != self._version:
            self._version = api.version
            self._coming.append((now + self.lag, api.snapshot()))
        news = False
        while self._coming and self._coming[0][0] <= now:
            self._seen, news = self._coming.popleft()[1], True
        return news

    def _look(self, seen: Snapshot, now: float) -> None:
        writes = self._surroundings.can_write(seen.around, now)
        view = self._observer.view(seen, self._site.records, self._power, self._storage, now)
        view = replace(self._surroundings.around(view, seen.around, now), post=self._post())
        self.view = view
        self.last_plan = todo = plan(view, now)
        self._due = now + 3600.0 if todo.look_at is None else todo.look_at
        self._ask_bmcs(todo, now)
        self._tell_what_it_would_do(todo)
        if not writes:
            self._due = now + 1
            return
        self._keep_status(view, now)
        wrote = [self._record(todo, now)] + [self._advance(view, action, step, now) for action, step in todo.progress]
        for upkeep in todo.upkeep:
            self._perform(view, None, upkeep, now)
        if any(wrote):
            self._due = now

    def _keep_status(self, view: PairView, now: float) -> None:
        """What outlives an operator: where a VM ran and wrote, was it admitted, which instance answered; histories."""
        records = self._site.records
        records.stormy = storm(view, now) is not None
        records.liars = frozenset(node.name for node in view.nodes if bmc_lied(node))
        self._keep_for_messages(view, now)
        for node in view.nodes:
            records.histories[node.name] = node.history
        for vm in view.vms:
            if vm.key not in self._site.api.vms:
                continue
            taken_on = vm.should_run and not why_not_admitted(view, vm)
            self._site.api.change(self._site.api.vms, vm.key, admitted=taken_on)
            if self.reaches_api:
                self._site.api.change(self._site.api.vms, vm.key, written=written_now(view, vm))
            if vm.instance is not None and vm.instance.signs.answers:
                self._site.api.change(self._site.api.vms, vm.key, answered=vm.instance.uid)
            if vm.running and vm.node and vm.node != vm.last_node:
                moved_at = now if vm.last_node else None
                self._site.api.change(self._site.api.vms, vm.key, last_node=vm.node, moved_at=moved_at)

    # ── messages ──

    def _post(self) -> Post:
        records = self._site.records
        return Post(dict(records.channels), records.standing, dict(self._deliveries))

    def _keep_for_messages(self, view: PairView, now: float) -> None:
        """The conditions as the status has them; they cost too much to be told where nobody listens."""
        channels, records = view.policy.notifications.channels, self._site.records
        records.channels = {channel.name: records.channels.get(channel.name, now) for channel in channels}
        if not channels:
            return
        before = {each.type: each for each in records.standing}
        records.standing = tuple(
            Standing(told.type, told.holds, told.reason, told.message, _turned_at(before.get(told.type), told, now))
            for told in report(view, now).conditions
        )
        if {each.type: each.holds for each in records.standing} != {type_: was.holds for type_, was in before.items()}:
            self._due = now

    def _send(self, message: SendMessage, now: float) -> None:
        """Known to have arrived or failed only some time later."""
        before = self._deliveries.get(message.action, NOT_TRIED)
        receipt, error, after = self._site.post_office.take(message)
        self._deliveries[message.action] = Delivery(True, before.tries + 1, now + after, error, receipt)

    def _hear_of_messages(self, now: float) -> bool:
        over = {name: each for name, each in self._deliveries.items() if each.under_way and each.ended_at <= now}
        self._deliveries |= {name: replace(each, under_way=False) for name, each in over.items()}
        waiting = [each.ended_at for each in self._deliveries.values() if each.under_way]
        self._due = min([self._due, *waiting])
        return bool(over)

    # ── records ──

    def _record(self, todo: Plan, now: float) -> bool:
        wrote = False
        for intent in todo.intents if self.reaches_api else ():
            self._site.boundary(f"record {intent.type}")
            if self._site.records.create(intent, now - self._clock_ahead):
                wrote = True
                self._site.tell("avance", f"{intent.type} {intent.target}: {intent.message}")
        return wrote

    def _advance(self, view: PairView, action: ActionView, progress: Progress, now: float) -> bool:
        """Write the step, then perform its effects; never the other way round. True if the plan may differ now."""
        records = self._site.records
        if _is_news(action, progress):
            if not self.reaches_api:
                return False
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
        for sentence in todo.would:
            if sentence not in self._would:
                self._would.add(sentence)
                self._site.tell("avance", f"would {sentence}")

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
            self._answers[node] = (now + delay, replace(reading, observed_at=now))

    def _take_answers(self, now: float) -> bool:
        ready = [node for node, (at, _) in self._answers.items() if at <= now]
        for node in ready:
            self._power[node] = self._answers.pop(node)[1]
        return bool(ready)

    # ── storage ──

    def _ask_storage(self, now: float) -> bool:
        """True if it has something new to say, or what somebody waits for."""
        awaited = self.view is not None and any(why_ask_again(vm) for vm in self.view.vms)
        if self._site.disks is None or (now < self._storage_due and not awaited):
            return False
        self._storage_due = now + STORAGE_SECONDS
        told = self._site.disks.answer()
        before, self._storage = self._storage, {vm: replace(each, asked_at=now) for vm, each in told.items()}
        return awaited or before != self._storage

    # ── effects ──

    def _perform(self, view: PairView, action: ActionView | None, effect: Effect, now: float) -> None:
        deed = (action.name if action else "", effect)
        again_at = self._done.get(deed, float("-inf")) + effect.repeat_after
        if now < again_at:
            self._due = min(self._due, again_at)
            return
        if not self.reaches_api and not isinstance(effect, PowerOff | PowerOn):
            return
        word = type(effect).__name__
        self._site.boundary(f"before {word}")
        self._site.audit(view, action, effect)
        self._site.deliver(effect, lambda at: self._do(effect, at))
        self._done[deed] = now
        self._due = min(self._due, now + effect.repeat_after)
        self._site.boundary(f"after {word}")

    def _do(self, effect: Effect, now: float) -> None:
        if isinstance(effect, SendMessage):
            self._send(effect, now + self._clock_ahead)
        elif not self._do_to_a_node(effect) and not self._do_to_a_vm(effect, now):
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
            case ApplyVm() | StartVm() | StopVm() | CreateMigration() if not kubevirt.answers:
                return True  # refused, and asked again
            case ApplyVm(vm) | StartVm(vm) | StopVm(vm) if vm not in api.vms:
                return True  # it was deleted meanwhile, and the API says so
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


def _turned_at(before: Standing | None, told: Condition, now: float) -> float:
    return before.since if before is not None and before.holds == told.holds else now


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
