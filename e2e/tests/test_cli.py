"""The commands as an administrator types them, on a pair that has a fault and is being looked after."""

import asyncio
import json
import signal
import sys
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from e2e.tests.operator_lab import Site, fresh_site, one_site_a_session  # noqa: F401
from e2e.tests.operator_records import BACKUP, PRIMARY, Object

pytestmark = pytest.mark.timeout(240)

PERSON = "ann"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
ROLES = ("avance-cli", "admin", "avance-attest")


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
    """Of a person with the rights that docs/cli.md names, and no others."""
    for name in ROLES:
        await site.api.post(f"{RBAC}/clusterrolebindings", _binding(name))
    yield Shell(site.lab.control_plane.kubeconfig_for(PERSON))
    for name in ROLES:
        await site.api.delete(f"{RBAC}/clusterrolebindings/{PERSON}-{name}")


def _binding(role: str, person: str = PERSON) -> Object:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": f"{person}-{role}"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": person}],
    }


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


async def test_install_check_tries_the_site_and_says_what_is_wanting(site: Site, shell: Shell) -> None:
    await site.whole()
    status, told = await shell.json("install-check")
    levels = {check["about"]: check["level"] for check in told["checks"]}
    assert (status, told["ready"]) == (0, True), told
    for about in ("nodes", "CPU models", "control plane", "fencing", "failover", "clocks", "operator"):
        assert levels[about] == "ok", told
    assert levels["migrations"] == "warning", "KubeVirt's defaults let two VMs leave a node at a time"
    before = await shell.json("install-check", PRIMARY, BACKUP)
    assert before[0] == 0, "two nodes that could become a pair"

    await site.hardware.set_bmc_mode(PRIMARY, "unreachable")
    await site.pair_is("FailoverReady", "False", "reached")
    status, printed, _ = await shell.run("install-check")
    assert status == 1
    assert f"the BMC of {PRIMARY}" in next(line for line in printed.splitlines() if line.startswith("failed"))
    assert (await shell.run("install-check", "node-x", BACKUP))[0] == 2


async def test_init_makes_a_pair_and_leaves_that_of_others_alone(site: Site) -> None:
    administrator = Shell(site.lab.control_plane.kubeconfig)
    status, printed, said = await administrator.run("init", PRIMARY, BACKUP, "--pair", "other", "--apply")
    assert (status, printed) == (2, ""), said
    assert f"{PRIMARY} belongs to pair demo" in said
    status, printed, said = await administrator.run("init", PRIMARY, BACKUP, "--pair", "demo", "--apply")
    assert status == 0, said
    assert "avance status --pair demo" in printed
    assert (await administrator.run("init", PRIMARY, "node-x", "--apply"))[0] == 2
    await site.whole()


async def test_a_support_bundle_holds_what_is_there_and_nothing_secret(
    site: Site, shell: Shell, tmp_path: Path
) -> None:
    await site.running_vms("web", guest={"os": "Linux", "cloudInit": {"userData": "password: hunter2"}})
    file = tmp_path / "bundle.tar.gz"
    status, printed, said = await shell.run("support-bundle", "--file", str(file))
    assert (status, printed) == (0, f"{file}\n"), said
    with tarfile.open(file) as archive:
        members = {name.partition("/")[2]: archive.extractfile(name) for name in archive.getnames()}
        texts = {name: member.read().decode() for name, member in members.items() if member is not None}
    assert json.loads(texts["avancepairs.json"])[0]["metadata"]["name"] == "demo"
    assert json.loads(texts["protectedvms.json"])[0]["metadata"]["name"] == "web"
    assert {"events.json", "nodes.json", "operator-leases.json"} <= set(texts)
    assert not [name for name, text in texts.items() if "hunter2" in text]


async def test_the_role_of_the_command_line_is_all_that_looking_takes(site: Site, tmp_path: Path) -> None:
    """A person who may look and nothing else; what asks for something is refused."""
    await site.running_vms("web")
    await site.whole()
    await site.api.post(f"{RBAC}/clusterrolebindings", _binding("avance-cli", "vera"))
    try:
        vera = Shell(site.lab.control_plane.kubeconfig_for("vera"))
        for command in (
            ["status"], ["explain", "web"], ["explain", PRIMARY], ["log"], ["report"], ["what-if", "--crash", PRIMARY]
        ):  # fmt: skip
            status, printed, said = await vera.run(*command)
            assert (status, "forbidden" in said.lower()) == (0, False), (command, said)
            assert printed
        _, printed, said = await vera.run("install-check")
        assert "forbidden" not in (printed + said).lower()
        file = tmp_path / "bundle.tar.gz"
        assert (await vera.run("support-bundle", "--file", str(file)))[0] == 0
        with tarfile.open(file) as archive:
            read = {name: archive.extractfile(name) for name in archive.getnames()}
            refused = [name for name, member in read.items() if member and b"forbidden" in member.read().lower()]
        assert refused == []
        status, _, said = await vera.run("switchover", BACKUP)
        assert (status, "the API server refuses it" in said) == (3, True)
    finally:
        await site.api.delete(f"{RBAC}/clusterrolebindings/vera-avance-cli")


async def test_the_export_keeps_edits_and_actions_apart_by_type_and_user(site: Site, shell: Shell) -> None:
    await site.running_vms("web")
    await site.action("Start", "web")
    status, printed, _ = await shell.run("log", "-o", "jsonl", "--type", "Edit", "--vm", "web")
    (edit,) = map(json.loads, printed.splitlines())
    assert (status, edit["reason"], edit["requestedBy"], edit["pair"]) == (0, "Created", "lab-admin", "demo")
    _, printed, _ = await shell.run("log", "-o", "jsonl", "--by", "operator", "--type", "Start")
    (start,) = map(json.loads, printed.splitlines())
    assert start["steps"][-1]["until"] == start["finishedAt"]
    written = [
        json.loads(line)["action"]
        for log in (site.lab.state_dir / "logs").glob("operator-*.log")
        for line in log.read_text().splitlines()
        if '"avance.actions"' in line
    ]
    assert start in written, "the operator tells collectors the same"
