"""The commands as an administrator types them, on a pair that has a fault and is being looked after."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from e2e.tests.operator_lab import Site, fresh_site, one_site_a_session, refused  # noqa: F401
from e2e.tests.operator_records import BACKUP, PRIMARY

pytestmark = pytest.mark.timeout(240)

PERSON = "ann"
BINDINGS = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"


class Shell:
    """A person's shell, with a kubeconfig of their own."""

    def __init__(self, kubeconfig: Path) -> None:
        self._kubeconfig = kubeconfig

    async def start(self, command: str, *arguments: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "avance", command, *arguments, "--kubeconfig", str(self._kubeconfig),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip

    async def run(self, command: str, *arguments: str, typed: str = "") -> tuple[int, str, str]:
        """Exit status, what it printed, and what it said beside that."""
        process = await self.start(command, *arguments)
        printed, said = await process.communicate(typed.encode())
        return process.returncode or 0, printed.decode(), said.decode()

    async def json(self, command: str, *arguments: str) -> tuple[int, Any]:
        status, printed, said = await self.run(command, *arguments, "-o", "json")
        assert printed, said
        return status, json.loads(printed)


@pytest_asyncio.fixture(loop_scope="session")
async def shell(site: Site) -> AsyncIterator[Shell]:
    """Of an administrator of the cluster: bound to a role, and known by name."""
    body = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "person"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": PERSON}],
    }
    await site.api.post(BINDINGS, body)
    yield Shell(site.lab.control_plane.kubeconfig_for(PERSON))
    await site.api.delete(f"{BINDINGS}/person")


async def test_a_fault_is_told_and_explained(site: Site, shell: Shell) -> None:
    await site.running_vms("web", "db")
    await site.whole()
    status, printed, _ = await shell.run("status")
    assert status == 0, printed
    assert "Nothing is under way." in printed

    await site.lab.fail(PRIMARY, "PowerSupply", "PSU2", part="750W", serial="S1")
    await site.vms_run_on(BACKUP, "web", "db")
    await site.settled()
    status, told = await shell.json("status")
    worse = next(node for node in told["nodes"] if node["name"] == PRIMARY)
    assert (worse["state"], worse["score"]) == ("Degraded", 92)
    assert f"power supply PSU2 of {PRIMARY} failed" in worse["why"]
    assert {(vm["vm"], vm["node"], vm["protected"]) for vm in told["vms"]} == {
        ("default/web", BACKUP, True),
        ("default/db", BACKUP, True),
    }

    status, printed, _ = await shell.run("explain", "web")
    assert status == 0
    assert f"Migrate brought it to {BACKUP}" in printed
    assert "92 = 100 - 8" in printed
    status, printed, _ = await shell.run("explain", PRIMARY)
    assert (status, "part 750W; serial S1" in printed) == (0, True)


async def test_a_switchover_is_refused_or_followed_to_its_end_and_is_on_record(site: Site, shell: Shell) -> None:
    await site.running_vms("web", "db")
    await site.lab.fail(PRIMARY, "PowerSupply", "PSU2")
    await site.vms_run_on(BACKUP, "web", "db")
    await site.settled()
    status, printed, _ = await shell.run("switchover", PRIMARY)
    assert status == 1, "the worse server is refused"
    assert "the less healthy server" in printed
    await site.lab.repair(PRIMARY, "PowerSupply", "PSU2")
    await site.node_is(PRIMARY, score=100)
    status, printed, said = await shell.run("switchover", PRIMARY, "--reason", "back to where they were")
    assert status == 0, said
    assert f"2 VMs were brought to {PRIMARY}" in printed
    assert "Move: " in said, "its progress is shown"
    await site.vms_run_on(PRIMARY, "web", "db")

    status, printed, _ = await shell.run("log", "-o", "json")
    entries = [json.loads(line) for line in printed.splitlines()]
    asked = [entry for entry in entries if entry["requestedBy"] == PERSON]
    assert [(entry["type"], entry["phase"]) for entry in asked] == [
        ("Switchover", "Cancelled"), ("Switchover", "Succeeded")
    ]  # fmt: skip
    assert asked[1]["message"] == "back to where they were"
    status, printed, _ = await shell.run("log", "--vm", "web")
    assert f"Migrate default/web to {BACKUP}" in printed
    assert "default/db" not in "".join(line for line in printed.splitlines() if "Migrate" in line)


async def test_a_pause_is_taken_in_before_the_command_ends(site: Site, shell: Shell) -> None:
    await site.running_vms("web")
    await site.whole()
    status, printed, _ = await shell.run("pause", "--for", "10m", "--reason", "the UPS is being replaced")
    assert (status, "pair demo is paused until" in printed) == (0, True)
    await site.pair_is("Paused", "True", "the UPS is being replaced", within=1)
    status, told = await shell.json("status")
    assert (status, told["well"]) == (1, False)
    assert "the UPS is being replaced" in told["paused"]
    status, printed, _ = await shell.run("resume")
    assert (status, printed) == (0, "pair demo is not paused\n")
    await site.pair_is("Paused", "False", within=1)

    assert (await shell.run("pause", "--vm", "web", "--for", "10m", "--reason", "a look at it"))[0] == 0
    assert (await shell.run("resume", "--vm", "default/web"))[:2] == (0, "VM default/web is not paused\n")


async def test_what_makes_no_sense_is_refused_before_it_is_written(site: Site, shell: Shell) -> None:
    await site.running_vms("web")
    before = await site.actions()
    for arguments, typed, words in (
        (("switchover", "node-x"), "", "no pair has a node or VM node-x"),
        (("accept-replacement", PRIMARY, "--reason", "it is in the store"), "", "is the server that it was"),
        (("attest-off", PRIMARY, "--reason", "its plugs are pulled"), f"{BACKUP}\n", "nothing was asked for"),
        (("explain", "wob"), "", "no pair has a node or VM wob"),
        (("log", "--node", "node-x"), "", "no pair has a node or VM node-x"),
        (("pause", "--vm", "wob", "--for", "1m", "--reason", "x"), "", "no pair has a node or VM wob"),
    ):
        status, _, said = await shell.run(*arguments, typed=typed)
        assert (status, words in said) == (2, True), (arguments, said)
    assert await site.actions() == before


async def test_a_persons_word_against_a_server_that_lives_does_not_count(site: Site, shell: Shell) -> None:
    status, printed, _ = await shell.run(
        "attest-off", PRIMARY, "--reason", "its plugs are pulled", typed=f"{PRIMARY}\n"
    )
    assert status == 1, printed
    assert "it does not count" in printed
    status, made = await shell.json("reset-mtbf", BACKUP, "--reason", "power supply replaced")
    assert (status, made["status"]["phase"], made["spec"]["requestedBy"]) == (0, "Succeeded", PERSON)
    status, printed, _ = await shell.run("reset-mtbf", BACKUP, "--reason", "fan replaced", "--no-wait")
    assert (status, "is asked for" in printed) == (0, True)
    await site.settled()


async def test_status_follows_a_pair_until_it_is_interrupted(site: Site, shell: Shell) -> None:
    await site.whole()
    watching = await shell.start("status", "--watch", "--interval", "1s", "-o", "json")
    assert watching.stdout is not None
    assert json.loads(await watching.stdout.readline())["well"] is True
    await site.cordon(BACKUP)
    async with asyncio.timeout(30):
        while json.loads(await watching.stdout.readline())["well"]:
            pass
    watching.send_signal(signal.SIGINT)
    assert await watching.wait() in (1, 130), "the last look, or the look that was cut short"
    await site.cordon(BACKUP, closed=False)
