"""Random fault schedules: no invariant breaks, and everything serves once the faults are mended.

`AVANCE_SIM_STEPS` sets how many ticks are simulated, `AVANCE_SIM_SEED` with which seed they begin: a failure prints
both the seed and the scenario file that replays it.
"""

import os

import pytest
import yaml

from avance.simulator.cli import as_text
from avance.simulator.scenario import parse, run
from avance.simulator.schedule import CALM_BEFORE, HEALING, TROUBLE, schedule
from avance.simulator.simulation import TICK

STEPS_A_SCHEDULE = (CALM_BEFORE + TROUBLE + HEALING) / TICK
STEPS = int(os.environ.get("AVANCE_SIM_STEPS", "17000"))
FIRST_SEED = int(os.environ.get("AVANCE_SIM_SEED", "1"))
SEEDS = range(FIRST_SEED, FIRST_SEED + max(1, round(STEPS / STEPS_A_SCHEDULE)))


@pytest.mark.parametrize("seed", SEEDS)
def test_random_faults(seed: int) -> None:
    document = schedule(seed)
    result = run(parse(f"seed-{seed}", yaml.safe_load(document)))
    assert not result.failures, f"AVANCE_SIM_SEED={seed}\n{as_text(result)}\n--- replays it ---\n{document}"


def test_a_seed_always_makes_the_same_schedule_and_the_same_timeline() -> None:
    assert schedule(3) == schedule(3) != schedule(4)
    short = yaml.safe_load(schedule(3)) | {"ends": "120 s", "then": []}
    assert run(parse("3", short)).timeline == run(parse("3", short)).timeline != ()
