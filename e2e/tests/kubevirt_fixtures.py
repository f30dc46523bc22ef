"""Fixtures of the tests that hold the KubeVirt stand-in against the real KubeVirt's behaviour; a pytest plugin."""

import os
import shutil
from collections.abc import AsyncIterator

import pytest_asyncio

from e2e.lab import Lab, LabOptions
from e2e.tests.kubevirt_cluster import Cluster


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def kubevirt_cluster(worker_id: str) -> AsyncIterator[Cluster]:
    """One cluster for all tests of a worker; its guests boot and shut down in half a second."""
    options = LabOptions(pair="", chart=False, operators=0, boot_time=0.5, reset_delay=0.1)
    async with Lab(f"kubevirt-{worker_id}-{os.getpid()}", options) as lab:
        cluster = Cluster(lab)
        cluster.kubevirt.timings.boot = cluster.kubevirt.timings.shutdown = 0.5
        await cluster.reset()
        yield cluster
    shutil.rmtree(lab.state_dir)


@pytest_asyncio.fixture(loop_scope="session")
async def cluster(kubevirt_cluster: Cluster) -> AsyncIterator[Cluster]:
    """The cluster without VMs; afterwards the ledger must hold exactly the violations that the test expects."""
    violations = kubevirt_cluster.kubevirt.ledger.violation_list
    before = len(violations())
    kubevirt_cluster.expected_violations = 0
    yield kubevirt_cluster
    new = violations()[before:]
    await kubevirt_cluster.reset()
    assert len(new) == kubevirt_cluster.expected_violations, new
