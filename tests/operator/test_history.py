"""The memory of a node's faults comes back from the pair's status as it was written."""

from avance.api.node_status import NodeStatus
from avance.core.components import ComponentKind
from avance.core.history import ComponentHistory, Declaration, Maintenance, NodeHistory, Occurrence
from avance.core.policy import MtbfPolicy
from avance.operator.history import history_of, history_status

START = 1_790_000_000.25


def test_what_is_written_is_read_again() -> None:
    faults = (
        Occurrence("DiskProblem", START, START + 0.5, until=START + 60),
        Occurrence("DiskProblem", START + 3600, START + 3601),
    )
    history = NodeHistory(
        components=(
            ComponentHistory(ComponentKind.DISK, "sdb", faults, counted_from=START - 5, failed_since=START + 3601),
            ComponentHistory(ComponentKind.SERVER, "", faults[:1]),
        ),
        declared_down=Declaration(START + 3700, "too often", "Disk", "sdb"),
        lifted_at=START - 5,
        heard_peer_in="boot-7",
        maintenance=Maintenance(START + 3800, "alice", "new fans", empty=False),
        maintenance_ended_at=START - 60,
    )
    status = history_status(history, MtbfPolicy(minimum_faults=3))
    read = NodeStatus.parse({"name": "node-a", "state": "DeclaredDown", **status})
    assert history_of(read) == history
    disk, server = status["components"]
    assert (disk["faultCount"], disk["mtbfSeconds"], server["faultCount"]) == (2, 3600, 1)
    assert "atRiskUntil" in disk
    assert "mtbfSeconds" not in server


def test_nothing_to_remember_takes_no_room() -> None:
    assert history_status(NodeHistory(), MtbfPolicy()) == {}
