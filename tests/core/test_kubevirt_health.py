"""How KubeVirt itself is doing: what is said of it, what is held back meanwhile, and whose time it costs."""

from dataclasses import replace

import pytest

from avance.core.kubevirt_health import KubeVirtHealth, as_told, counts_since, kubevirt_ready
from avance.core.model import ActionType, PairView
from avance.core.restraint import why_not_begin
from avance.core.surroundings import Surroundings
from avance.core.what_if import blockers
from tests.core.views import NOW, node, pair, reads

SICK = {
    "KubeVirtMissing": KubeVirtHealth(installed=False),
    "VirtApiDown": KubeVirtHealth(api_failure="EOF"),
    "VirtControllerDown": KubeVirtHealth(controller_silent=True),
    "KubeVirtTooOld": KubeVirtHealth(lacks=("spec.addedNodeSelector",)),
}


def around(health: KubeVirtHealth | None) -> PairView:
    view = pair(node("node-a", power=reads("On")), node("node-b", power=reads("On", "node-b")))
    return replace(view, surroundings=Surroundings(kubevirt=health))


@pytest.mark.parametrize("reason", SICK)
def test_what_is_wrong_blocks_a_failover_and_begins_no_move(reason: str) -> None:
    view = around(SICK[reason])
    (blocker,) = blockers(view, view.nodes[0], NOW)
    assert (blocker.reason, blocker.certain) == (reason, True)
    condition = kubevirt_ready(SICK[reason])
    assert (condition.holds, condition.reason, condition.message) == (False, reason, blocker.message)
    held_back = {type_ for type_ in ActionType if (found := why_not_begin(view, type_, NOW)) and found.because}
    assert held_back >= {ActionType.MIGRATE, ActionType.SWITCHOVER, ActionType.FAILBACK, ActionType.REBOOT}
    assert not held_back & {ActionType.COLD_RESTART, ActionType.RESTART, ActionType.START, ActionType.CALL_HOME}


@pytest.mark.parametrize("health", [None, KubeVirtHealth(not_told="forbidden")])
def test_what_is_not_known_is_not_fine(health: KubeVirtHealth | None) -> None:
    view = around(health)
    (blocker,) = blockers(view, view.nodes[0], NOW)
    assert not blocker.certain
    assert kubevirt_ready(health).holds is None


def test_a_kubevirt_that_is_well_blocks_nothing() -> None:
    view = around(KubeVirtHealth())
    assert list(blockers(view, view.nodes[0], NOW)) == []
    assert kubevirt_ready(KubeVirtHealth()).holds is True


@pytest.mark.parametrize("reason", SICK)
def test_who_cannot_ask_reads_it_off_the_condition(reason: str) -> None:
    assert kubevirt_ready(as_told("False", reason)).reason == reason


def test_the_condition_tells_what_is_well_and_what_is_not_known() -> None:
    assert as_told("True", "AsExpected") == KubeVirtHealth()
    assert kubevirt_ready(as_told("Unknown", "NotKnown")).holds is None
    assert kubevirt_ready(as_told("", "")).holds is None, "an operator that does not tell"


def test_the_time_without_kubevirt_counts_for_nobody() -> None:
    begun = NOW - 1000
    assert counts_since(KubeVirtHealth(), begun, NOW) == begun
    assert counts_since(KubeVirtHealth(well_since=NOW - 10), begun, NOW) == NOW - 10
    assert counts_since(SICK["VirtApiDown"], begun, NOW) == NOW
    assert counts_since(SICK["KubeVirtTooOld"], begun, NOW) == begun, "it starts VMs all the same"
