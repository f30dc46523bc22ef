"""A node whose programs are the only ones on the PATH."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.detectors.node import Node


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    made = Node(tmp_path)
    made.programs.mkdir()
    made.root.mkdir()
    monkeypatch.setenv("PATH", str(made.programs))
    return made
