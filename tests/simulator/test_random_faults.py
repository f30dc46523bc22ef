"""Random fault schedules: no invariant breaks, and everything serves once the faults are mended.

A step is a quarter of a second in which everything moves once and every invariant is checked. `AVANCE_SIM_STEPS` sets
how many are made at length, `AVANCE_SIM_SEED` with which seed they begin: a failure prints the seed and the smallest
scenario file found that fails in the same way.
"""

import os

import pytest
import yaml

from avance.simulator.events import EVENTS
from avance.simulator.random_faults import Trial, failure_of, play, shrink, trials
from avance.simulator.scenario import parse, run
from avance.simulator.schedule import CAUSES, NODES, VMS, schedule
from avance.simulator.sentences import NotUnderstood

STEPS = int(os.environ.get("AVANCE_SIM_STEPS", "200000"))
FIRST_SEED = int(os.environ.get("AVANCE_SIM_SEED", "1"))
SHARE = 10_000
"""Steps of one test, so that several processes can share the work."""
SEEDS_APART = 1000


def explain(trial: Trial) -> str:
    return f"AVANCE_SIM_SEED={trial.seed}: {'; '.join(trial.failures)}\n--- replays it ---\n{trial.scenario_file}"


def play_share(share: int, steps: int) -> None:
    for trial in trials(FIRST_SEED + share * SEEDS_APART, steps):
        assert not trial.failures, explain(trial)


@pytest.mark.parametrize("share", range(4))
def test_random_faults(share: int) -> None:
    play_share(share, steps=5000)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("share", range(-(-STEPS // SHARE)))
def test_random_faults_at_length(share: int) -> None:
    play_share(share, SHARE)


def test_a_seed_always_makes_the_same_schedule_and_the_same_timeline() -> None:
    assert schedule(7) == schedule(7) != schedule(4)
    short = yaml.safe_load(schedule(7)) | {"ends": "120 s", "then": []}
    short["when"] = [entry for entry in short["when"] if float(next(iter(entry)).split()[0]) <= 120]
    assert run(parse("3", short)).timeline == run(parse("3", short)).timeline != ()
    assert play(3) == play(3)


def test_what_fails_is_shrunk_to_what_it_takes() -> None:
    """The failure is one that no rule can survive: a BMC that lies about a server that nobody can hear."""
    document = yaml.safe_load(schedule(11))
    document["when"] = [
        {"30 s": "the fan FAN1 of node-b fails".removeprefix("the ")},
        {"40 s": "the BMC of node-a says Off whatever is true"},
        {"50 s": "somebody asks to restart web"},
        {"60 s": "node-a is cut off from everything"},
        {"70 s": "power supply PSU1 of node-b fails"},
        {"620 s": "everything is mended"},
    ]
    for vm in document["vms"]:
        vm["runs on"] = "node-a"
    smallest = shrink(document)
    assert [what for entry in smallest["when"] for what in entry.values()] == [
        "the BMC of node-a says Off whatever is true",
        "node-a is cut off from everything",
    ]
    assert len(smallest["vms"]) == 1
    assert failure_of(smallest) == failure_of(document) != ""


def test_what_is_shrunk_keeps_the_storage_that_its_events_need() -> None:
    document = {
        "shows": "a guest without disks",
        "pair": {"storage": "replicated", "lag": "1 s"},
        "vms": [{"name": "web", "runs on": "node-a"}],
        "when": [
            {"1 s": "the private link is cut"},
            {"2 s": "node-a has been replaced with empty disks"},
            {"5 s": "everything is mended"},
        ],
        "then": [{"from 3 s to 4 s": "web runs on node-a"}],
        "ends": "6 s",
    }
    assert shrink(document)["pair"] == {"storage": "replicated"}


def test_every_cause_is_a_sentence_that_scenarios_know() -> None:
    from random import Random

    for name, cause in CAUSES.items():
        for seed in range(20):
            for _, sentence in cause(Random(seed), NODES[0], VMS[0], 1):
                try:
                    EVENTS.understand(sentence)
                except NotUnderstood as error:
                    pytest.fail(f"{name}: {error}")
