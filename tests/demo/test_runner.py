"""The runner awaits what is expected, misses no passing moment, and never calls a story good that was not."""

import asyncio
import io
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from rich.console import Console

from e2e.demo.narrator import Narrator
from e2e.demo.parts import Do, Expect, Expectation, Kubectl, Say, Show, Step
from e2e.demo.runner import Runner
from e2e.demo.stage import Stage
from e2e.demo.tables import Table
from e2e.demo.world import World, status
from tests.demo.objects import Object, instance, ledger

REFUSAL = 'Error from server (Forbidden): nodes "cp-0" is forbidden'


class BareStage(Stage):
    """A stage without a lab: verbs change its world as `reactions` say."""

    def __init__(self) -> None:
        super().__init__("none")
        self.ledger: Object = ledger()
        self.answers: dict[str, tuple[int, str]] = {}
        self.reactions: dict[str, list[Object]] = {}
        self.done: list[str] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def do(self, verb: str, **arguments: Any) -> Any:
        if verb == "ledger":
            return self.ledger
        self.done.append(verb)
        self._tasks.append(asyncio.create_task(self._react(verb)))
        return None

    async def _react(self, verb: str) -> None:
        for obj in self.reactions.get(verb, []):
            await asyncio.sleep(0)
            self.world.put("VirtualMachineInstance", obj)

    async def kubectl(self, *arguments: str, stdin: str | None = None) -> tuple[int, str]:
        return self.answers.get(arguments[0], (0, ""))


class Told:
    """A runner, what it is made of, and what it printed."""

    def __init__(self) -> None:
        self.stage = BareStage()
        self._output = io.StringIO()
        self.runner = Runner(self.stage, Narrator(Console(file=self._output, width=200)))

    async def run(self, *steps: Step) -> tuple[int, int]:
        await self.runner.run(steps)
        return self.runner.passed, self.runner.failed

    @property
    def text(self) -> str:
        return self._output.getvalue()


@pytest_asyncio.fixture
async def told() -> AsyncIterator[Told]:
    yield Told()


def phase_is(wanted: str) -> Expectation:
    def why_not(world: World) -> str:
        found = status(world.get("VirtualMachineInstance", "till")).get("phase")
        return "" if found == wanted else f"till is {found}"

    return Expectation(f"till is {wanted}", 0.3, why_not)


async def test_a_passing_moment_is_not_missed(told: Told) -> None:
    told.stage.reactions["fail"] = [instance("till", "1", phase, "node-a") for phase in ("Scheduling", "Running")]
    step = Step("a step", Do("it fails", "fail"), Expect(phase_is("Running"), phase_is("Scheduling")))
    assert await told.run(step) == (1, 0)


async def test_what_is_not_seen_in_time_fails_the_step_and_ends_the_story(told: Told) -> None:
    told.stage.reactions["fail"] = [instance("till", "1", "Pending", "node-a")]
    step = Step("a step", Do("it fails", "fail"), Expect(phase_is("Running")))
    assert await told.run(Step("good", Say("hello")), step, Step("never told", Say("never said"))) == (1, 1)
    assert "not within 0.3 s: till is Running. till is Pending" in told.text
    assert "never said" not in told.text


async def test_a_vm_that_ran_twice_fails_the_step(told: Told) -> None:
    told.stage.ledger = ledger(violations=({"name": "till", "cause": "run 2 on node-b"},))
    assert await told.run(Step("a step", Say("nothing"))) == (0, 1)
    assert "run 2 on node-b" in told.text


@pytest.mark.parametrize(
    ("answer", "passed"),
    [((1, REFUSAL), 1), ((0, "node deleted"), 0), ((1, "connection refused"), 0)],
)
async def test_a_refusal_must_be_one_and_no_other_failure(told: Told, answer: tuple[int, str], passed: int) -> None:
    told.stage.answers["delete"] = answer
    step = Step("a step", Kubectl(("delete", "node", "cp-0"), refused=True))
    assert await told.run(step) == (passed, 1 - passed)


async def test_a_command_that_fails_fails_the_step(told: Told) -> None:
    told.stage.answers["get"] = (1, "no such kind")
    assert await told.run(Step("a step", Kubectl(("get", "pair")))) == (0, 1)


async def test_a_table_that_finds_fault_fails_the_step(told: Told) -> None:
    def build(world: World, ledger: Any) -> Table:
        return Table("budgets", ("phase",), [("fence",)], ["fence: 31 s, budget 30 s"])

    assert await told.run(Step("a step", Show(build))) == (0, 1)
    assert "fence: 31 s, budget 30 s" in told.text


async def test_only_what_came_after_a_deed_is_its_consequence(told: Told) -> None:
    def migration(name: str) -> Object:
        return {"metadata": {"name": name, "uid": name}, "spec": {"vmiName": "till"}}

    world = told.stage.world
    world.put("VirtualMachineInstanceMigration", migration("before"))
    world.mark("fail")
    world.put("VirtualMachineInstanceMigration", migration("after"))
    assert [each["metadata"]["name"] for each in world.new("VirtualMachineInstanceMigration")] == ["after"]
