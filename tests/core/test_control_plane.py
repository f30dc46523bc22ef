"""The control plane has to outlive the loss of either server (and the pair says so if it does not)."""

from dataclasses import replace

import pytest

from avance.core.control_plane import why_api_is_at_risk, why_api_would_be_lost
from tests.core.views import pair


@pytest.mark.parametrize(
    ("control_plane", "words"),
    [
        ((), ""),
        (("cp-1",), ""),
        (("node-a",), "node-a is the only control-plane node"),
        (("node-b",), ""),
        (("cp-1", "node-a"), "one of 2 control-plane nodes, and 1 alone cannot go on"),
        (("node-a", "node-b"), "add a third one that is not of this pair"),
        (("cp-1", "node-a", "node-b"), ""),
        (("cp-1", "cp-2", "node-a", "node-b"), ""),
        (("cp-1", "cp-2", "cp-3"), ""),
    ],
)
def test_the_loss_of_a_server_must_leave_a_majority(control_plane: tuple[str, ...], words: str) -> None:
    told = why_api_would_be_lost(replace(pair(), control_plane=control_plane), "node-a")
    assert words in told
    assert bool(words) == bool(told)


@pytest.mark.parametrize(
    ("control_plane", "at_risk"),
    [
        (("cp-1", "node-a", "node-b"), True),
        (("cp-1", "cp-2", "node-a", "node-b"), False),
        (("cp-1", "cp-2", "cp-3"), False),
        (("node-a", "node-b"), False),
    ],
)
def test_a_pair_that_holds_the_majority_is_told(control_plane: tuple[str, ...], at_risk: bool) -> None:
    assert bool(why_api_is_at_risk(replace(pair(), control_plane=control_plane))) == at_risk
