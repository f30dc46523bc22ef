"""What an alarm may be set on: a line at level ERROR is something that nobody repeats."""

import json
import logging
from collections.abc import Iterator

import pytest

from avance.operator.logs import set_up


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    yield
    root.setLevel(level)
    root.handlers[:] = handlers


def told(capsys: pytest.CaptureFixture[str], logger: str, message: str) -> dict[str, str]:
    set_up("json", logging.INFO)
    logging.getLogger(logger).error(message)
    line: dict[str, str] = json.loads(capsys.readouterr().err)
    return line


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
