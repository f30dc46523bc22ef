"""The real fence_redfish and fence_ipmilan, against a real Redfish service and a real IPMI BMC."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from avance.fencing.agent import FencingError
from avance.fencing.fence_agents import FenceProgram
from e2e.controlplane.pki import CertificateAuthority
from e2e.controlplane.processes import free_port
from e2e.hardware.fence_programs import fence_programs
from e2e.hardware.redfish_emulator import PASSWORD as IPMI_PASSWORD
from e2e.hardware.redfish_emulator import USERNAME as IPMI_USER
from e2e.tests.programs import had
from tests.fencing.bmc import PASSWORD, USER
from tests.fencing.conftest import UUID_A, UUID_B

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


@pytest.fixture(autouse=True)
def programs(monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = had(fence_programs)
    monkeypatch.setenv("PATH", str(directory), prepend=":")
    return directory


def redfish(address: str, ca: CertificateAuthority, password: str = PASSWORD) -> FenceProgram:
    where = urlsplit(address)
    parameters = {
        "ip": str(where.hostname),
        "ipport": str(where.port),
        "systems_uri": f"/redfish/v1/Systems/{UUID_A}",
        "ssl_secure": "1",
    }
    return FenceProgram(
        "fence_redfish",
        parameters,
        {"username": USER, "password": password},
        clock=time.time,
        system_uuid=UUID_A,
        ca_bundle=Path(ca.certificate).read_text(),
        request_timeout=15,
    )


async def test_fence_redfish_switches_and_reads_back(emulated_bmc: str, ca: CertificateAuthority) -> None:
    agent = redfish(emulated_bmc, ca)
    try:
        assert (await agent.status()).state == "On"
        await agent.off(UUID_A)
        reading = await agent.status()
        assert reading.is_off, reading
        await agent.off(UUID_A)  # it is off: nothing to do, no error
        await agent.on(UUID_A)
        assert (await agent.status()).state == "On"
    finally:
        await agent.close()


async def test_fence_redfish_with_a_wrong_password_proves_nothing(emulated_bmc: str, ca: CertificateAuthority) -> None:
    agent = redfish(emulated_bmc, ca, password="not-the-password")
    try:
        reading = await agent.status()
        assert reading.state == ""
        assert reading.error
        assert "not-the-password" not in reading.error
        with pytest.raises(FencingError):
            await agent.off(UUID_A)
    finally:
        await agent.close()


@pytest.fixture
def ipmi_bmc(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """Port and state file of a virtual BMC that is on."""
    state, port = tmp_path / "power", free_port()
    state.write_text("on")
    process = subprocess.Popen([sys.executable, "-m", "e2e.hardware.ipmi_bmc", str(port), str(state)])
    yield port, state
    process.terminate()
    process.wait(10)


def ipmilan(port: int, programs: Path, password: str = IPMI_PASSWORD, timeout: float = 15) -> FenceProgram:
    parameters = {"ip": "127.0.0.1", "ipport": str(port), "lanplus": "1", "ipmitool_path": str(programs / "ipmitool")}
    secrets = {"username": IPMI_USER, "password": password}
    return FenceProgram(
        "fence_ipmilan", parameters, secrets, clock=time.time, system_uuid=UUID_B, request_timeout=timeout
    )


async def test_fence_ipmilan_switches_and_reads_back(ipmi_bmc: tuple[int, Path], programs: Path) -> None:
    port, state = ipmi_bmc
    agent = ipmilan(port, programs)
    deadline = time.monotonic() + 60
    while (await agent.status()).error:
        assert time.monotonic() < deadline, "the virtual BMC does not answer"
    assert (await agent.status()).state == "On"
    await agent.off(UUID_B)
    assert state.read_text() == "off"
    assert (await agent.status()).is_off
    await agent.on(UUID_B)
    assert (await agent.status()).state == "On"
    refused = await ipmilan(port, programs, password="another").status()
    assert refused.state == ""
    assert refused.error


async def test_a_bmc_that_is_not_there_is_no_proof(programs: Path) -> None:
    reading = await ipmilan(free_port(), programs, timeout=2).status()
    assert (reading.state, reading.is_off) == ("", False)
    assert reading.error
