"""Why it is there, with the arithmetic; what would move it, and what keeps it."""

import json
from dataclasses import replace

import pytest

from avance.cli.exits import USAGE, Failure
from avance.cli.explain import as_text, explanation
from avance.cli.terminal import plain
from avance.core.explanation import explain_node, explain_vm
from avance.core.history import Declaration, NodeHistory
from avance.core.model import ActionPhase, ActionType, PairView, VmView
from avance.core.policy import HealthPolicy, PairPolicy, Pause
from tests.cli.glimpses import seen
from tests.core.views import NOW, action, fault, launcher, node, pair, reads, running

A, B = node("node-a", power=reads("On")), node("node-b", power=reads("On", "node-b"))
WORSE = replace(A, faults=(fault("PowerSupplyProblem", "PSU2", part="750W", serial="S1"),))
WEB = running("web")


def whole(a: object = A, b: object = B, vm: VmView = WEB, **fields: object) -> PairView:
    return replace(pair(a, b, (vm,), (launcher(vm, on=vm.node),)), **fields)  # type: ignore[arg-type]


def test_why_it_is_there_is_what_brought_it_there_last() -> None:
    start = action(ActionType.START, "default/web", destination="node-a", finished_at=NOW - 50, message="it shall run")
    away = action(ActionType.MIGRATE, "default/web", destination="node-b", finished_at=NOW - 40, message="elsewhere")
    home = action(ActionType.SWITCHOVER, "node-a", finished_at=NOW - 30)
    view = whole(actions=(start, away, home))
    assert "no action on record" in explain_vm(view, WEB, NOW).why_here, "what it has left since is no reason"
    assert explain_vm(whole(actions=(start,)), WEB, NOW).why_here == "Start brought it to node-a: it shall run"
    failed = replace(start, phase=ActionPhase.FAILED)
    assert "no action on record" in explain_vm(whole(actions=(failed,)), WEB, NOW).why_here
    assert explain_vm(whole(vm=replace(WEB, preferred_node="node-a")), WEB, NOW).why_here != ""


def test_the_margin_keeps_it_and_the_scores_say_why() -> None:
    told = explain_vm(whole(), WEB, NOW)
    assert told.scores == ("node-a scores 100: no fault", "node-b scores 100: no fault")
    assert told.keeps == ("node-b is not healthier than node-a by the margin of 5",)
    assert told.would_move[0].endswith("now it has 100, node-a 100")


def test_nothing_keeps_it_on_the_worse_server() -> None:
    told = explain_vm(whole(a=WORSE), WEB, NOW)
    assert told.scores[0] == "node-a scores 92 = 100 - 8 (power supply PSU2 of node-a failed)"
    assert told.keeps == ()


def test_each_thing_that_keeps_it_is_told() -> None:
    immovable = replace(
        WEB,
        instance=replace(WEB.instance, migratable=False, not_migratable_because="a disk is local"),
        moved_at=NOW - 20,
    )  # type: ignore[type-var]
    policy = PairPolicy(health=HealthPolicy(minimum_stay_seconds=60), pause=Pause(NOW + 60, "works"))
    told = explain_vm(whole(a=WORSE, vm=immovable, policy=policy), immovable, NOW)
    kept = "\n".join(told.keeps)
    assert "paused" in kept
    assert "KubeVirt cannot move it while it runs: a disk is local" in kept
    assert "it stays for another 40 s" in kept
    cordoned = explain_vm(whole(a=WORSE, b=replace(B, cordoned=True)), WEB, NOW)
    assert cordoned.keeps == ("node-b is cordoned",)


def test_a_crash_that_would_not_be_survived_is_told_as_such() -> None:
    silent = replace(A, power=reads("", error="did not answer"))
    told = explain_vm(whole(a=silent), WEB, NOW)
    assert "would not be survived without a person: the BMC of node-a: did not answer" in told.would_move[1]
    assert explain_vm(whole(), WEB, NOW).would_move[1] == (
        "a crash of node-a: once that is proven off, it is booted on node-b"
    )


def test_a_node_is_told_with_its_faults_parts_and_memory() -> None:
    history = NodeHistory(declared_down=Declaration(NOW - 10, "its disk keeps failing"))
    told = explain_node(whole(a=replace(WORSE, history=history)), replace(WORSE, history=history), NOW)
    assert told.holds == ("default/web",)
    assert "part 750W; serial S1" in told.faults[0]
    assert told.history == ("declared down: its disk keeps failing; a ResetMTBF trusts it again",)
    text = as_text(explanation(seen(whole(a=WORSE)), "node-a", 5), plain)
    assert text.startswith("node-a  Degraded, score 92 = 100 - 8 (power supply PSU2 of node-a failed)\n")
    assert "A crash of it now:\n  would be survived\n" in text


def test_the_last_actions_are_the_newest_of_this_one_alone() -> None:
    mine = [replace(action(ActionType.RESTART, "default/web", created_at=NOW - n), name=f"r{n}") for n in (30, 20, 10)]
    view = whole(actions=(*mine, action(ActionType.FENCE, "node-a")))
    assert [each["name"] for each in explanation(seen(view), "web", 2)["actions"]] == ["r20", "r10"]
    assert explanation(seen(view), "web", 0)["actions"] == []
    assert [each["type"] for each in explanation(seen(view), "node-a", 9)["actions"]] == ["Fence"]


def test_json_and_text_tell_of_a_vm_the_same() -> None:
    told = json.loads(json.dumps(explanation(seen(whole(a=WORSE)), "default/web", 5)))
    text = as_text(told, plain)
    assert text.startswith("default/web  Running on node-a, backup node-b\n")
    assert "What keeps it there:\n  nothing\n" in text
    assert set(told) >= {"vm", "whyHere", "scores", "wouldMove", "keeps", "conditions", "actions", "pair"}


def test_what_is_not_there_or_ambiguous_is_said_with_what_there_is() -> None:
    with pytest.raises(Failure, match=r"it has: node-a, node-b, default/web") as none:
        explanation(seen(whole()), "wob", 5)
    assert none.value.status == USAGE
    twin = replace(WEB, namespace="other")
    with pytest.raises(Failure, match=r"default/web or other/web: write a VM as NAMESPACE/NAME"):
        explanation(seen(replace(whole(), vms=(WEB, twin))), "web", 5)
