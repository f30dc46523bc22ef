"""The reconcile loop of one pair: look, decide, record, do, tell; one pass at a time, woken by changes and by time."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any, Protocol, TypeVar

from pydantic import ValidationError

from avance.api.pair import AvancePair
from avance.core.effects import ApplyVm, CloseNode, Effect, ReleaseVm
from avance.core.intents import Intent
from avance.core.model import ActionType, ActionView, PairView, VmView
from avance.core.plan import Plan, plan
from avance.core.progress import Progress
from avance.core.remember import remember
from avance.core.report import PairReport, report
from avance.core.retention import disposable
from avance.kube.client import Kube
from avance.kube.errors import ApiError, Unavailable
from avance.kube.lease import LeadershipLost
from avance.kube.resources import AVANCE_PAIRS, NODES, PROTECTED_VMS
from avance.operator.actions import PAIR_TARGETS
from avance.operator.clock import Clock
from avance.operator.edits import EditWatch
from avance.operator.effect_runner import EffectRunner
from avance.operator.effects import Effects
from avance.operator.events import EventPoster
from avance.operator.instance_types import InstanceTypes
from avance.operator.journal import Journal
from avance.operator.metrics import Metrics
from avance.operator.observe import Observer
from avance.operator.pacing import Pacing
from avance.operator.postman import Postman
from avance.operator.power import PowerWatch
from avance.operator.status_writer import StatusWriter
from avance.operator.storage import StorageWatch
from avance.operator.store import Store
from avance.operator.surroundings import SurroundingsWatch

Object = dict[str, Any]
T = TypeVar("T")

log = logging.getLogger(__name__)

RESYNC_SECONDS = 30.0
"""A quiet pair is looked at this often, whatever happens."""
RETRY_SECONDS = 1.0
"""After a pass that could not be finished."""


class Leadership(Protocol):
    """The part of the leader's Lease that a pass needs."""

    def guard(self) -> AbstractAsyncContextManager[None]:
        """Run something only while leading."""
        ...


class PairLoop:
    """Serialises everything that is decided about one pair."""

    def __init__(
        self,
        name: str,
        *,
        kube: Kube,
        store: Store,
        observer: Observer,
        journal: Journal,
        effects: Effects,
        power: PowerWatch,
        storage: StorageWatch,
        events: EventPoster,
        metrics: Metrics,
        clock: Clock,
        leadership: Leadership,
        pacing: Pacing,
        surroundings: SurroundingsWatch,
        postman: Postman,
        edits: EditWatch,
        types: InstanceTypes,
    ) -> None:
        self._name = name
        self._store = store
        self._observer = observer
        self._journal = journal
        self._effects = effects
        self._power = power
        self._storage = storage
        self._events = events
        self._metrics = metrics
        self._clock = clock
        self._leadership = leadership
        self._pacing = pacing
        self._surroundings = surroundings
        self._postman = postman
        self._edits, self._types = edits, types
        self._changed = asyncio.Event()
        self._asked_at: float | None = None
        self._status = StatusWriter(kube, store, events)
        self._runner = EffectRunner(self._perform, clock, metrics, self._count_failure, self.wake)

    def wake(self) -> None:
        """Have another look soon: something changed."""
        if self._asked_at is None:
            self._asked_at = time.monotonic()
        self._changed.set()

    async def run(self) -> None:
        """Look at the pair again and again until it is deleted."""
        self._metrics.begin(self._name)
        try:
            while (pair := self._store.get(AVANCE_PAIRS, self._name)) is not None:
                look_at = await self._pass_or_retry(pair)
                await self._wait(look_at)
            log.warning("pair %s is deleted, and its actions with it", self._name)
        finally:
            await self._runner.close()
            self._metrics.forget(self._name)
            self._surroundings.forget(self._name)
            self._postman.forget(self._name)

    async def _wait(self, look_at: float) -> None:
        try:
            async with asyncio.timeout(max(0.0, look_at - self._clock.now())):
                await self._changed.wait()
        except TimeoutError:
            return

    async def _pass_or_retry(self, pair: Object) -> float:
        """One pass; returns when to look again at the latest. Raises LeadershipLost and nothing else.

        Whatever goes wrong with one pair, the process goes on: others are served by it too.
        """
        try:
            async with self._leadership.guard():
                look_at = await self._pass(pair)
            self._surroundings.write_answered(self._name)
            return look_at
        except LeadershipLost:
            raise
        except ValidationError as error:
            log.error("pair %s or one of its VMs does not fit this release's schema: %s", self._name, error)
        except ApiError as error:
            log.warning("pair %s: the API server did not let the pass finish: %s", self._name, error)
            if isinstance(error, Unavailable):
                self._surroundings.write_failed(self._name)
        except Exception:
            log.exception("pair %s: the pass failed for a reason nobody foresaw", self._name)
        self._metrics.failed_passes.labels(self._name).inc()
        return self._clock.now() + RETRY_SECONDS

    async def _pass(self, obj: Object) -> float:
        async with self._pacing.computing():
            self._changed.clear()
            self._take_up()
            # What changed while this pair waited for its turn is part of this look.
            obj = self._store.get(AVANCE_PAIRS, self._name) or obj
            pair = self._observer.pair(obj)
            now = self._clock.now()
            seen = self._storage.around(pair, self._observer.view(pair))
            view = self._surroundings.around(obj, remember(seen, now), now)
            view = self._edits.around(obj, pair, self._postman.around(pair, view))
            with self._metrics.plan_seconds.time():
                decided = plan(view, now)
        deadlines = [decided.look_at, now + RESYNC_SECONDS, self._power.keep_fresh(pair, decided.power_checks)]
        deadlines.append(self._storage.keep_fresh(pair, view))
        deadlines.append(self._types.keep_fresh(self._name, self._observer.instance_types(pair), self.wake))
        failures: list[BaseException] = []
        recorded = await _each((self._record(pair, obj, intent) for intent in decided.intents), failures)
        deadlines += await self._carry_out(pair, view, decided, failures)
        if any(recorded) and not failures:
            # Acted on first: the next look, which is due at once, tells of it.
            return now
        await self._tell(obj, pair, view, now, decided)
        if failures:
            raise failures[0]
        return min(at for at in deadlines if at is not None)

    def _take_up(self) -> None:
        """This look answers every change up to now."""
        if self._asked_at is not None:
            self._metrics.wait_seconds.observe(time.monotonic() - self._asked_at)
            self._asked_at = None

    async def _carry_out(
        self, pair: AvancePair, view: PairView, decided: Plan, failures: list[BaseException]
    ) -> list[float | None]:
        """Do what is on record. Each action is independent of the others."""
        open_actions = {action.name for action, _ in decided.progress}
        self._runner.keep_only(open_actions | set(map(_upkeep_of, decided.upkeep)))
        due = await _each((self._advance(pair, action, progress) for action, progress in decided.progress), failures)
        upkeep = [self._runner.order(pair, _upkeep_of(effect), (effect,)) for effect in decided.upkeep]
        await _each((self._journal.remove(disposable(view, self._clock.now())),), failures)
        return [*due, *upkeep]

    async def _record(self, pair: AvancePair, obj: Object, intent: Intent) -> bool:
        """Write an intent down; False if it was on record already."""
        try:
            if not await self._journal.record(pair, obj["metadata"]["uid"], intent):
                return False
        except ApiError as error:
            if intent.type is not ActionType.EDIT or isinstance(error, Unavailable):
                raise
            # Nothing waits for it, and it is tried again with each look: the CRDs may be older than this operator.
            log.warning("pair %s: an edit of %s is not on record: %s", self._name, intent.target, error)
            return False
        self.wake()
        for resource, regarding in self._regarding(obj, intent.type, intent.target):
            told = f"{intent.type} {intent.target}: {intent.message}"
            self._events.tell(resource, regarding, intent.reason, told, warning=intent.type is ActionType.GIVE_UP)
        return True

    async def _advance(self, pair: AvancePair, action: ActionView, progress: Progress) -> float | None:
        """Write the step down, and only then have its effects done."""
        error = self._runner.failure(action.name, progress.effects)
        if error:
            progress = replace(progress, message=f"{progress.message}; the last try failed: {error}")
        if not await self._journal.advance(action, progress):
            self.wake()
            return None
        if progress.evidence or progress.outcome:
            self.wake()
        if progress.outcome:
            self._ended(action, progress)
        return self._runner.order(pair, action.name, progress.effects) if progress.effects else None

    def _ended(self, action: ActionView, progress: Progress) -> None:
        self._metrics.finished(action, str(progress.outcome), self._clock.now())
        pair = self._store.get(AVANCE_PAIRS, self._name)
        for resource, regarding in self._regarding(pair, action.type, action.target) if pair else ():
            self._events.tell(
                resource,
                regarding,
                f"{action.type}{progress.outcome}",
                progress.message,
                warning=progress.outcome == "Failed",
            )

    def _regarding(self, pair: Object, type_: ActionType, target: str) -> Iterable[tuple[Any, Object]]:
        """The pair, and the node or VM that it is about."""
        yield AVANCE_PAIRS, pair
        namespace, _, name = target.rpartition("/")
        if type_ is ActionType.NOTIFY or type_ in PAIR_TARGETS or (type_ is ActionType.EDIT and not namespace):
            return
        resource = PROTECTED_VMS if namespace else NODES
        obj = self._store.get(resource, name, namespace)
        if obj is not None:
            yield resource, obj

    async def _perform(self, pair: AvancePair, effect: Effect) -> None:
        async with self._leadership.guard():
            await self._effects.perform(pair, effect)

    async def _count_failure(self, owner: str) -> None:
        try:
            async with self._leadership.guard():
                await self._journal.count_failure(owner)
        except (ApiError, LeadershipLost) as error:
            log.warning("%s: a failed try was not counted: %s", owner, error)

    def _with_refusals(self, view: PairView, upkeep: tuple[ApplyVm | CloseNode | ReleaseVm, ...]) -> PairView:
        """What KubeVirt has against a VM's VirtualMachine is why that VM cannot start."""
        vms_kept = (effect for effect in upkeep if not isinstance(effect, CloseNode))
        refused = {effect.vm: self._runner.failure(_upkeep_of(effect), (effect,)) for effect in vms_kept}

        def told(vms: tuple[VmView, ...]) -> tuple[VmView, ...]:
            return tuple(replace(vm, start_blocked=refused.get(vm.key) or vm.start_blocked) for vm in vms)

        return replace(view, vms=told(view.vms), candidates=told(view.candidates))

    async def _tell(self, obj: Object, pair: AvancePair, view: PairView, now: float, decided: Plan) -> None:
        async with self._pacing.computing():
            told: PairReport = report(self._with_refusals(view, decided.upkeep), now)
            self._metrics.show(view, told, now)
        async with self._pacing.telling():
            await self._status.write(obj, view, told, decided, self._edits.recorded(obj, pair, view), now)


def _upkeep_of(effect: ApplyVm | CloseNode | ReleaseVm) -> str:
    """Whose effect it is, where no action is."""
    return f"upkeep {effect.node if isinstance(effect, CloseNode) else effect.vm}"


async def _each(work: Iterable[Awaitable[T]], failures: list[BaseException]) -> list[T]:
    """Have everything done to its end; what fails is kept for later, because one thing must not hold up another."""
    results = await asyncio.gather(*work, return_exceptions=True)
    failures += [result for result in results if isinstance(result, BaseException)]
    return [result for result in results if not isinstance(result, BaseException)]
