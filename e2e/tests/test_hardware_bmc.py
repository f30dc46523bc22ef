"""BMCs, driven by the real `sushy` client: power is tied to the server, and every failure mode fails as it says."""

import asyncio
import contextlib
from collections.abc import Callable

import pytest
import requests
import sushy

from e2e.controlplane import Api, wait_until
from e2e.hardware import Bmc, Hardware
from e2e.tests.conftest import until_ready

OFF, ON = sushy.RESET_FORCE_OFF, sushy.RESET_ON
NODE = "node-a"


class Redfish:
    """A sushy connection to one BMC, one system; blocking calls run in a thread."""

    def __init__(self, bmc: Bmc, password: str = "") -> None:
        self._bmc = bmc
        self._password = password or bmc.password
        self._system: sushy.resources.system.system.System | None = None

    async def uuid(self) -> str:
        return str(await asyncio.to_thread(lambda: self._connected().uuid))

    async def power(self) -> str:
        return str(await asyncio.to_thread(self._read_power))

    async def reset(self, how: sushy.ResetType) -> None:
        await asyncio.to_thread(lambda: self._connected().reset_system(how))

    async def until_power(self, state: str, timeout: float = 5) -> None:
        async def reached() -> bool:
            return await self.power() == state

        await wait_until(reached, timeout, f"PowerState {state}")

    def _connected(self) -> sushy.resources.system.system.System:
        if self._system is None:
            # Basic authentication and no retries: what the BMC answers is to be seen as it is.
            credentials = sushy.auth.BasicAuth(self._bmc.username, self._password)
            connector = sushy.connector.Connector(
                self._bmc.url, verify=str(self._bmc.ca_certificate), server_side_retries=0, default_request_timeout=2
            )
            root = sushy.Sushy(self._bmc.url, auth=credentials, connector=connector)
            self._system = root.get_system_collection().get_members()[0]
        return self._system

    def _read_power(self) -> str:
        system = self._connected()
        system.refresh(force=True)
        return str(system.json["PowerState"])


@pytest.fixture
def redfish(hardware: Hardware) -> Redfish:
    return Redfish(hardware.bmcs[NODE])


async def test_force_off_kills_the_node_and_on_boots_it_anew(hardware: Hardware, redfish: Redfish, api: Api) -> None:
    before = hardware.boot_id(NODE)
    assert await redfish.uuid() == hardware.servers[NODE].uuid
    await redfish.reset(OFF)
    assert await redfish.power() == "On"  # a reset takes its time
    assert hardware.alive(NODE)
    await redfish.until_power("Off")
    assert not hardware.alive(NODE)  # at the latest when it can be read
    await redfish.reset(ON)
    await redfish.until_power("On")
    await until_ready(api, hardware)
    assert hardware.boot_id(NODE) != before


async def test_a_reset_takes_effect_though_nobody_reads_the_power_state(hardware: Hardware, redfish: Redfish) -> None:
    await redfish.reset(OFF)
    await wait_until(_says(lambda: not hardware.alive(NODE)), 5, "node dead")


async def test_a_restart_cuts_the_power_and_boots_anew(hardware: Hardware, redfish: Redfish, api: Api) -> None:
    before = hardware.boot_id(NODE)
    await redfish.reset(sushy.RESET_FORCE_RESTART)
    await wait_until(_says(lambda: hardware.alive(NODE) and hardware.boot_id(NODE) != before), 10, "node rebooted")
    await until_ready(api, hardware)


async def test_a_power_cut_reads_off_and_a_crash_reads_on(hardware: Hardware, redfish: Redfish) -> None:
    await hardware.crash(NODE)
    assert await redfish.power() == "On"
    await hardware.power_cut(NODE)
    assert await redfish.power() == "Off"


async def test_a_crashed_node_can_be_forced_off_but_not_asked(hardware: Hardware, redfish: Redfish) -> None:
    await hardware.crash(NODE)
    await redfish.reset(sushy.RESET_GRACEFUL_SHUTDOWN)
    await redfish.reset(OFF)
    await redfish.until_power("Off")


async def test_a_power_cut_overtakes_a_reset_under_way(hardware: Hardware, redfish: Redfish) -> None:
    await hardware.power_cut(NODE)
    await redfish.reset(ON)
    await hardware.power_cut(NODE)
    assert await redfish.power() == "Off"
    assert not hardware.booting(NODE)


async def test_refuse_answers_resets_with_409(hardware: Hardware, redfish: Redfish) -> None:
    await hardware.set_bmc_mode(NODE, "refuse")
    with pytest.raises(sushy.exceptions.HTTPError, match="409"):
        await redfish.reset(OFF)
    assert await redfish.power() == "On"
    assert hardware.alive(NODE)


async def test_hang_never_answers(hardware: Hardware, redfish: Redfish) -> None:
    assert await redfish.power() == "On"
    await hardware.set_bmc_mode(NODE, "hang")
    with pytest.raises(requests.exceptions.ReadTimeout):
        await asyncio.to_thread(_service_root, hardware.bmcs[NODE], 0.5)
    await hardware.set_bmc_mode(NODE, "normal")
    assert await redfish.power() == "On"


async def test_unreachable_refuses_connections_until_it_is_back(hardware: Hardware) -> None:
    bmc = hardware.bmcs[NODE]
    url = bmc.url
    await hardware.set_bmc_mode(NODE, "unreachable")
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
    await hardware.set_bmc_mode(NODE, "normal")
    assert bmc.url == url
    assert await Redfish(bmc).power() == "On"


@pytest.mark.parametrize(("mode", "reads"), [("powering-off", "PoweringOff"), ("lie-off", "Off"), ("lie-accept", "On")])
async def test_a_bmc_that_pretends_leaves_the_server_alone(
    hardware: Hardware, redfish: Redfish, mode: str, reads: str
) -> None:
    await hardware.set_bmc_mode(NODE, mode)
    assert await redfish.power() == "On"
    await redfish.reset(OFF)
    assert await redfish.power() == reads
    await _longer_than_a_reset(hardware)
    assert await redfish.power() == reads
    assert hardware.alive(NODE)
    await hardware.set_bmc_mode(NODE, "normal")
    assert await redfish.power() == "On"


async def test_a_wrong_servers_bmc_has_another_uuid_and_spares_this_server(hardware: Hardware) -> None:
    await hardware.set_bmc_mode(NODE, "wrong-server")
    redfish = Redfish(hardware.bmcs[NODE])
    uuid = await redfish.uuid()
    assert uuid not in {server.uuid for server in hardware.servers.values()}
    await redfish.reset(OFF)
    assert await redfish.power() == "Off"
    await redfish.reset(ON)
    assert await redfish.power() == "On"
    await _longer_than_a_reset(hardware)
    assert hardware.alive(NODE)


async def test_a_system_that_the_wrong_bmc_does_not_have_is_not_found(hardware: Hardware, redfish: Redfish) -> None:
    assert await redfish.uuid() == hardware.servers[NODE].uuid
    await hardware.set_bmc_mode(NODE, "wrong-server")
    with pytest.raises(sushy.exceptions.ResourceNotFoundError):
        await redfish.reset(OFF)
    assert hardware.alive(NODE)


async def test_wrong_password_is_refused(hardware: Hardware, redfish: Redfish) -> None:
    with pytest.raises(sushy.exceptions.AccessError):
        await Redfish(hardware.bmcs[NODE], password="guess").power()
    await hardware.set_bmc_mode(NODE, "wrong-password")
    with pytest.raises(sushy.exceptions.AccessError):
        await redfish.reset(OFF)
    assert hardware.alive(NODE)


async def test_a_guessed_password_moves_no_bmc_that_pretends(hardware: Hardware) -> None:
    await hardware.set_bmc_mode(NODE, "lie-off")
    answer = await asyncio.to_thread(
        lambda: requests.post(
            f"{hardware.bmcs[NODE].url}/redfish/v1/Systems/{hardware.servers[NODE].uuid}/Actions/ComputerSystem.Reset",
            json={"ResetType": "ForceOff"},
            auth=("admin", "guess"),
            verify=str(hardware.bmcs[NODE].ca_certificate),
            timeout=5,
        )
    )
    assert answer.status_code == 401


async def test_flaky_answers_every_second_request_with_503(hardware: Hardware, redfish: Redfish) -> None:
    assert await redfish.power() == "On"
    await hardware.set_bmc_mode(NODE, "flaky")
    answers = []
    for _ in range(4):
        try:
            answers.append(await redfish.power())
        except sushy.exceptions.ServerSideError as error:
            answers.append(str(error.status_code))
    assert answers == ["On", "503", "On", "503"]
    with contextlib.suppress(sushy.exceptions.ServerSideError):
        await redfish.reset(OFF)
    await wait_until(_says(lambda: not hardware.alive(NODE)), 5, "node dead")


async def test_the_bmc_is_verified_by_the_labs_authority_alone(hardware: Hardware) -> None:
    with pytest.raises(requests.exceptions.SSLError):
        await asyncio.to_thread(requests.get, f"{hardware.bmcs[NODE].url}/redfish/v1/", timeout=5)


def _service_root(bmc: Bmc, timeout: float) -> int:
    return requests.get(f"{bmc.url}/redfish/v1/", verify=str(bmc.ca_certificate), timeout=timeout).status_code


def _says(condition: Callable[[], bool]) -> Callable[[], "asyncio.Future[bool]"]:
    async def look() -> bool:
        return condition()

    return lambda: asyncio.ensure_future(look())


async def _longer_than_a_reset(hardware: Hardware) -> None:
    """Time in which a real reset would have taken effect: resets the other node and awaits it."""
    other = Redfish(hardware.bmcs[hardware.peer(NODE)])
    await other.reset(OFF)
    await other.until_power("Off")
