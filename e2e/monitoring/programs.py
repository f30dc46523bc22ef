"""The real Prometheus and its promtool: those of this machine, else Debian's, unpacked into the cache."""

from __future__ import annotations

import functools
import shutil
from pathlib import Path

from e2e.controlplane.debian import unpacked


@functools.cache
def prometheus_programs() -> Path:
    """A directory with `prometheus` and `promtool`. Raises ProgramsMissing."""
    installed = [shutil.which(program) for program in ("prometheus", "promtool")]
    if all(installed):
        return Path(str(installed[0])).parent
    return unpacked("prometheus", ("prometheus",)) / "usr" / "bin"
