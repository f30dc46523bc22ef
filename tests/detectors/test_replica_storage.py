"""Replicated disks, by what drbdsetup prints; and what the operator makes of the words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from avance.core.storage import Connection, DiskState
from avance.storage.conditions import by_conditions
from detectors.finding import Verdict
from detectors.settings import Peer
from tests.detectors.node import Node


def drbd(node: Node, recorded: str) -> None:
    node.program("drbdsetup", ('"status --json"', f"drbd-{recorded}.json"))


@pytest.mark.parametrize(
    ("recorded", "verdict", "disk", "connection"),
    [
        ("healthy", Verdict.FINE, DiskState.UP_TO_DATE, Connection.CONNECTED),
        ("client", Verdict.FINE, DiskState.UP_TO_DATE, Connection.CONNECTED),
        ("disconnected", Verdict.PROBLEM, DiskState.UP_TO_DATE, Connection.DISCONNECTED),
        ("split", Verdict.PROBLEM, DiskState.UP_TO_DATE, Connection.SPLIT),
        ("syncing", Verdict.PROBLEM, DiskState.INCONSISTENT, Connection.UNKNOWN),
        ("outdated", Verdict.PROBLEM, DiskState.OUTDATED, Connection.UNKNOWN),
        ("diskless", Verdict.PROBLEM, DiskState.DISKLESS, Connection.UNKNOWN),
    ],
)
def test_the_operator_reads_what_is_meant(
    node: Node, recorded: str, verdict: Verdict, disk: DiskState, connection: Connection
) -> None:
    drbd(node, recorded)
    finding = node.look("ReplicaStorageProblem")
    assert finding.verdict is verdict
    status = {Verdict.FINE: "False", Verdict.PROBLEM: "True"}[verdict]
    (replica,) = by_conditions({"node-a": (status, finding.message)}).volumes[0].replicas
    assert (replica.disk, replica.connection) == (disk, connection)


def test_progress_in_whole_percent(node: Node) -> None:
    drbd(node, "syncing")
    finding = node.look("ReplicaStorageProblem")
    assert finding.message == (
        "component=pvc-till-root/0 state=Inconsistent part=- serial=- "
        "detail=done=42 the copy is being brought up to date"
    )
    (replica,) = by_conditions({"node-a": ("True", finding.message)}).volumes[0].replicas
    assert replica.sync_percent == 42


def test_a_tie_breaker_that_is_away_parts_no_copies(node: Node) -> None:
    node.settings = replace(node.settings, peer=Peer("arbiter", "bond1", "10.0.0.2", "192.0.2.2"))
    drbd(node, "disconnected")  # from node-b, which is no peer of this node now
    assert node.look("ReplicaStorageProblem").verdict is Verdict.FINE


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (None, "drbdsetup is missing"),
        ("echo 'Could not connect to drbd generic netlink family' >&2; exit 20", "generic netlink family"),
        ("echo '{}'", "no list of resources"),
        ("echo '[{}]'", "not understood"),
        ('echo \'[{"name": "r", "devices": 5}]\'', "not understood"),
    ],
)
def test_what_cannot_be_told(node: Node, script: str | None, words: str) -> None:
    if script:
        node.script("drbdsetup", script)
    finding = node.look("ReplicaStorageProblem")
    assert finding.verdict is Verdict.UNKNOWN
    assert words in finding.message


def test_a_storage_that_hangs(node: Node) -> None:
    node.budget = 0.3
    node.script("drbdsetup", "exec /bin/sleep 30")
    assert "did not answer in time" in node.look("ReplicaStorageProblem").message
