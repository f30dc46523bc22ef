"""The two BMCs, and agents for them that are closed after the test."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from avance.fencing.redfish import RedfishAgent
from e2e.controlplane.pki import CertificateAuthority
from tests.fencing.bmc import PASSWORD, USER, FaultyBMC, emulator

UUID_A, UUID_B = "4c4c4544-0042-3110-8057-b4c04f4d4631", "4c4c4544-0042-3110-8057-b4c04f4d4632"
Agents = Callable[..., RedfishAgent]


@pytest.fixture(scope="session")
def ca(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    return CertificateAuthority(tmp_path_factory.mktemp("pki"), "bmc-ca")


@pytest.fixture(scope="session")
def emulated_bmc(tmp_path_factory: pytest.TempPathFactory, ca: CertificateAuthority) -> Iterator[str]:
    """Address of an emulator with two systems, both on."""
    with emulator(
        tmp_path_factory.mktemp("emulator"), ca.issue_serving("bmc"), {UUID_A: "On", UUID_B: "On"}
    ) as address:
        yield address


@pytest.fixture
def bmc(ca: CertificateAuthority) -> Iterator[FaultyBMC]:
    faulty = FaultyBMC(ca.issue_serving("faulty-bmc"), UUID_A)
    yield faulty
    faulty.close()


@pytest.fixture
async def agents(ca: CertificateAuthority) -> AsyncIterator[Agents]:
    """Makes agents that know the CA and the password, unless told otherwise."""
    made: list[RedfishAgent] = []

    def make(address: str, **options: Any) -> RedfishAgent:
        username, password = options.pop("username", USER), options.pop("password", PASSWORD)
        options = {"clock": time.time, "ca_bundle": Path(ca.certificate).read_text(), **options}
        made.append(RedfishAgent(address, username, password, **options))
        return made[-1]

    yield make
    for agent in made:
        await agent.close()
