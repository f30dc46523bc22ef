"""`avance upgrade`: what it prints, and wrong input."""

import pytest

from avance.cli import main
from avance.cli.exits import USAGE
from avance.cli.upgrade import as_text
from avance.core.history import Maintenance, NodeHistory
from avance.core.model import ActionPhase, ActionType, StepView
from tests.core.views import NOW, action, node, pair

UPGRADE = action(
    ActionType.ROLLING_UPGRADE, "pair", ActionPhase.RUNNING, requested_by="ann", message="Debian 13",
    steps=(StepView("AwaitWord", NOW, message="node-b is empty and yours to work on"),), current="AwaitWord",
)  # fmt: skip


def test_the_status_says_what_it_waits_for_and_what_is_out_of_service() -> None:
    view = pair(b=node("node-b", history=NodeHistory(maintenance=Maintenance(NOW, "ann", ""))), actions=(UPGRADE,))
    assert as_text(view, UPGRADE) == (
        "RollingUpgrade-pair by ann: Debian 13\n"
        "Running, AwaitWord: node-b is empty and yours to work on\n"
        "  node-a is in service\n"
        "  node-b is in maintenance\n"
    )


def test_without_one_it_says_so() -> None:
    assert as_text(pair(), None) == "No rolling upgrade of pair pair is on record.\n"


@pytest.mark.parametrize("until", ["kubelet=v1", "kubeletVersion", "kubeletVersion="])
def test_a_version_that_cannot_be_waited_for_is_refused(until: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["upgrade", "start", "--reason", "x", "--until", until, "--kubeconfig", "/nowhere"]) == USAGE
    assert "write FIELD=VERSION, where FIELD is one of kubeletVersion," in capsys.readouterr().err


def test_a_reason_that_says_nothing_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["upgrade", "abort", "--reason", " ", "--kubeconfig", "/nowhere"]) == USAGE
    assert "a reason is needed" in capsys.readouterr().err
