"""The end of the process: what kopf leaves open is no error then, and one at any other time."""

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest

from avance.operator.app import at_the_end_without


async def stubborn() -> AsyncIterator[int]:
    try:
        yield 1
    except GeneratorExit:
        raise RuntimeError("it does not stop") from None


async def leaves_a_generator_open(stop: asyncio.Event) -> None:
    asyncio.get_running_loop().set_exception_handler(at_the_end_without(stop))
    left_open.append(stubborn())
    await anext(left_open[-1])


left_open: list[AsyncIterator[int]] = []


@pytest.mark.parametrize("told_to_stop", [True, False])
def test_a_watch_that_is_left_open_is_an_error_only_while_it_serves(
    told_to_stop: bool, caplog: pytest.LogCaptureFixture
) -> None:
    stop = asyncio.Event()
    if told_to_stop:
        stop.set()
    with caplog.at_level(logging.INFO, logger="avance.operator.app"):
        asyncio.run(leaves_a_generator_open(stop))
    assert "it does not stop" in caplog.text
    assert any(record.levelno >= logging.ERROR for record in caplog.records) is not told_to_stop
