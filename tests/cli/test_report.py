"""`avance report`: what the ledger of each VM comes to."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from avance.api.protected_vm import ProtectedVM
from avance.cli.availability import Availability, availability
from avance.cli.command_line import main, parser
from avance.cli.report import as_json, as_lines
from avance.cli.terminal import plain
from avance.core.model import ActionType, ActionView, FenceEvidence, StepView
from avance.core.outage_phases import Part, parts
from avance.operator.clock import to_api
from tests.cli.glimpses import SMALL
from tests.core.views import action

NOW = datetime(2026, 5, 1, 9, 14, 7, tzinfo=UTC).timestamp()
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
HOUR, DAY = 3600.0, 86400.0


def vm(created: float, **status: Any) -> ProtectedVM:
    metadata = {"namespace": "shop", "name": "till", "creationTimestamp": to_api(created)}
    return ProtectedVM.parse({"metadata": metadata, "spec": {"pairRef": {"name": "shop"}, **SMALL}, "status": status})


def outage(since: float, until: float | None = None, **told: Any) -> dict[str, Any]:
    ended = {"until": to_api(until), "seconds": round(until - since)} if until else {}
    return {"since": to_api(since), **ended, **told}


def test_the_time_that_counts_begins_with_the_year_or_with_the_vm() -> None:
    assert availability("shop/till", vm(NOW - 10 * DAY), NOW).observed == 10 * DAY
    assert availability("shop/till", vm(NOW - 300 * DAY), NOW).observed == NOW - NEW_YEAR


def test_what_somebody_asked_for_is_not_held_against_it() -> None:
    found = availability(
        "shop/till", vm(NOW - 10 * DAY, downtime={"year": 2026, "plannedSeconds": 7200, "unplannedSeconds": 864}), NOW
    )
    assert (found.planned, found.unplanned) == (7200, 864)
    assert found.share == pytest.approx(0.999)


def test_an_account_of_last_year_counts_no_more() -> None:
    old = outage(NEW_YEAR - 100, NEW_YEAR - 50, cause="ServerCrash")
    last_year = vm(NOW - 300 * DAY, downtime={"year": 2025, "unplannedSeconds": 500}, outages=[old])
    found = availability("shop/till", last_year, NOW)
    assert (found.unplanned, found.outages, found.share) == (0, (), 1.0)


@pytest.mark.parametrize("planned", [True, False])
def test_an_outage_that_lasts_is_counted_up_to_now(planned: bool) -> None:
    since = NOW - 600
    down = vm(NOW - DAY, outageSince=to_api(since), outages=[outage(since, cause="Requested", planned=planned)])
    found = availability("shop/till", down, NOW)
    assert (found.planned, found.unplanned) == ((600, 0) if planned else (0, 600))


def test_nothing_is_rounded_up_to_more_nines_than_there_were() -> None:
    found = availability("shop/till", vm(NOW - DAY, downtime={"year": 2026, "unplannedSeconds": 1}), NOW)
    [row] = [line for line in as_lines("shop", [found], NOW, None, plain) if line.startswith("shop/till")]
    assert "99.99884 %" in row


def test_the_worst_vm_stands_for_the_pair_in_the_comparison() -> None:
    found = [
        availability("shop/till", vm(NOW - 10 * DAY, downtime={"year": 2026, "unplannedSeconds": 864}), NOW),
        availability("shop/web", vm(NOW - 10 * DAY), NOW),
    ]
    lines = list(as_lines("shop", found, NOW, 1000, plain))
    [pair] = [line for line in lines if line.startswith("this pair")]
    assert pair.endswith("99.90000 %  8 h 45 min  8,766.00")
    order = [
        line.partition("  ")[0] for line in lines[lines.index("") + 1 :] if line.startswith(("one", "a f", "this"))
    ]
    assert order == ["one ordinary server", "this pair, as measured", "a failover cluster"]


def test_less_than_a_day_tells_nothing_of_a_year() -> None:
    found = [availability("shop/till", vm(NOW - DAY + 1, downtime={"year": 2026, "unplannedSeconds": 60}), NOW)]
    lines = list(as_lines("shop", found, NOW, None, plain))
    assert not [line for line in lines if line.startswith("this pair")]
    assert lines[-1].endswith("less than a day tells nothing of a year.")


def crashed(at: float) -> tuple[ActionView, ...]:
    """What was done about a crash: noticed after 3 s, proven off after another 5."""
    proof = FenceEvidence("node-a", "bmc", "uuid", "boot", "beat", at + 8, "read twice as Off")
    fence = action(ActionType.FENCE, "node-a", incident="crash-1", created_at=at + 3, evidence=proof)
    restarts = (
        action(ActionType.COLD_RESTART, vm, incident="crash-1", created_at=at + 8, steps=(StepView("Start", at + 10),))
        for vm in ("shop/till", "shop/web")
    )
    return fence, *restarts


def documented() -> list[Availability]:
    asked, crash = NOW - 20 * DAY, NOW - 2 * DAY
    told = {"cause": "ServerCrash", "incident": "crash-1"}
    till = [outage(asked, asked + 340, cause="Requested", planned=True), outage(crash, crash + 22, **told)]
    sums = {"year": 2026, "plannedSeconds": 340, "unplannedSeconds": 22}
    web = {"downtime": {"year": 2026, "unplannedSeconds": 31}, "outages": [outage(crash, crash + 31, **told)]}
    return [
        availability("shop/till", vm(NOW - 40 * DAY, downtime=sums, outages=till), NOW, crashed(crash)),
        availability("shop/web", vm(NOW - 40 * DAY, **web), NOW, crashed(crash)),
    ]


def test_the_sample_of_the_documentation_is_what_is_printed() -> None:
    text = (Path(__file__).parents[2] / "docs" / "report.md").read_text()
    shown = text.partition("$ avance report --cost-per-hour 1000\n")[2].partition("```")[0]
    assert shown.splitlines() == list(as_lines("shop", documented(), NOW, 1000, plain))


def test_programs_get_causes_parts_and_the_whole_comparison() -> None:
    told = json.loads(json.dumps(as_json("shop", documented(), NOW, 1000.0)))
    assert told["causes"] == [
        {
            "cause": "ServerCrash",
            "planned": False,
            "outages": 2,
            "seconds": 53,
            "parts": {"Detection": 6.0, "Fence": 10.0, "Release": 4.0, "Boot": 33.0},
        },
        {"cause": "Requested", "planned": True, "outages": 1, "seconds": 340, "parts": {}},
    ]
    pair = next(each for each in told["comparison"] if each["name"] == "this pair, as measured")
    assert (pair["downSecondsAYear"], pair["costAYear"]) == (283, 78.63)


def test_what_is_not_on_record_belongs_to_the_next_part() -> None:
    fence, *_ = crashed(NOW)
    assert parts("shop/till", "crash-1", NOW, NOW + 20, ()) == {}
    assert parts("shop/till", "crash-1", NOW, NOW + 20, (fence,)) == {Part.DETECTION: 3, Part.FENCE: 5, Part.BOOT: 12}
    assert parts("shop/till", "crash-1", NOW, NOW + 5, (fence,)) == {
        Part.DETECTION: 3,
        Part.FENCE: 2,
        Part.BOOT: 0,
    }


def test_programs_get_the_same() -> None:
    since = NOW - HOUR
    status = {"downtime": {"year": 2026, "unplannedSeconds": 36}, "outages": [outage(since, since + 36, cause="Crash")]}
    found = [availability("shop/till", vm(NOW - DAY, **status), NOW)]
    [told] = json.loads(json.dumps(as_json("shop", found, NOW, 100.0)))["vms"]
    assert (told["unplannedSeconds"], told["cost"]) == (36, 1.0)
    assert [each["cause"] for each in told["outages"]] == ["Crash"]


def test_a_cost_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(["report", "--cost-per-hour", "a lot"])
    assert "'a lot' is no cost: write a number of 0 or more" in capsys.readouterr().err


def test_without_a_cluster_it_says_so(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "--kubeconfig", str(tmp_path / "none")]) == 3
    assert "there is no kubeconfig" in capsys.readouterr().err
