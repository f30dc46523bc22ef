"""Tests on the lab are slow ones, and have the time that they need."""

from pathlib import Path

import pytest

LAB_TESTS = Path(__file__).parent / "e2e" / "tests"
LAB_TIMEOUT_SECONDS = 300


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what is below e2e/tests; a time-out that a test sets for itself wins."""
    for item in items:
        if item.path.is_relative_to(LAB_TESTS):
            item.add_marker(pytest.mark.slow)
            if not item.get_closest_marker("timeout"):
                item.add_marker(pytest.mark.timeout(LAB_TIMEOUT_SECONDS))
