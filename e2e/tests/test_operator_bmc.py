"""A server has crashed and its BMC does not do what it should: nothing is restarted while that lasts, whatever the
BMC says; once it behaves the fence goes through and every VM is restarted exactly once.
"""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from e2e.tests.operator_lab import Site, one_site_a_session, visit  # noqa: F401
from e2e.tests.operator_records import BACKUP, PRIMARY

pytestmark = pytest.mark.timeout(180)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def unfenced(long_lived_site: Site) -> AsyncIterator[Site]:
    """A dead primary with two VMs, whose BMC refuses to switch it off."""
    async with visit(long_lived_site) as site:
        await site.running_vms("web", "db")
        await site.hardware.set_bmc_mode(PRIMARY, "refuse")
        await site.hardware.crash(PRIMARY)
        await site.until(lambda: _tries(site), "a try to fence that was refused")
        yield site


async def test_bmc_refuses(unfenced: Site) -> None:
    """Refused with 409: the try is counted, made again, and the fence says what the BMC answered."""
    await unfenced.action_says("Fence", PRIMARY, "refused the power command")
    await unfenced.pair_is("FailoverReady", "False")
    await nothing_was_restarted(unfenced)


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("hang", "did not answer within 1 s"),
        ("unreachable", "can't be reached"),
        ("wrong-password", "does not accept the credentials"),
        ("wrong-server", "another server's"),
    ],
)
async def test_bmc_that_can_not_be_read(unfenced: Site, mode: str, words: str) -> None:
    """Whether the server is off can't be told, so nothing starts; the fence and FailoverReady say why."""
    switched = await power_commands(unfenced)
    await unfenced.hardware.set_bmc_mode(PRIMARY, mode)
    await unfenced.action_says("Fence", PRIMARY, words)
    await unfenced.pair_is("FailoverReady", "False", "belongs to another server" if mode == "wrong-server" else words)
    await nothing_was_restarted(unfenced)
    assert await power_commands(unfenced) == switched, "something was switched"


@pytest.mark.parametrize(("mode", "reading"), [("powering-off", "PoweringOff"), ("lie-accept", "On")])
async def test_bmc_that_accepts_and_does_nothing(unfenced: Site, mode: str, reading: str) -> None:
    """A BMC that answers PoweringOff for ever must never lead to a restart: only exact Off counts."""
    switched = await power_commands(unfenced)
    await unfenced.hardware.set_bmc_mode(PRIMARY, mode)
    await unfenced.until(lambda: _more_commands(unfenced, switched), "a power-off that the BMC accepted")
    await unfenced.action_says("Fence", PRIMARY, f"reads {reading}")
    await nothing_was_restarted(unfenced)


async def test_bmc_that_fails_every_second_request_and_then_behaves(unfenced: Site) -> None:
    """The fence goes through in the end, and every VM is restarted exactly once."""
    await unfenced.hardware.set_bmc_mode(PRIMARY, "flaky")
    await unfenced.vms_run_on(BACKUP, within=60)
    await unfenced.hardware.set_bmc_mode(PRIMARY, "normal")
    await unfenced.action("Rejoin", PRIMARY, within=60)
    assert [len(unfenced.runs(vm)) for vm in ("web", "db")] == [2, 2]
    assert len(await unfenced.actions("Fence")) == 1
    assert len(await unfenced.actions("ColdRestart")) == 2


async def nothing_was_restarted(site: Site) -> None:
    """No VM runs, nothing was recorded to start one, and both servers' power is as it was."""
    assert [len(site.runs(vm)) for vm in ("web", "db")] == [1, 1]
    assert await site.actions("ColdRestart") + await site.actions("Restart") == []
    assert [str(server.power) for server in site.hardware.servers.values()] == ["On"] * 3
    assert site.ledger.violations == []


async def power_commands(site: Site) -> float:
    """How many power-offs BMCs have accepted from the operator."""
    return await site.metric('avance_effects_total{effect="PowerOff",outcome="done"}')


async def _tries(site: Site) -> bool:
    fences = await site.actions("Fence", PRIMARY)
    return bool(fences) and fences[0].failed_tries > 0


async def _more_commands(site: Site, before: float) -> bool:
    return await power_commands(site) > before
