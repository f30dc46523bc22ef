"""Labs for the tests: one of each kind per xdist worker, brought up when a test first asks for it."""

import os
import shutil
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from e2e.lab import Lab, LabOptions

LONGEST_FIRST = (
    *("test_operator_soak", "test_operator_killed", "test_operator_takeover", "test_operator_double_faults"),
    *("test_operator_crash", "test_demo", "test_operator_evidence", "test_operator_bmc", "test_operator_vms"),
    *("test_what_if", "test_cli", "test_operator_health", "test_kubevirt_node_loss", "test_lease", "test_lab_command"),
)
"""Files that take a minute and more. Begun last, one of them would leave the other worker without work."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests of a session share one event loop, because a lab lives in one; the longest files come first."""
    for item in items:
        if pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
    rank = {name: number for number, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: rank.get(item.path.stem, len(rank)))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def lab(request: pytest.FixtureRequest, worker_id: str) -> AsyncIterator[Lab]:
    """Everything but an operator: tests start those they need (`lab.operator("start", 1)`) and stop them again."""
    async for running in _lab(request, f"test-{worker_id}-{os.getpid()}", LabOptions(operators=0)):
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def fast_lab(request: pytest.FixtureRequest, worker_id: str) -> AsyncIterator[Lab]:
    """As `lab`, with servers that boot in no time."""
    options = LabOptions(operators=0, boot_time=0.2, reset_delay=0.2)
    async for running in _lab(request, f"fast-{worker_id}-{os.getpid()}", options):
        assert running.kubevirt is not None
        running.kubevirt.timings.kubelet_back, running.kubevirt.timings.handler_back = 0.4, 0.6
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def bare_lab(request: pytest.FixtureRequest, worker_id: str) -> AsyncIterator[Lab]:
    """Control plane and hardware alone."""
    options = LabOptions(pair="", kubevirt=False, chart=False, operators=0, boot_time=0.5, reset_delay=0.5)
    async for running in _lab(request, f"bare-{worker_id}-{os.getpid()}", options):
        yield running


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Shows what tests have measured: `record_property("table", text)`."""
    for report in terminalreporter.getreports("passed"):
        for name, text in report.user_properties:
            if name == "table" and report.when == "call":
                terminalreporter.section(report.nodeid)
                terminalreporter.write_line(str(text))


async def _lab(request: pytest.FixtureRequest, name: str, options: LabOptions) -> AsyncIterator[Lab]:
    """Runs a lab; its logs are kept when a test failed."""
    lab = Lab(name, options)
    async with lab:
        yield lab
    if not request.session.testsfailed:
        shutil.rmtree(lab.state_dir)
