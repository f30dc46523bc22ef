"""What an exit status means, the same for every command."""

from __future__ import annotations

OK, NO, USAGE, UNREACHABLE, TIMED_OUT = range(5)
"""Yes, done; no, not well, failed; the request makes no sense; the cluster cannot be read or refuses; not in time."""
INTERRUPTED = 130
"""Ended by the person who asked, as shells have it."""

MEANING = """\
Exit status: 0 yes, done, all is well; 1 no, it is not well, or it failed; 2 the request makes no sense; 3 the cluster
cannot be read, or refuses; 4 not within --timeout; 130 interrupted.
"""


class Failure(Exception):
    """Ends a command with a sentence that says what to do, and a status."""

    def __init__(self, message: object, status: int) -> None:
        super().__init__(str(message))
        self.status = status
