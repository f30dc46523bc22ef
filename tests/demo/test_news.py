"""What is told of a change, and what is not."""

from e2e.demo.news import news
from tests.demo.objects import action, pair

HEALTHY = pair(100, "100: no fault")
FAULTY = pair(92, "92 = 100 - 8 (power supply PSU2 of node-a failed)", state="Degraded")


def test_a_score_that_changes_is_told_with_its_explanation() -> None:
    told = news("AvancePair", HEALTHY, FAULTY)
    assert told == ["health of node-a: 92 = 100 - 8 (power supply PSU2 of node-a failed)", "node-a is Degraded"]


def test_what_stays_the_same_is_not_told() -> None:
    assert news("AvancePair", FAULTY, FAULTY) == []


def test_redundancy_that_is_lost_is_told() -> None:
    told = news("AvancePair", HEALTHY, pair(100, "100: no fault", redundant="False"))
    assert told == ["pair Redundant: False (either server can be lost)"]


def test_an_action_is_told_when_it_is_recorded_at_each_step_and_at_its_end() -> None:
    ended = action("Fence", "node-b", ("Close", "05.000", "05.100"), ("Release", "05.100", "07.600"))
    intent = ended | {"status": {}}
    steps = [{"name": "Close", "startedAt": "", "message": "closing node-b"}]
    running = ended | {"status": {"phase": "Running", "step": "Close", "steps": steps}}
    assert news("AvanceAction", {}, intent) == ["Fence node-b, ServerCrash: node-b is held to be dead"]
    assert news("AvanceAction", intent, running) == ["Fence node-b, Close: closing node-b"]
    assert news("AvanceAction", running, ended) == ["Fence node-b Succeeded after 2.6 s"]


def test_a_problem_condition_is_told_when_it_begins_and_when_it_ends() -> None:
    def node(status: str, message: str) -> dict[str, object]:
        conditions = [{"type": "FanProblem", "status": status, "message": message}]
        return {"metadata": {"name": "node-a"}, "status": {"conditions": conditions}}

    whole, broken = node("False", "no FanProblem detected"), node("True", "component=fan1")
    assert news("Node", whole, broken) == ["node-a: FanProblem True: component=fan1"]
    assert news("Node", broken, whole) == ["node-a: FanProblem False: no FanProblem detected"]
    assert news("Node", {}, whole) == []


def test_what_is_gone_is_not_told() -> None:
    assert news("ProtectedVM", {"metadata": {"name": "till"}}, {}) == []
