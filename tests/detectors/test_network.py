"""Interfaces, gateway, private link and peer, on real interfaces between network namespaces."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.detectors import namespaces
from tests.detectors.namespaces import PRIVATE, PUBLIC, Pair

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]
PATIENCE = 20.0
"""Seconds until a test gives up; a loaded machine is slow."""


@pytest.fixture(scope="module")
def possible() -> None:
    if why := namespaces.missing():
        pytest.skip(why)


@pytest.fixture
def pair(possible: None) -> Iterator[Pair]:
    with namespaces.pair() as made:
        yield made


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return settings(tmp_path)


def settings(tmp_path: Path, *, interface: str = "private0", public: Any = (), **limits: float) -> dict[str, str]:
    peer = {
        "name": "node-b",
        "private_interface": interface,
        "private_address": PRIVATE["b"],
        "public_address": PUBLIC["b"],
    }
    file = tmp_path / "settings.json"
    entry = {"peer": peer, "public_interfaces": list(public)}
    file.write_text(json.dumps({"limits": limits, "nodes": {"node-a": entry}}))
    return {
        "AVANCE_DETECTORS_SETTINGS": str(file),
        "AVANCE_DETECTORS_MEMORY": str(tmp_path / "memory"),
        "NODE_NAME": "node-a",
    }


# --- the public network -------------------------------------------------------------------------------------------


def test_the_interface_and_gateway_of_the_default_route(pair: Pair, environment: dict[str, str]) -> None:
    assert pair.detect("a", "PublicNetworkProblem", **environment) == (0, "no PublicNetworkProblem detected")


def test_a_cable_that_is_out(pair: Pair, tmp_path: Path) -> None:
    environment = settings(tmp_path, public=[{"name": "public0"}])
    pair.ip("b", "link", "set", "public0", "down")
    code, message = pair.detect("a", "PublicNetworkProblem", **environment)
    assert (code, message) == (1, "component=public0 state=down part=- serial=- detail=no carrier")


def test_an_interface_that_is_switched_off(pair: Pair, tmp_path: Path) -> None:
    environment = settings(tmp_path, public=[{"name": "public0"}])
    pair.ip("a", "link", "set", "public0", "down")
    code, message = pair.detect("a", "PublicNetworkProblem", **environment)
    assert code == 1
    assert "state=down" in message


def test_a_gateway_that_is_gone_behind_a_switch_that_is_not(pair: Pair, environment: dict[str, str]) -> None:
    pair.ip("b", "address", "del", f"{PUBLIC['b']}/24", "dev", "public0")
    code, message = pair.detect("a", "PublicNetworkProblem", **environment)
    assert (code, message) == (
        1, f"component=public0 state=no-gateway part=- serial=- detail=the gateway {PUBLIC['b']} does not answer",
    )  # fmt: skip


def test_a_gateway_that_answers_no_ping_answers_all_the_same(pair: Pair, environment: dict[str, str]) -> None:
    command = pair.command("b", "sysctl", "-qw", "net.ipv4.icmp_echo_ignore_all=1")
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("sysctl is missing")
    assert pair.detect("a", "PublicNetworkProblem", **environment)[0] == 0


def test_each_interface_is_looked_at(pair: Pair, tmp_path: Path) -> None:
    environment = settings(tmp_path, public=[{"name": "public0"}, {"name": "private0", "gateway": "10.213.7.99"}])
    code, message = pair.detect("a", "PublicNetworkProblem", **environment)
    assert code == 1
    assert message.startswith("component=private0 state=no-gateway ")


def test_an_interface_that_never_was_is_a_doubt_and_one_that_vanishes_a_fault(pair: Pair, tmp_path: Path) -> None:
    environment = settings(tmp_path, public=[{"name": "bond9"}])
    code, message = pair.detect("a", "PublicNetworkProblem", **environment)
    assert code == 2
    assert "there is no interface bond9: correct detectors.pairs" in message
    environment = settings(tmp_path, public=[{"name": "public0"}])
    assert pair.detect("a", "PublicNetworkProblem", **environment)[0] == 0
    pair.ip("a", "link", "del", "public0")
    code, message = pair.detect("a", "PublicNetworkProblem", **environment)
    assert code == 1
    assert message.startswith("component=public0 state=gone ")


def test_without_a_default_route_nothing_is_fine(pair: Pair, environment: dict[str, str]) -> None:
    code, message = pair.detect("b", "PublicNetworkProblem", **environment)
    assert code == 2
    assert "there is no default route" in message


def test_without_the_right_to_ask_the_gateway_nothing_is_fine(pair: Pair, environment: dict[str, str]) -> None:
    command = pair.command("a", "setpriv", "--bounding-set", "-net_raw", "--inh-caps", "-net_raw", "python3")
    if subprocess.run([*command, "-c", ""], check=False, capture_output=True).returncode:
        pytest.skip("setpriv (util-linux) is missing or may not drop capabilities")
    import os

    asked = subprocess.run(
        [*command, "detectors/bin/detect", "PublicNetworkProblem"],
        cwd=namespaces.ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert asked.returncode == 2
    assert "NET_RAW" in asked.stdout


# --- the private link and the peer --------------------------------------------------------------------------------


class Watch:
    """A running watch on node-a, and what it wrote to the Node."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self.process = process
        self._log = log

    def history(self, condition: str) -> list[tuple[float, str, str]]:
        """When, status, message."""
        lines = [json.loads(line) for line in self._log.read_text().splitlines()]
        return [
            (at, entry["status"], entry["message"])
            for at, patch in lines
            for entry in patch
            if entry["type"] == condition
        ]

    def says(self, condition: str, status: str) -> tuple[float, str]:
        """Waits until the condition has that status. When it was written, and the message."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            history = self.history(condition)
            if history and history[-1][1] == status:
                return history[-1][0], history[-1][2]
            assert self.process.poll() is None, self.process.communicate()
            time.sleep(0.02)
        raise AssertionError(f"{condition} is not {status}: {self.history(condition)}")


@contextmanager
def watching(pair: Pair, tmp_path: Path, **changes: Any) -> Iterator[Watch]:
    environment = settings(tmp_path, **changes)
    log = tmp_path / "patches"
    log.touch()
    api = pair.python("a", "-m", "tests.detectors.node_api", str(log))
    assert api.stdout is not None
    port = api.stdout.readline().strip()
    watch = pair.python(
        "a", "-m", "detectors.watch", "--node", "node-a", "--settings", environment["AVANCE_DETECTORS_SETTINGS"],
        "--api-server", f"http://127.0.0.1:{port}",
    )  # fmt: skip
    try:
        yield Watch(watch, log)
    finally:
        for process in (watch, api):
            process.kill()
            process.communicate()


def test_a_peer_that_dies_is_told(pair: Pair, tmp_path: Path) -> None:
    with watching(pair, tmp_path) as watch:
        watch.says("PeerUnreachable", "False")
        watch.says("PrivateLinkProblem", "False")
        assert any(told_in_time(pair, watch) for _ in range(3)), "three times late: not for the machine's load alone"
        watch.says("PeerUnreachable", "False")
        statuses = [status for _, status, _ in watch.history("PeerUnreachable")]
        assert statuses == ["False", *["True", "False"] * (len(statuses) // 2)], "told more than changes"


def told_in_time(pair: Pair, watch: Watch) -> bool:
    """Whether the death of the peer was told within two seconds, and the loss of the carrier within one."""
    died = time.monotonic()
    pair.dies("b")
    told, message = watch.says("PeerUnreachable", "True")
    cut, _ = watch.says("PrivateLinkProblem", "True")
    assert message == (
        "component=node-b state=unreachable part=- serial=- "
        "detail=no answer over the private link nor the public network"
    )
    assert told - died > 0.8, "told before the probes had their time"
    for interface in ("private0", "public0"):
        pair.ip("b", "link", "set", interface, "up")
    watch.says("PeerUnreachable", "False")
    watch.says("PrivateLinkProblem", "False")
    return told - died < 2 and cut - died < 1


def test_a_private_link_that_is_cut_is_not_answered_for_by_the_public_network(pair: Pair, tmp_path: Path) -> None:
    with watching(pair, tmp_path) as watch:
        watch.says("PrivateLinkProblem", "False")
        pair.ip("b", "address", "del", f"{PRIVATE['b']}/24", "dev", "private0")
        pair.ip("b", "address", "add", f"{PRIVATE['b']}/32", "dev", "public0")  # reachable, but by the wrong way
        _, message = watch.says("PrivateLinkProblem", "True")
        assert message == "component=private-link state=down part=- serial=- detail=node-b does not answer over it"
        assert [status for _, status, _ in watch.history("PeerUnreachable")] == ["False"]


def test_the_public_network_alone_is_no_matter_of_the_peer(pair: Pair, tmp_path: Path) -> None:
    with watching(pair, tmp_path) as watch:
        watch.says("PeerUnreachable", "False")
        pair.ip("b", "link", "set", "public0", "down")
        time.sleep(1.5)  # longer than the patience: what must not happen cannot be awaited
        assert [status for _, status, _ in watch.history("PeerUnreachable")] == ["False"]
        assert [status for _, status, _ in watch.history("PrivateLinkProblem")] == ["False"]


def test_a_watch_that_was_stopped_for_a_while_blames_nobody(pair: Pair, tmp_path: Path) -> None:
    with watching(pair, tmp_path) as watch:
        watch.says("PeerUnreachable", "False")
        pids = subprocess.run(["ip", "netns", "pids", pair.names["a"]], capture_output=True, text=True, check=True)
        watcher = [
            pid for pid in pids.stdout.split() if b"detectors.watch" in Path("/proc", pid, "cmdline").read_bytes()
        ]
        subprocess.run(["kill", "-STOP", *watcher], check=True)
        time.sleep(2.5)
        subprocess.run(["kill", "-CONT", *watcher], check=True)
        time.sleep(0.5)
        assert [status for _, status, _ in watch.history("PeerUnreachable")] == ["False"]


def test_an_interface_that_never_was_is_a_doubt(pair: Pair, tmp_path: Path) -> None:
    with watching(pair, tmp_path, interface="bond9") as watch:
        _, message = watch.says("PrivateLinkProblem", "Unknown")
        assert "there is no interface bond9" in message
        watch.says("PeerUnreachable", "False")
        pair.dies("b")
        watch.says("PeerUnreachable", "Unknown")


def test_a_card_that_vanishes_is_a_broken_link(pair: Pair, tmp_path: Path) -> None:
    with watching(pair, tmp_path) as watch:
        watch.says("PrivateLinkProblem", "False")
        pair.ip("a", "link", "del", "private0")
        watch.says("PrivateLinkProblem", "True")


def test_the_last_word_of_a_watch_that_ends(pair: Pair, tmp_path: Path) -> None:
    with watching(pair, tmp_path) as watch:
        watch.says("PeerUnreachable", "False")
        watch.process.terminate()
        _, message = watch.says("PeerUnreachable", "Unknown")
        assert "the detector was stopped" in message
        assert watch.process.wait(PATIENCE) == 0
