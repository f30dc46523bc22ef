"""Programs that a test needs and that no Python package brings."""

from collections.abc import Callable
from pathlib import Path

import pytest

from e2e.controlplane.debian import ProgramsMissing


def had(programs: Callable[[], Path]) -> Path:
    """Their directory; the test is skipped, with what to install, where they are neither here nor to be had."""
    try:
        return programs()
    except ProgramsMissing as missing:
        pytest.skip(str(missing))
