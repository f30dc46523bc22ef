"""The failure matrix: every line and every rule has a scenario, and the document is what the scenarios say."""

from pathlib import Path

import pytest

from avance.simulator.matrix import MATRIX, SCENARIOS, Shown, gaps, main, matrix, read, show
from avance.simulator.table import FAULTS, RULES, Place, cells

ROOT = Path(__file__).parents[2]
COMPLETE = [
    *(Shown(f"{fault} {side}", "It is so.", Place(fault, side), "never") for fault, side in cells()),
    *(Shown(rule, "It is | so.", Place("", "", (rule,)), "3 s") for rule in RULES),
]


def test_a_scenario_stands_in_its_cells() -> None:
    text = matrix([Shown("x", "It is | so.", Place("server crash", "primary", ("tiers",)), "32 s")])
    assert text.count("| It is \\| so. | 32 s | `x` |") == 2
    assert "### Server crash, on the primary" in text
    assert text.count("No scenario shows it.") == len(list(cells())) + len(RULES) - 2


def test_what_nothing_shows_is_told() -> None:
    assert list(gaps(COMPLETE)) == []
    assert list(gaps(COMPLETE[1:])) == [f"no scenario shows '{next(iter(FAULTS))}' on the backup"]
    assert list(gaps(COMPLETE[:-1])) == [f"no scenario shows the safety rule '{list(RULES)[-1]}'"]
    assert list(gaps([*COMPLETE, Shown("x", "?", Place(), "never")])) == [
        "x does not say what it shows: give it a `table`"
    ]


def test_a_matrix_that_is_out_of_date_is_noticed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / SCENARIOS).mkdir(parents=True)
    (tmp_path / MATRIX.parent).mkdir()
    scenario = tmp_path / SCENARIOS / "crash.yaml"
    scenario.write_text("shows: It is so.\ntable: {rules: [tiers]}\nends: 1 s\n")
    main(["--root", str(tmp_path)])
    assert "| It is so. | never | `crash` |" in (tmp_path / MATRIX).read_text()
    capsys.readouterr()
    main(["--root", str(tmp_path), "--check"])
    assert "run `make matrix`" not in capsys.readouterr().err
    scenario.write_text("shows: It is otherwise.\ntable: {rules: [tiers]}\nends: 1 s\n")
    assert main(["--root", str(tmp_path), "--check"]) == 1
    assert "run `make matrix`" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_times_in_the_matrix_are_those_of_the_scenarios() -> None:
    text = (ROOT / MATRIX).read_text()
    paths = sorted((ROOT / SCENARIOS).glob("*.yaml"))
    assert [read(path, text).down for path in paths] == [show(path).down for path in paths]
