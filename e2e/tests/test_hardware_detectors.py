"""Problem detectors: conditions follow physical facts within a second, and nothing else."""

import pytest

from e2e.controlplane import Api, wait_until
from e2e.hardware import Hardware
from e2e.hardware.components import DERIVED, KINDS
from e2e.tests.conftest import boot
from e2e.tests.nodes import condition, patch_condition, until_condition

NODES = ("node-a", "node-b")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in DERIVED])
async def test_a_failed_component_is_named_and_its_repair_is_seen(hardware: Hardware, api: Api, kind: str) -> None:
    healthy = await until_condition(api, "node-a", kind, "False")
    await hardware.fail_component("node-a", kind, "part7", part="P-1", serial="S-9", detail="it smells of smoke")
    failed = await until_condition(api, "node-a", kind, "True")
    assert failed["message"] == "component=part7 state=failed part=P-1 serial=S-9 detail=it smells of smoke"
    assert failed["reason"] == KINDS[kind].problem_reason
    await hardware.repair_component("node-a", kind, "part7")
    repaired = await until_condition(api, "node-a", kind, "False")
    assert (repaired["reason"], repaired["message"]) == (healthy["reason"], healthy["message"])


async def test_two_failed_components_share_a_condition(hardware: Hardware, api: Api) -> None:
    await hardware.fail_component("node-b", "Fan", "fan1", detail="blocked")
    transition = (await until_condition(api, "node-b", "FanProblem", "True"))["lastTransitionTime"]
    await hardware.fail_component("node-b", "Fan", "fan2", detail="slow")
    await _until_message(
        api, "node-b", "FanProblem",
        "component=fan1 state=failed part=FAN-40X56 serial=SN-node-b-fan1 detail=blocked; "
        "component=fan2 state=failed part=FAN-40X56 serial=SN-node-b-fan2 detail=slow",
    )  # fmt: skip
    await hardware.repair_component("node-b", "Fan", "fan1")
    await _until_message(
        api, "node-b", "FanProblem", "component=fan2 state=failed part=FAN-40X56 serial=SN-node-b-fan2 detail=slow"
    )
    assert (await condition(api, "node-b", "FanProblem"))["lastTransitionTime"] == transition


@pytest.mark.parametrize("death", ["crash", "power_cut"])
async def test_the_survivor_tells_that_its_peer_is_gone(hardware: Hardware, api: Api, death: str) -> None:
    await getattr(hardware, death)("node-a")
    gone = await until_condition(api, "node-b", "PeerUnreachable", "True", timeout=1)
    assert gone["message"].startswith("component=node-a state=unreachable ")
    await until_condition(api, "node-b", "PrivateLinkProblem", "True", timeout=1)
    assert (await condition(api, "node-a", "PeerUnreachable"))["status"] == "False"  # the dead tell nothing
    await boot(hardware, "node-a")
    await until_condition(api, "node-b", "PeerUnreachable", "False")
    await until_condition(api, "node-b", "PrivateLinkProblem", "False")


async def test_a_partitioned_peer_is_still_heard_over_the_private_link(hardware: Hardware, api: Api) -> None:
    await hardware.partition("node-a")
    await _look_again(hardware, api, "node-b")
    assert (await condition(api, "node-b", "PeerUnreachable"))["status"] == "False"
    await hardware.cut_private_link()
    await until_condition(api, "node-b", "PeerUnreachable", "True")
    await hardware.heal("node-a")
    await until_condition(api, "node-b", "PeerUnreachable", "False")


async def test_a_cut_private_link_is_seen_from_both_ends(hardware: Hardware, api: Api) -> None:
    await hardware.cut_private_link()
    for node in NODES:
        found = await until_condition(api, node, "PrivateLinkProblem", "True")
        assert found["message"].startswith("component=private-link state=down ")
        assert (await condition(api, node, "PeerUnreachable"))["status"] == "False"
    await hardware.restore_private_link()
    for node in NODES:
        await until_condition(api, node, "PrivateLinkProblem", "False")


async def test_a_partitioned_node_reports_once_it_is_healed(hardware: Hardware, api: Api) -> None:
    await hardware.partition("node-a")
    await hardware.fail_component("node-a", "Disk", "sda")
    await _look_again(hardware, api, "node-b")
    assert (await condition(api, "node-a", "DiskProblem"))["status"] == "False"
    await hardware.heal("node-a")
    await until_condition(api, "node-a", "DiskProblem", "True")


async def test_what_a_person_patched_stays_while_nothing_physical_changes(hardware: Hardware, api: Api) -> None:
    await patch_condition(api, "node-a", "RaidProblem", "True", "component=md0 state=degraded")
    await _look_again(hardware, api, "node-a")
    patched = await condition(api, "node-a", "RaidProblem")
    assert (patched["status"], patched["message"]) == ("True", "component=md0 state=degraded")
    await patch_condition(api, "node-a", "RaidProblem", "False")


async def test_a_fault_that_outlives_a_reboot_is_no_second_fault(hardware: Hardware, api: Api) -> None:
    await hardware.fail_component("node-b", "Memory", "dimm3")
    first = await until_condition(api, "node-b", "MemoryProblem", "True")
    await hardware.crash("node-b")
    await boot(hardware, "node-b")
    await _look_again(hardware, api, "node-b")
    again = await condition(api, "node-b", "MemoryProblem")
    assert (again["status"], again["lastTransitionTime"]) == ("True", first["lastTransitionTime"])


async def _look_again(hardware: Hardware, api: Api, node: str) -> None:
    """Makes a detector look and write something else; afterwards it has seen all that happened before."""
    await hardware.fail_component(node, "Temperature", "inlet")
    await until_condition(api, node, "TemperatureProblem", "True", timeout=5)
    await hardware.repair_component(node, "Temperature", "inlet")
    await until_condition(api, node, "TemperatureProblem", "False", timeout=5)


async def _until_message(api: Api, node: str, kind: str, message: str) -> None:
    async def told() -> bool:
        return (await condition(api, node, kind)).get("message") == message

    await wait_until(told, 2, f"{kind} on {node} says {message!r}")
