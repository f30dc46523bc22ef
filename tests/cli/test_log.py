"""The log: which actions, as a timeline, and as lines of JSON."""

import argparse
import json
import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from avance.cli.exits import Failure
from avance.cli.log import Wanted, as_lines, chosen_actions, moment
from avance.cli.terminal import plain
from avance.core.channels import MessageSeverity, Notification
from avance.core.model import ActionPhase, ActionType, ActionView, StepView
from avance.operator.export import entry
from tests.core.views import NOW, action, evidence, node, pair, running

DOCS = Path(__file__).parents[2] / "docs"
FENCE = action(
    ActionType.FENCE, "node-a", requested_by="system:serviceaccount:avance-system:avance", created_at=NOW,
    steps=(StepView("Close", NOW + 1, message="closing"), StepView("PowerOff", NOW + 2, attempts=2, message="ordered")),
    finished_at=NOW + 5, result="node-a is off", evidence=evidence(node("node-a")),
)  # fmt: skip
MOVE = action(
    ActionType.MIGRATE, "default/web", ActionPhase.RUNNING, destination="node-b", requested_by="ann",
    created_at=NOW + 10, steps=(StepView("Move", NOW + 11, message="asked for"),), current="Move",
)  # fmt: skip
VIEW = replace(pair(vms=(running("web"), running("db"))), actions=(FENCE, MOVE))


def text(*actions: ActionView) -> list[str]:
    return list(as_lines([entry(each, "pair") for each in actions], plain))


def names(vm: str = "", node: str = "", since: float | None = None) -> list[str]:
    return [each.type for each in chosen_actions(VIEW, vm, node, since)]


def test_an_action_is_told_with_who_why_steps_and_result() -> None:
    assert text(FENCE) == [
        "1970-01-12 13:46:40 UTC  Fence node-a  Test, by the operator: a test",
        "    Close (1.0 s): closing",
        "    PowerOff (3.0 s, 2 tries failed): ordered",
        "    Succeeded after 5.0 s: node-a is off",
    ]


def test_what_is_under_way_says_so() -> None:
    assert text(MOVE)[0] == "1970-01-12 13:46:50 UTC  Migrate default/web to node-b  Test, by ann: a test"
    assert text(MOVE)[1:] == ["    Move (under way): asked for", "    Running"]


def test_an_action_without_a_step_and_a_log_without_an_action_are_told() -> None:
    assert text(replace(MOVE, steps=(), phase=ActionPhase.PENDING))[1:] == ["    Pending"]
    assert text() == ["Nothing is on record."]


def test_only_what_is_asked_for() -> None:
    assert names() == ["Fence", "Migrate"]
    assert names(vm="web") == names(vm="default/web") == ["Migrate"]
    assert names(vm="db") == []
    assert names(node="node-a") == ["Fence"]
    assert names(node="node-b") == ["Migrate"]
    assert names(since=NOW + 6) == ["Migrate"], "what had ended by then is past"
    assert names(since=NOW + 60) == ["Migrate"], "what is under way is not past"
    assert names(since=NOW + 4) == ["Fence", "Migrate"]


@pytest.mark.parametrize(("asked", "complaint"), [({"vm": "wob"}, "no VM wob"), ({"node": "node-x"}, "no node node-x")])
def test_what_was_never_there_is_no_empty_log(asked: dict[str, str], complaint: str) -> None:
    with pytest.raises(Failure, match=complaint):
        names(**asked)


def test_a_line_of_json_holds_everything() -> None:
    told = json.loads(json.dumps(entry(FENCE, "pair")))
    assert (told["type"], told["seconds"], told["evidence"]["node"]) == ("Fence", 5.0, "node-a")
    assert told["steps"][1] == {
        "name": "PowerOff", "at": "1970-01-12T13:46:42.000000Z", "until": "1970-01-12T13:46:45.000000Z",
        "failedTries": 2, "message": "ordered",
    }  # fmt: skip
    assert told["steps"][0]["until"] == told["steps"][1]["at"], "a step lasts until the next one is entered"


def test_the_schema_of_an_export_is_documented_and_nothing_else() -> None:
    """docs/action-log.md names each field once: `steps[].until`."""
    told = entry(replace(FENCE, notification=Notification("desk", None, MessageSeverity.INFO, "s", "t")), "pair")
    given = set(told) - {"steps", "evidence", "notification"} | {f"steps[].{key}" for key in told["steps"][0]}
    given |= {f"{field}.{key}" for field in ("evidence", "notification") for key in told[field]}
    documented = re.findall(r"^\| `([^`]+)` \|", (DOCS / "action-log.md").read_text(), re.MULTILINE)
    assert sorted(documented) == sorted(given)


def test_only_the_types_users_and_incidents_that_are_asked_for() -> None:
    def found(**asked: Any) -> list[str]:
        return [each.type for each in (FENCE, MOVE) if Wanted(**asked).has(each)]

    assert found() == ["Fence", "Migrate"]
    assert found(types=frozenset({"Migrate", "Start"})) == ["Migrate"]
    assert found(by="ann") == ["Migrate"]
    assert found(by="operator") == found(by=FENCE.requested_by) == ["Fence"]
    assert found(by="an") == []
    assert found(incident="incident-1") == ["Fence", "Migrate"]
    assert found(incident="incident-2") == []


def test_since_takes_how_long_ago_and_a_time() -> None:
    assert moment("90m") == pytest.approx(time.time() - 5400, abs=60)
    assert moment("1h30m") == pytest.approx(time.time() - 5400, abs=60)
    assert moment("1970-01-12T13:46:40Z") == NOW
    for wrong in ("yesterday", "90", "2026-05-01T09:00:00", "h", ""):
        with pytest.raises(argparse.ArgumentTypeError, match="write how long ago"):
            moment(wrong)
