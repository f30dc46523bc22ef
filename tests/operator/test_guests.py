"""The signs of a guest in its VirtualMachineInstance, as KubeVirt writes them."""

from typing import Any

import pytest

from avance.core.guest import HealthCheck
from avance.operator.guests import guest_signs, signs_of

Object = dict[str, Any]

CHECK = HealthCheck(patience_seconds=30, boot_seconds=60)
LONG_AGO = {"phase": 0.0, "node": 0.0, "paused": 0.0, "frozen": 0.0, "agent": 1000.0, "probe": 1000.0}
READY = {"type": "Ready", "status": "True"}
PROBE_FAILED = {"type": "Ready", "status": "False", "reason": "ContainersNotReady"}
AGENT = {"type": "AgentConnected", "status": "True"}


def vmi(*conditions: Object, phase: str = "Running", **status: Any) -> Object:
    return {"metadata": {"uid": "1"}, "status": {"phase": phase, "conditions": list(conditions), **status}}


def test_a_guest_with_agent_and_probe_answers() -> None:
    signs = guest_signs(vmi(READY, AGENT), LONG_AGO, CHECK)
    assert signs.answers
    assert signs.silent_since is None


def test_a_failed_probe_means_that_the_silence_began_as_much_earlier_as_the_kubelet_waited() -> None:
    signs = guest_signs(vmi(PROBE_FAILED, AGENT), LONG_AGO, CHECK)
    assert (signs.silent_since, signs.agent_gone, signs.answers) == (970.0, False, False)


def test_an_agent_that_left_is_silence_unless_nobody_asked_it() -> None:
    signs = guest_signs(vmi(READY), LONG_AGO, CHECK)
    assert (signs.silent_since, signs.agent_gone) == (1000.0, True)
    probed = guest_signs(vmi(READY), LONG_AGO, HealthCheck(by_agent=False))
    assert (probed.silent_since, probed.answers) == (None, True)


@pytest.mark.parametrize("reason", ["GuestNotRunning", "PodTerminating", "ReadinessGatesNotReady", ""])
def test_not_ready_for_another_reason_is_no_silence(reason: str) -> None:
    other = {"type": "Ready", "status": "False", "reason": reason}
    signs = guest_signs(vmi(other, AGENT), LONG_AGO, CHECK)
    assert (signs.silent_since, signs.answers) == (None, False)


@pytest.mark.parametrize(
    ("sign", "counts_from"), [("node", 1215.0), ("phase", 1215.0), ("paused", 1200.0), ("frozen", 1200.0)]
)
def test_a_move_a_pause_and_a_snapshot_begin_the_count_anew(sign: str, counts_from: float) -> None:
    assert guest_signs(vmi(PROBE_FAILED), LONG_AGO | {sign: 1200.0}, CHECK).silent_since == counts_from


def test_without_a_check_and_while_it_does_not_run_nothing_is_told() -> None:
    assert guest_signs(vmi(PROBE_FAILED), LONG_AGO, None).silent_since is None
    assert guest_signs(vmi(PROBE_FAILED, phase="Scheduled"), LONG_AGO, CHECK).silent_since is None


def test_a_snapshot_shows() -> None:
    frozen = vmi(READY, fsFreezeStatus="frozen")
    assert guest_signs(frozen, LONG_AGO, CHECK).frozen
    assert dict(signs_of(frozen))["frozen"] == "frozen"
