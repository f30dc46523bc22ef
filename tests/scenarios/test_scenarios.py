"""Every scenario file is a test: its expectations come true and no invariant breaks."""

from pathlib import Path

import pytest

from avance.simulator.cli import as_text
from avance.simulator.scenario import load, run

FILES = sorted(Path(__file__).parent.glob("*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_scenario(path: Path) -> None:
    result = run(load(path))
    assert not result.failures, as_text(result)
