"""Labs for the tests: one of each kind per xdist worker, brought up when a test first asks for it."""

import os
import shutil
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from e2e.lab import Lab, LabOptions


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests of a session share one event loop, because a lab lives in one."""
    for item in items:
        if pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def lab(request: pytest.FixtureRequest, worker_id: str) -> AsyncIterator[Lab]:
    """Everything but an operator: tests start those they need (`lab.operator("start", 1)`) and stop them again."""
    async for running in _lab(request, f"test-{worker_id}-{os.getpid()}", LabOptions(operators=0)):
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def bare_lab(request: pytest.FixtureRequest, worker_id: str) -> AsyncIterator[Lab]:
    """Control plane and hardware alone."""
    options = LabOptions(pair="", kubevirt=False, chart=False, operators=0, boot_time=0.5, reset_delay=0.5)
    async for running in _lab(request, f"bare-{worker_id}-{os.getpid()}", options):
        yield running


async def _lab(request: pytest.FixtureRequest, name: str, options: LabOptions) -> AsyncIterator[Lab]:
    """Runs a lab; its logs are kept when a test failed."""
    lab = Lab(name, options)
    async with lab:
        yield lab
    if not request.session.testsfailed:
        shutil.rmtree(lab.state_dir)
