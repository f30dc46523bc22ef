"""Certificates in a file, for what reads them from nowhere else."""

from __future__ import annotations

import functools
import os
import tempfile
import weakref
from pathlib import Path


class CaFile:
    """PEM certificates in a file of their own, which goes with this object or by `remove`, at the latest when the
    process ends.

    What a process left that was killed, its successor removes: in a container both have the same process id, and its
    temporary directory outlives the process.
    """

    def __init__(self, certificates: str) -> None:
        _remove_what_was_left()
        with tempfile.NamedTemporaryFile("w", prefix=_prefix(), suffix=".crt", delete=False) as file:
            file.write(certificates)
        self.path = file.name
        self._finalizer = weakref.finalize(self, Path(file.name).unlink, missing_ok=True)

    def remove(self) -> None:
        """Remove it now; nothing may use it any more."""
        self._finalizer()


def _prefix() -> str:
    return f"avance-ca-{os.getpid()}-"


@functools.cache
def _remove_what_was_left() -> None:
    for path in Path(tempfile.gettempdir()).glob(f"{_prefix()}*.crt"):
        if path.lstat().st_uid == os.getuid():
            path.unlink(missing_ok=True)
