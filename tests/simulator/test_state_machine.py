"""Hypothesis thinks of faults step by step, and shrinks what goes wrong by itself.

It knows every sentence that the random schedules know, decides after each how long to wait, and looks for the shortest
story that breaks an invariant. Where `random_faults` covers much, this looks closely.
"""

from random import Random
from typing import Any

import hypothesis.strategies as st
import yaml
from hypothesis import HealthCheck, note, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from avance.simulator.events import happen
from avance.simulator.random_faults import REST_SECONDS, why_no_rest
from avance.simulator.scenario import parse
from avance.simulator.schedule import CAUSES, COMPANY, DISK_CAUSES, MENDED, NODES, OPENINGS, VMS
from avance.simulator.simulation import TICK

QUICKLY = settings(
    max_examples=12,
    stateful_step_count=12,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    print_blob=False,
)
ALL = CAUSES | DISK_CAUSES
HEALING = 1500.0
"""Seconds after which a mended pair has to be at rest."""


class FaultyPair(RuleBasedStateMachine):
    """A pair to which anything may happen; the rules of this machine are faults, its invariants the product's."""

    @initialize(
        lag=st.sampled_from((0.25, 1, 3)),
        placement=st.sampled_from(("Consolidated", "Balanced")),
        homes=st.lists(st.sampled_from(NODES), min_size=len(VMS), max_size=len(VMS)),
    )
    def begin(self, lag: float, placement: str, homes: list[str]) -> None:
        self.document: dict[str, Any] = {
            "shows": "What Hypothesis thought of.",
            "pair": {"lag": f"{lag} s", "placement": placement, "storage": "replicated", "resync": "60 s"},
            "vms": [{"name": name, "runs on": home} for name, home in zip(VMS, homes, strict=True)],
            "when": [],
        }
        self.sim = parse("hypothesis", self.document).begin()
        self.coming: list[tuple[float, str]] = []

    @rule(
        cause=st.sampled_from(OPENINGS) | st.sampled_from(COMPANY) | st.sampled_from(sorted(ALL)),
        node=st.sampled_from(NODES),
        vm=st.sampled_from(VMS),
        seed=st.integers(0, 7),
        lasts=st.sampled_from((0.25, 3, 10, 20, 60)),
    )
    def trouble(self, cause: str, node: str, vm: str, seed: int, lasts: float) -> None:
        for delay, what in ALL[cause](Random(seed), node, vm, lasts):
            self.coming.append((self.sim.elapsed + delay, what))
        self.coming.sort(key=lambda event: event[0])

    @rule(seconds=st.sampled_from((0.25, 0.5, 1, 2, 5, 15, 40)))
    def time_passes(self, seconds: float) -> None:
        self.let_pass(seconds)

    @precondition(lambda self: hasattr(self, "sim"))
    @invariant()
    def nothing_is_unsafe(self) -> None:
        assert not self.sim.violations, self.explain()

    def teardown(self) -> None:
        if not hasattr(self, "sim") or self.sim.violations:
            return
        self.let_pass(max((at for at, _ in self.coming), default=0.0) - self.sim.elapsed + TICK)
        self.coming.append((self.sim.elapsed, MENDED))
        rest, until = 0.0, self.sim.elapsed + HEALING
        while rest < REST_SECONDS and self.sim.elapsed < until:
            self.let_pass(TICK)
            rest = 0.0 if any(why_no_rest(self.sim)) else rest + TICK
        assert not self.sim.violations, self.explain()
        assert rest >= REST_SECONDS, f"{list(why_no_rest(self.sim))}\n{self.explain()}"

    def let_pass(self, seconds: float) -> None:
        until = self.sim.elapsed + seconds
        while self.sim.elapsed < until:
            while self.coming and self.coming[0][0] <= self.sim.elapsed:
                _, what = self.coming.pop(0)
                self.document["when"].append({f"{self.sim.elapsed:g} s": what})
                happen(self.sim, what)
            self.sim.step()

    def explain(self) -> str:
        document = self.document | {"ends": f"{self.sim.elapsed:g} s"}
        note(f"--- replays it ---\n{yaml.safe_dump(document, sort_keys=False)}")
        return "; ".join(self.sim.violations)


FaultyPair.TestCase.settings = QUICKLY
TestFaultyPair = FaultyPair.TestCase
