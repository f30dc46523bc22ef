"""Exhaustive: every state that fencing and takeover can reach by so many troubles is safe; the search says how many.

Breadth first, so that what it finds is a shortest story.
"""

import os
import time
from collections import deque

import pytest

from tests.proof import protocol
from tests.proof.protocol import moves, wrong, wrongly_sent
from tests.proof.states import NAMES, State

TROUBLES = int(os.environ.get("AVANCE_TROUBLES", "1"))


def explore(troubles: int) -> tuple[int, int]:
    """The number of states and transitions; fails with the shortest story to an unsafe one."""
    start = State(troubles=troubles)
    came_from: dict[State, tuple[State, str] | None] = {start: None}
    queue, transitions = deque([start]), 0
    while queue:
        state = queue.popleft()
        for label, after in moves(state):
            transitions += 1
            unsafe = [*wrong(after), *wrongly_sent(state, after)]
            if unsafe:
                pytest.fail(f"{'; '.join(unsafe)}:\n" + "\n".join([*story(came_from, state), label]))
            if after not in came_from:
                came_from[after] = (state, label)
                queue.append(after)
    return len(came_from), transitions


def story(came_from: dict[State, tuple[State, str] | None], state: State) -> list[str]:
    told: list[str] = []
    while (step := came_from[state]) is not None:
        state, label = step
        told.append(label)
    return told[::-1]


@pytest.mark.timeout(3600)
def test_no_troubles_make_anything_unsafe(capsys: pytest.CaptureFixture[str]) -> None:
    """With one trouble as a matter of course; `make explore` tries more of them together."""
    began = time.monotonic()
    states, transitions = explore(TROUBLES)
    with capsys.disabled():
        print(
            f"\n{TROUBLES} troubles: {states:,} states, {transitions:,} transitions, {time.monotonic() - began:.0f} s"
        )


def test_the_search_reaches_what_matters() -> None:
    """A fence with its evidence, a start on the survivor and a server taken back are among the states."""
    reached = {step for state in states_after_a_crash() for step in what_happened(state)}
    assert {"evidence", "cold restart", "runs on the survivor", "rejoined", "a second leader"} <= reached


def states_after_a_crash() -> set[State]:
    crashed = next(after for label, after in moves(State(troubles=2)) if label == f"{NAMES[0]} crashes")
    dead = next(after for label, after in moves(crashed) if label == "the operator dies")
    known, queue = {dead, crashed}, deque([dead._replace(troubles=0), crashed._replace(troubles=0)])
    while queue:
        for _, after in moves(queue.popleft()):
            if after not in known:
                known.add(after)
                queue.append(after)
    return known


def what_happened(state: State) -> set[str]:
    happened = set()
    for action in state.records:
        happened |= {"evidence"} if action.evidence else set()
        happened |= {"cold restart"} if action.type == "ColdRestart" and action.phase == "Succeeded" else set()
        happened |= {"rejoined"} if action.type == "Rejoin" and action.phase == "Succeeded" else set()
    if any(server == 1 for server, _, _ in state.guests):
        happened.add("runs on the survivor")
    if state.leader.heard[0] == (0.0, False):
        happened.add("a second leader")
    return happened


def test_a_rule_that_restarts_without_proof_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The search can fail: without the gate before each start it finds two running instances."""
    for module in ("avance.core.rules.vm_failure", "avance.core.workflows.bring_up"):
        monkeypatch.setattr(f"{module}.why_not_ended", lambda *_: "")
    protocol._plan.cache_clear()
    with pytest.raises(pytest.fail.Exception, match="the VM runs 2 times"):
        explore(2)
    monkeypatch.undo()
    protocol._plan.cache_clear()
