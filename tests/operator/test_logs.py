"""What an alarm may be set on: a line at level ERROR is something that nobody repeats."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from avance.api.action import AvanceAction
from avance.operator.actions import view_of
from avance.operator.export import LOGGER, entry, tell
from avance.operator.logs import set_up
from tests.operator.objects import NOTED, metadata


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    yield
    root.setLevel(level)
    root.handlers[:] = handlers
    actions = logging.getLogger(LOGGER)
    actions.handlers, actions.propagate = [], True


def told(capsys: pytest.CaptureFixture[str], logger: str, message: str) -> dict[str, str]:
    set_up("json", logging.INFO)
    logging.getLogger(logger).error(message)
    line: dict[str, str] = json.loads(capsys.readouterr().err)
    return line


def call_home(**status: str) -> dict[str, Any]:
    spec = {"pairRef": {"name": "site"}, "type": "CallHome", "target": {"kind": "Node", "name": "node-b"}}
    return {"metadata": metadata("call", creationTimestamp=NOTED), "spec": spec, "status": status}


def test_a_request_that_kopf_repeats_is_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    message = "Request attempt #1 failed; will retry: GET /api -> ServerDisconnectedError()"
    assert told(capsys, "kopf._core.reactor.observation", message)["level"] == "WARNING"


@pytest.mark.parametrize(
    ("logger", "message"),
    [
        ("kopf._core.reactor.observation", "Request attempt #9 failed; escalating: GET /api"),
        ("avance.operator.app", "it broke; will retry"),
    ],
)
def test_what_is_given_up_stays_an_error(capsys: pytest.CaptureFixture[str], logger: str, message: str) -> None:
    assert told(capsys, logger, message)["level"] == "ERROR"


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_actions_go_to_standard_output_as_the_export_has_them(
    log_format: str, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up(log_format, logging.WARNING)
    obj = call_home(phase="Succeeded", finishedAt="2026-05-01T10:00:03.500000Z", result="told")
    tell(obj, "Succeeded")
    said = capsys.readouterr()
    line = json.loads(said.out)
    assert (line["name"], line["level"], line["message"]) == (LOGGER, "INFO", "CallHome node-b: Succeeded")
    assert line["action"] == entry(view_of(AvanceAction.parse(obj), obj), "site")
    assert (line["action"]["seconds"], line["action"]["result"]) == (3.5, "told")
    assert said.err == "", "once"
