"""How many messages people get, and that those which docs/notifications.md shows are the ones that they get."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from avance.core.channels import ChannelPolicy, Notification, NotificationPolicy, Post
from avance.core.history import ComponentHistory, NodeHistory, Occurrence
from avance.core.intents import Intent, fault_incident
from avance.core.model import ActionType, PairView
from avance.core.policy import PairPolicy
from avance.core.rules.component_fault import call_home
from avance.core.rules.notification import tell_people
from avance.messaging.letter import Letter
from avance.messaging.webhook import event_of
from avance.operator.messages import part_of
from avance.simulator.scenario import load, parse, play
from tests.cli.shop import AT, look
from tests.core.views import action

ROOT = Path(__file__).parents[2]
DOCS = (ROOT / "docs" / "notifications.md").read_text()
DAY = 86400.0


def flapping(times: int, seconds: int) -> dict[str, object]:
    every = seconds // times
    begins = [60 + number * every for number in range(times)]
    fails = [{f"{at} s": "fan FAN1 of node-a fails"} for at in begins]
    mends = [{f"{at + every // 2} s": "fan FAN1 of node-a is repaired"} for at in begins]
    return {
        "shows": "a fan that comes and goes",
        "table": {"fault": "benign fault", "on": "primary", "rules": ["one incident"]},
        "pair": {"notifications": {"channels": {"ops": {}}}},
        "when": [event for pair in zip(fails, mends, strict=True) for event in pair],
        "then": [{"at the end": "nothing is under way"}],
        "ends": "75 min",
    }


@pytest.mark.slow
def test_a_hundred_flaps_in_an_hour_are_eight_messages() -> None:
    result, sim = play(parse("a hundred flaps", flapping(100, 3600)))
    assert not result.failures
    subjects = [letter.subject.removeprefix("[avance] pair: ") for letter in sim.post_office.arrived]
    assert subjects == [
        "Warning: fan FAN1 of node-a failed (and 3 more)",  # the moves of three VMs
        "Recovered: fan FAN1 of node-a works again",
        *["Warning: fan FAN1 of node-a failed"] * 5,  # every ten minutes that it still comes and goes
        "Recovered: fan FAN1 of node-a works again (and 1 more)",  # once it has been quiet for long enough
    ]


# --- the samples ------------------------------------------------------------------------------------------------------


def told_of_a_part() -> Notification:
    """The pair of docs/cli.md, whose power supply had failed two days before."""
    view = look().view
    (broken,) = view.nodes[0].faults
    faults = (Occurrence("PowerSupplyProblem", AT - 2 * DAY, AT - 2 * DAY, AT - 2 * DAY + 3720),
              Occurrence("PowerSupplyProblem", broken.since, AT - 6))  # fmt: skip
    history = NodeHistory(components=(ComponentHistory(broken.kind, broken.component, faults),))
    a, b = (replace(node, heard_at=AT + 23) for node in view.nodes)
    view = replace(view, nodes=(replace(a, history=history), b), actions=())
    (wanted,) = (each for each in call_home(view, AT - 6) if isinstance(each, Intent))
    call = action(ActionType.CALL_HOME, "node-a", incident=fault_incident(broken), reason=wanted.reason,
                  message=wanted.message, created_at=AT - 6)  # fmt: skip
    return message(replace(view, actions=(call,)), AT + 24)


def message(view: PairView, now: float) -> Notification:
    policy = PairPolicy(notifications=NotificationPolicy((ChannelPolicy("mail"),)))
    told = [each for each in tell_people(replace(view, policy=policy, post=Post({"mail": 0.0})), (), now)
            if isinstance(each, Intent)]  # fmt: skip
    assert len(told) == 1
    assert told[0].notification is not None
    return told[0].notification


def mail(subject: str, text: str) -> str:
    return f"Subject: {subject}\n\n{text}\n"


def of_a_part() -> str:
    told = told_of_a_part()
    return mail(told.subject, told.text)


def of_a_scenario(name: str, number: int) -> Callable[[], str]:
    def sample() -> str:
        scenario = load(ROOT / "tests" / "scenarios" / f"{name}.yaml")
        _, sim = play(replace(scenario, ends=110.0))  # its test plays it to the end
        letter = sim.post_office.arrived[number]
        return mail(letter.subject, letter.text)

    return sample


def of_the_webhook() -> str:
    told = told_of_a_part()
    parts = tuple(map(part_of, told.parts))
    letter = Letter("notify-desk-4be2f07c", "shop", str(told.kind), told.severity.word, told.subject, told.text,
                    AT + 24, parts)  # fmt: skip
    event = json.loads(event_of(letter))
    event["data"]["text"] = "…"
    return f"{json.dumps(event, indent=2, ensure_ascii=False)}\n"


SAMPLES = {
    "a part failed": ("text", of_a_part),
    "a server crashed": ("text", of_a_scenario("told-of-a-crash", 0)),
    "its VMs run again": ("text", of_a_scenario("told-of-a-crash", 1)),
    "a person is needed": ("text", of_a_scenario("told-of-a-server-that-cannot-be-fenced", 0)),
    "the webhook's event": ("json", of_the_webhook),
}


def shown(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", DOCS, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_is_what_people_get(name: str) -> None:
    language, sample = SAMPLES[name]
    wanted = sample()
    assert wanted in shown(language), f"docs/notifications.md does not show what is sent now:\n{wanted}"


def test_every_sample_is_compared() -> None:
    known = [sample() for language, sample in SAMPLES.values() if language == "text"]
    assert sorted(shown("text")) == sorted(known)
