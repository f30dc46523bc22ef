"""Carries a story out, part by part, and judges it: expectations in time, refusals refused, no VM that ran twice."""

import asyncio
import time
from collections.abc import Sequence

from e2e.demo.narrator import Narrator
from e2e.demo.news import news
from e2e.demo.parts import Apply, BringUp, Do, Expect, Expectation, Kubectl, Part, Programs, Rights, Say, Show, Step
from e2e.demo.rights import in_one_line
from e2e.demo.stage import Stage
from e2e.demo.world import Object


class StepFailed(Exception):
    """Something is not as the story says; the message says what."""


class Runner:
    """Tells steps one after the other on one stage. `passed` and `failed` count them."""

    def __init__(self, stage: Stage, narrator: Narrator) -> None:
        self.passed = self.failed = 0
        self._stage = stage
        self._narrator = narrator
        stage.world.listeners.append(self._tell_news)

    async def run(self, story: Sequence[Step]) -> None:
        """Until the end, or until a step fails: what comes after it builds on it."""
        for number, step in enumerate(story, 1):
            self._narrator.step(number, len(story), step.title)
            try:
                for part in step.parts:
                    await self._perform(part)
                await self._no_vm_ran_twice()
            except StepFailed as failure:
                self.failed += 1
                self._narrator.missed("this step has failed", str(failure))
                await self._diagnose()
                return
            self.passed += 1
            self._narrator.passed()

    async def _perform(self, part: Part) -> None:
        match part:
            case Say():
                self._narrator.say(part.text)
            case BringUp():
                await self._stage.bring_up(self._narrator.news)
            case Do():
                await self._do(part)
            case Apply():
                await self._apply(part)
            case Kubectl():
                await self._kubectl(part)
            case Programs():
                self._narrator.table(await self._stage.programs())
            case Rights():
                await self._rights(part)
            case Expect():
                await self._expect(part.expectations)
            case Show():
                await self._show(part)

    async def _do(self, deed: Do) -> None:
        self._narrator.deed(deed.text)
        self._stage.world.mark(deed.verb)
        await self._stage.do(deed.verb, **deed.arguments)

    async def _apply(self, part: Apply) -> None:
        text = self._stage.manifest(part.manifest)
        self._narrator.deed(f"kubectl apply -f {part.manifest}")
        self._narrator.block(text)
        self._stage.world.mark("apply")
        status, output = await self._stage.kubectl("apply", "-f", "-", stdin=text)
        self._narrator.block(output)
        if status:
            raise StepFailed(f"kubectl apply -f {part.manifest} was refused")

    async def _kubectl(self, part: Kubectl) -> None:
        status, output = await self._stage.kubectl(*part.arguments)
        self._narrator.command(part.arguments, output)
        if part.refused and "Forbidden" not in output:
            raise StepFailed("the API server should have refused this as Forbidden")
        if status and not part.refused:
            raise StepFailed(f"kubectl ended with status {status}")

    async def _rights(self, part: Rights) -> None:
        status, output = await self._stage.kubectl("get", *part.role, "-o", "json")
        if status:
            raise StepFailed(output)
        self._narrator.say(f"{part.where} it may {in_one_line(output)}")

    async def _show(self, part: Show) -> None:
        table = part.build(self._stage.world, await self._stage.do("ledger"))
        self._narrator.table(table)
        if table.failures:
            raise StepFailed("; ".join(table.failures))

    async def _expect(self, expectations: Sequence[Expectation]) -> None:
        """All of them at once, each within its time; asked after every change of the world."""
        began = time.monotonic()
        pending = list(expectations)
        progress = asyncio.Event()

        def ask(*_: object) -> None:
            for each in tuple(pending):
                if not each.condition(self._stage.world):
                    pending.remove(each)
                    self._narrator.met(each.text, time.monotonic() - began, each.seconds)
                    progress.set()

        self._stage.world.listeners.append(ask)
        try:
            ask()
            while pending:
                progress.clear()
                await self._until(progress, began + min(each.seconds for each in pending), pending)
        finally:
            self._stage.world.listeners.remove(ask)

    async def _until(self, progress: asyncio.Event, deadline: float, pending: Sequence[Expectation]) -> None:
        try:
            await asyncio.wait_for(progress.wait(), deadline - time.monotonic())
        except TimeoutError:
            late = min(pending, key=lambda each: each.seconds)
            why = late.condition(self._stage.world)
            raise StepFailed(f"not within {late.seconds:g} s: {late.text}. {why}") from None

    async def _no_vm_ran_twice(self) -> None:
        violations = (await self._stage.do("ledger"))["violations"]
        if violations:
            raise StepFailed(f"a VM ran twice at once: {violations}")

    async def _diagnose(self) -> None:
        """What somebody who looks for the cause wants to see first."""
        for arguments in (("get", "nodes,pair,pvm,action,vmi,vmim", "-A", "-o", "wide"), ("describe", "pair")):
            self._narrator.command(arguments, (await self._stage.kubectl(*arguments))[1])
        self._narrator.say("last lines of the operator's log:")
        self._narrator.block(self._stage.operator_log())

    def _tell_news(self, kind: str, before: Object, now: Object) -> None:
        for line in news(kind, before, now):
            self._narrator.news(line)
