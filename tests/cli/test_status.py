"""The picture of a pair: what is told of it, and that nothing bad is shown as good."""

import json
from dataclasses import replace

from avance.cli.picture import Picture, as_json, as_text, picture
from avance.cli.terminal import coloured, plain
from avance.core.model import ActionPhase, ActionType, PairView, StepView
from avance.core.policy import PairPolicy, Pause
from tests.cli.glimpses import seen
from tests.core.views import NOW, action, fault, launcher, node, pair, reads, running

A, B = node("node-a", power=reads("On")), node("node-b", power=reads("On", "node-b"))
WEB = running("web")


def whole(a: object = A, b: object = B, **fields: object) -> PairView:
    return replace(pair(a, b, (WEB,), (launcher(WEB),)), **fields)  # type: ignore[arg-type]


def shown(view: PairView, **more: object) -> Picture:
    return picture(seen(view, **more))  # type: ignore[arg-type]


def line(text: str, beginning: str) -> str:
    return next(each for each in text.splitlines() if each.startswith(beginning))


def test_a_whole_pair_is_well() -> None:
    of_whole = shown(whole())
    text = as_text(of_whole, plain)
    assert of_whole.well
    assert line(text, "FailoverReady").split()[1] == "yes"
    assert line(text, "node-a").split()[:3] == ["node-a", "InService", "100"]
    assert line(text, "default/web").split() == ["default/web", "Running", "node-a", "node-b", "yes"]
    assert "Nothing is under way." in text
    assert "Calm" not in text, "what is as it should be is not told, the three questions aside"


def test_a_blocked_failover_is_told_with_its_blocker_for_pair_node_and_vm() -> None:
    silent_bmc = replace(A, power=reads("", error="did not answer"))
    of_blocked = shown(whole(a=silent_bmc))
    text = as_text(of_blocked, plain)
    assert not of_blocked.well
    assert line(text, "FailoverReady").split()[1] == "NO"
    for beginning in ("FailoverReady", "node-a", "default/web"):
        assert "did not answer" in line(text, beginning)


def test_a_fault_is_told_with_the_arithmetic_and_a_move_with_its_step() -> None:
    worse = replace(A, faults=(fault("PowerSupplyProblem", "PSU2"),))
    copying = StepView("Copy", NOW - 3, message="memory is being copied")
    move = action(ActionType.MIGRATE, "default/web", ActionPhase.RUNNING, destination="node-b", current="Copy",
                  steps=(copying,), created_at=NOW - 4)  # fmt: skip
    text = as_text(shown(whole(a=worse, actions=(move,))), plain)
    assert "92 = 100 - 8 (power supply PSU2 of node-a failed)" in line(text, "node-a")
    assert line(text, "default/web").split()[1] == "Migrating"
    assert line(text, "  Migrate default/web to node-b").split("  ")[2:] == [
        "Copy", "4.0 s", "Test: memory is being copied"
    ]  # fmt: skip


def test_a_pair_that_nobody_looks_after_is_never_well() -> None:
    orphan = shown(whole(), nobody_acts="no operator leads")
    assert not orphan.well
    assert "NOBODY ACTS: no operator leads" in as_text(orphan, plain)


def test_a_pair_that_nobody_has_looked_at_yet_is_not_well_and_says_so() -> None:
    look = seen(whole())
    fresh = picture(replace(look, pair=look.pair.model_copy(update={"status": type(look.pair.status)()})))
    assert not fresh.well
    assert [answer.status for answer in fresh.answers] == ["Unknown"] * 3
    assert "no operator has looked at this pair yet" in as_text(fresh, plain)


def test_a_pause_is_told_and_what_it_holds_back_too() -> None:
    policy = PairPolicy(pause=Pause(NOW + 60, "the UPS is being replaced"))
    paused = shown(
        whole(policy=policy),
        would=("Migrate default/web to node-b",),
        pause={"until": "1970-01-12T13:47:40Z", "reason": "the UPS is being replaced"},
    )
    text = as_text(paused, plain)
    assert "PAUSED until 1970-01-12 13:47:40 UTC: the UPS is being replaced" in text
    assert "  Migrate default/web to node-b" in text
    assert not paused.well


def test_what_a_detector_says_cannot_draw_on_the_terminal() -> None:
    drawing = replace(A, faults=(fault("FanProblem", "\x1b[2J\nFAN1"),))
    text = as_text(shown(whole(a=drawing)), plain)
    assert "\x1b" not in text
    assert "FAN1" in line(text, "node-a")


def test_colours_change_nothing_but_the_colour() -> None:
    of_whole = shown(whole())
    colours = as_text(of_whole, coloured)
    assert "\x1b[32mInService\x1b[0m" in colours
    bare = colours.replace("\x1b[0m", "")
    for code in ("1", "31", "32", "33"):
        bare = bare.replace(f"\x1b[{code}m", "")
    assert bare == as_text(of_whole, plain)


def test_json_says_the_same() -> None:
    told = json.loads(as_json(shown(whole())))
    assert (told["well"], told["pair"], told["mode"], told["nobodyActs"]) == (True, "pair", "Automatic", "")
    assert [each["name"] for each in told["nodes"]] == ["node-a", "node-b"]
    assert told["vms"][0] | {"why": ""} == {
        "vm": "default/web", "phase": "Running", "node": "node-a", "backup": "node-b", "protected": True, "why": "",
    }  # fmt: skip
