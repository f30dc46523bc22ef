"""Times as the API and the ledger write them."""

from datetime import datetime


def moment(text: str) -> float:
    """Seconds since the epoch of an RFC 3339 time."""
    return datetime.fromisoformat(text).timestamp()


def seconds_between(start: str, end: str) -> float:
    """Seconds from one time to another; negative when the second is the earlier one."""
    return moment(end) - moment(start)
