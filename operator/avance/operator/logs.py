"""Structured logs on standard error: one JSON object a line, or plain text for people."""

from __future__ import annotations

import logging
import sys

from pythonjsonlogger.json import JsonFormatter

TEXT = "%(asctime)s %(levelname)-7s %(message)s"
_FIELDS = "%(asctime)s %(levelname)s %(name)s %(message)s"


def set_up(log_format: str, level: int) -> None:
    """Log everything of this process in one format; kopf speaks up only when something is wrong."""
    handler = logging.StreamHandler(sys.stderr)
    if log_format == "json":
        handler.setFormatter(JsonFormatter(_FIELDS, rename_fields={"asctime": "time", "levelname": "level"}))
    else:
        handler.setFormatter(logging.Formatter(TEXT))
    handler.addFilter(_retry_is_no_error)
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("kopf").setLevel(max(level, logging.WARNING))
    logging.getLogger("aiohttp").setLevel(logging.WARNING)
    # What sushy reports as an error is a reading to us, told once and in a sentence.
    logging.getLogger("sushy").setLevel(logging.CRITICAL)


def _retry_is_no_error(record: logging.LogRecord) -> bool:
    """Kopf tells each request that it is about to repeat as an error; what fails for good it raises."""
    if record.name.startswith("kopf.") and record.levelno == logging.ERROR and "; will re" in record.getMessage():
        record.levelno, record.levelname = logging.WARNING, logging.getLevelName(logging.WARNING)
    return True
