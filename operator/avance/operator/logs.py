"""Structured logs on standard error, JSON or plain text, a line each; the actions, in JSON, on standard output."""

from __future__ import annotations

import logging
import sys

from pythonjsonlogger.json import JsonFormatter

from avance.operator.export import LOGGER

TEXT = "%(asctime)s %(levelname)-7s %(message)s"
_FIELDS = "%(asctime)s %(levelname)s %(name)s %(message)s"


def set_up(log_format: str, level: int) -> None:
    """Log everything of this process in one format; kopf speaks up only when something is wrong."""
    handler = logging.StreamHandler(sys.stderr)
    as_json = JsonFormatter(_FIELDS, rename_fields={"asctime": "time", "levelname": "level"})
    if log_format == "json":
        handler.setFormatter(as_json)
    else:
        handler.setFormatter(logging.Formatter(TEXT))
    handler.addFilter(_retry_is_no_error)
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("kopf").setLevel(max(level, logging.WARNING))
    logging.getLogger("aiohttp").setLevel(logging.WARNING)
    _for_collectors(as_json)
    # What sushy reports as an error is a reading to us, told once and in a sentence.
    logging.getLogger("sushy").setLevel(logging.CRITICAL)


def _for_collectors(as_json: logging.Formatter) -> None:
    """The log of actions, in JSON whatever the format and level of the rest, and on a stream of its own."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(as_json)
    actions = logging.getLogger(LOGGER)
    actions.handlers, actions.propagate = [handler], False
    actions.setLevel(logging.INFO)


def _retry_is_no_error(record: logging.LogRecord) -> bool:
    """Kopf tells each request that it is about to repeat as an error; what fails for good it raises."""
    if record.name.startswith("kopf.") and record.levelno == logging.ERROR and "; will re" in record.getMessage():
        record.levelno, record.levelname = logging.WARNING, logging.getLevelName(logging.WARNING)
    return True
