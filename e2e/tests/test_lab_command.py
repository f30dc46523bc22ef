"""The `lab` command: a lab in the background obeys it, refuses in one line, and leaves nothing behind."""

import asyncio
import json
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest_asyncio

from e2e.controlplane.build import REPOSITORY
from e2e.controlplane.processes import is_running
from e2e.lab.state import lab_directory

BARE = ("--no-chart", "--no-kubevirt", "--boot-time", "0.5", "--reset-delay", "0.5")


@dataclass(frozen=True)
class Outcome:
    status: int
    output: str
    errors: str


async def command(*arguments: str) -> Outcome:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "e2e.lab", *arguments,
        cwd=REPOSITORY, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, errors = await process.communicate()
    assert process.returncode is not None
    return Outcome(process.returncode, output.decode(), errors.decode())


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def name(worker_id: str) -> AsyncIterator[str]:
    """A bare lab in the background; stopped at the end whatever happened to it."""
    name = f"cli-{worker_id}-{os.getpid()}"
    brought_up = await command("up", "--name", name, *BARE)
    assert brought_up.status == 0, brought_up.errors
    assert f"export KUBECONFIG={lab_directory(name)}/kubeconfig" in brought_up.output
    yield name
    await command("stop", "--name", name)
    shutil.rmtree(lab_directory(name))


async def test_kubectl_is_passed_through_with_its_options(name: str) -> None:
    nodes = await command("kubectl", "--name", name, "get", "nodes", "-l", "avance.dev/pair=demo", "-o", "name")
    assert nodes == Outcome(0, "node/node-a\nnode/node-b\n", "")
    assert (await command("kubectl", "--name", name, "-n", "nowhere", "get", "pods")).status == 0


async def test_faults_are_put_in_and_shown(name: str) -> None:
    failed = await command("fail", "--name", name, "node-a", "PowerSupply", "psu1", "--detail", "no input voltage")
    assert failed == Outcome(0, f"lab {name}: fail node-a PowerSupply psu1\n", "")
    await command("bmc", "--name", name, "node-b", "hang")
    await command("cut-link", "--name", name)
    status = json.loads((await command("status", "--name", name, "--json")).output)
    assert status["nodes"]["node-a"]["failed"] == [
        "PowerSupplyProblem: component=psu1 state=failed part=PSU-920W-P serial=SN-node-a-psu1 detail=no input voltage"
    ]
    assert status["nodes"]["node-b"]["bmc"] == "hang"
    assert status["private_link"] == "down"
    table = (await command("status", "--name", name)).output
    assert "component=psu1 state=failed" in table
    assert "private link: down" in table
    for undo in (("repair", "node-a", "power-supply", "psu1"), ("bmc", "node-b", "normal"), ("restore-link",)):
        assert (await command(undo[0], "--name", name, *undo[1:])).status == 0


async def test_a_refusal_is_one_line_and_status_1(name: str) -> None:
    assert await command("repair", "--name", name, "node-a", "Fan", "fan9") == Outcome(
        1, "", "lab: fan9 of node-a has not failed (FanProblem); failed there: nothing\n"
    )
    assert await command("guest", "--name", name, "crash", "default/vm") == Outcome(
        1, "", "lab: this lab runs without the KubeVirt stand-in\n"
    )
    again = await command("up", "--name", name)
    assert again.status == 1
    assert f"lab: lab {name} is already up (ready)" in again.errors


async def test_what_is_not_there_is_told(name: str) -> None:
    assert await command("status", "--name", "nobody") == Outcome(
        1, "", "lab: lab nobody is not up: start it with `lab up --name nobody`\n"
    )
    assert (await command("stop", "--name", "nobody")).errors == "lab: there is no lab nobody\n"
    assert "use up to 31 lower-case letters" in (await command("status", "--name", "No Way")).errors


async def test_stop_ends_what_a_crashed_daemon_left_behind(name: str) -> None:
    directory = lab_directory(name)
    os.kill(json.loads((directory / "lab.json").read_text())["pid"], signal.SIGKILL)
    left = json.loads((directory / "processes.json").read_text())["processes"]
    assert {"etcd", "kube-apiserver", "kwok-node-a"} <= {entry["name"] for entry in left.values()}
    while f"{name}\tcrashed" not in (await command("list")).output:
        await asyncio.sleep(0.1)
    stopped = await command("stop", "--name", name)
    assert stopped.status == 0
    assert "by force: etcd, kube-apiserver" in stopped.output
    while any(is_running(int(pid), entry["started"]) for pid, entry in left.items()):
        await asyncio.sleep(0.05)
    assert name not in (await command("list")).output
